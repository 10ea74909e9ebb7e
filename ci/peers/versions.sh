#!/usr/bin/env bash
# Prints each component that live tests use, its version, and whether it is the real one. Text, one row a line.
set -uo pipefail

row() { printf '%-16s %-58s %s\n' "$1" "${2:-not here}" "$3"; }

# The version an image's own program tells, or nothing where the image is not here.
of_image() {
    local image=$1
    shift
    docker image inspect "$image" >/dev/null 2>&1 || return 0
    docker run --rm --network none "$@" 2>/dev/null | head -n 1 | tr -d '\r'
}

# What a program says of itself, or nothing where it is not installed.
of_program() { command -v "$1" >/dev/null && "$@" 2>&1 | head -n 1; }

pg=${PG_IMAGE:-seaworthy-ci/postgres:15}
bao=${BAO_IMAGE:-seaworthy-ci/vault:1.21}
traefik=${TRAEFIK_IMAGE:-seaworthy-ci/traefik:3}
relay=${RELAY_IMAGE:-seaworthy-ci/relay:1}

row COMPONENT VERSION KIND
row PostgreSQL "$(of_image "$pg" --entrypoint postgres "$pg" --version)" "real server, in an image of ours"
row Traefik "$(of_image "$traefik" "$traefik" version | sed 's/Version: */Traefik /')" "real binary, in an image of ours"
store=$(of_image "$bao" "$bao" version | sed "s/, built.*//")
case $store in
    OpenBao*) row "key store" "$store" real ;;
    *) row "key store" "$store" "stand-in: real Vault for OpenBao, the same API" ;;
esac
row relay "$(of_image "$relay" "$relay" --version)" "ours: examples/apps"
row "docker engine" "$(docker version --format '{{.Server.Version}} (API {{.Server.APIVersion}})' 2>/dev/null)" real
row "docker compose" "$(docker compose version --short 2>/dev/null)" real
row age "$(of_program age --version)" real
row zstd "$(of_program zstd --version | sed 's/^\** *//; s/ *\**$//')" real
row pg_restore "$(of_program pg_restore --version)" "real; else the one inside the PostgreSQL image"
row strace "$(of_program strace --version)" real
row rustc "$(of_program rustc --version)" real
