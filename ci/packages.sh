#!/usr/bin/env bash
# Installs what live lanes need from the distribution, each only where it is missing. `program:package` pairs.
set -euo pipefail

needs=(
    dockerd:docker.io docker:docker.io mmdebstrap:mmdebstrap age:age zstd:zstd strace:strace jq:jq
    openssl:openssl pkg-config:pkg-config psql:postgresql-client pg_restore:postgresql-client busybox:busybox-static python3:python3 g++:g++
)

missing=()
for need in "${needs[@]}"; do
    command -v "${need%%:*}" >/dev/null || missing+=("${need#*:}")
done
# The current engine's runtime is built with it.
[[ -e /usr/include/seccomp.h ]] || missing+=(libseccomp-dev)
# Tests make clusters of their own; the server's programs are not on PATH.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
if [[ ${#missing[@]} -eq 0 ]]; then
    echo "packages: all here"
    exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then as_root=(sudo --non-interactive); fi
export DEBIAN_FRONTEND=noninteractive
mapfile -t packages < <(printf '%s\n' "${missing[@]}" | sort -u)
echo "packages: installing ${packages[*]}"
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" apt-get -qq install --yes --no-install-recommends "${packages[@]}" >/dev/null
