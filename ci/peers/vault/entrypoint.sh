#!/bin/sh
# Starts the key store as its public image does: `server …` gains the development token and address, which count
# only with `-dev`; other words are subcommands; anything else is a program.
set -eu

if [ "${1#-}" != "$1" ]; then
    set -- vault "$@"
elif [ "$1" = server ]; then
    shift
    set -- vault server \
        -dev-root-token-id="${BAO_DEV_ROOT_TOKEN_ID:-${VAULT_DEV_ROOT_TOKEN_ID:-}}" \
        -dev-listen-address="${BAO_DEV_LISTEN_ADDRESS:-${VAULT_DEV_LISTEN_ADDRESS:-0.0.0.0:8200}}" \
        "$@"
elif [ "$1" = operator ] || [ "$1" = status ] || [ "$1" = version ]; then
    set -- vault "$@"
fi
exec "$@"
