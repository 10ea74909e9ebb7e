#!/usr/bin/env bash
# Builds a current container engine (the 29 line) from its Go modules, for live lanes on two generations of engines.
# Prints the folder that its programs are in: put it first on PATH.
set -euo pipefail

moby=v2.0.0-beta.24
containerd=v2.4.2
runc=v1.5.2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${SEAWORTHY_PEERS:-$root/target/peers}/moby-$moby-$containerd-$runc

# install TAGS PACKAGE…: with the names the packages have.
install_go() {
    local tags=$1
    shift
    GOBIN=$bin.part go install -trimpath -tags "$tags" -ldflags '-s -w' "$@" >&2
}

if [[ ! -x $bin/dockerd ]]; then
    echo "peers: building the engine, $moby, from its Go modules (minutes the first time)" >&2
    mkdir -p "$bin.part"
    export CGO_ENABLED=0
    install_go '' "github.com/moby/moby/v2/cmd/dockerd@$moby" "github.com/moby/moby/v2/cmd/docker-proxy@$moby"
    install_go '' "github.com/containerd/containerd/v2/cmd/containerd@$containerd" \
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@$containerd"
    CGO_ENABLED=1 install_go seccomp "github.com/opencontainers/runc@$runc"
    mv "$bin.part" "$bin"
fi
echo "$bin"
