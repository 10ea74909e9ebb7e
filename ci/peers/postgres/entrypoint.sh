#!/bin/bash
# Starts PostgreSQL as the public image does: the first start makes the cluster and the database from POSTGRES_USER,
# POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, and POSTGRES_DB, with a server that only its own socket reaches.
set -euo pipefail

# The value of NAME, or the content of the file that NAME_FILE names. Both at once is a mistake.
setting() {
    local name=$1 file_name="$1_FILE" default=${2:-}
    if [[ -n ${!name:-} && -n ${!file_name:-} ]]; then
        echo "error: both $name and $file_name are set; keep one" >&2
        exit 1
    elif [[ -n ${!file_name:-} ]]; then
        cat "${!file_name}"
    else
        printf %s "${!name:-$default}"
    fi
}

initialise() {
    local user password database
    user=$(setting POSTGRES_USER postgres)
    password=$(setting POSTGRES_PASSWORD)
    database=$(setting POSTGRES_DB "$user")
    if [[ -z $password ]]; then
        echo "error: POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be set for a new cluster" >&2
        exit 1
    fi
    initdb --username="$user" --pwfile=<(printf '%s\n' "$password") --encoding=UTF8 \
        --auth-local=trust --auth-host=scram-sha-256
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"

    pg_ctl --wait --options="-c listen_addresses='' -p 5432" start
    if [[ $database != postgres ]]; then
        psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="$user" --dbname=postgres \
            --set=database="$database" <<<'CREATE DATABASE :"database";'
    fi
    pg_ctl --wait --mode=fast stop
}

if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi
if [[ ${1:-} != postgres ]]; then exec "$@"; fi

if [[ $(id -u) == 0 ]]; then
    mkdir -p "$PGDATA" /run/postgresql
    chmod 0700 "$PGDATA"
    chown postgres:postgres /run/postgresql
    find "$PGDATA" \! -user postgres -exec chown postgres:postgres {} +
    # The value is read while still root: secrets may be root's alone.
    if [[ ! -s $PGDATA/PG_VERSION && -n ${POSTGRES_PASSWORD_FILE:-} ]]; then
        POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
        export POSTGRES_PASSWORD
        unset POSTGRES_PASSWORD_FILE
    fi
    exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
fi

if [[ ! -s $PGDATA/PG_VERSION ]]; then initialise; fi
unset POSTGRES_PASSWORD
exec "$@" -c listen_addresses='*'
