#!/usr/bin/env bash
# Runs the lines of docs/recovery.md as they are written, on a real PostgreSQL and a real key store, and compares rows.
# A part of the life of examples/cozy, whose set it recovers.
#
#   TARGET STACK SIGNER IDENTITY SHARES   as docs/recovery.md names them
#   ROWS                                  a file: every event of the set, in order
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
name=swt-recovery-$$
pg_image=${PG_IMAGE:-seaworthy-ci/postgres:15}
bao_image=${BAO_IMAGE:-seaworthy-ci/vault:1.21}
: "${TARGET:?}" "${STACK:?}" "${SIGNER:?}" "${IDENTITY:?}" "${SHARES:?}" "${ROWS:?}"
export TARGET STACK SIGNER IDENTITY SHARES

kit=$(mktemp -d /tmp/swt-recovery.XXXXXX)
clean() {
    docker rm -fv "$name-pg" "$name-bao" >/dev/null 2>&1 || true
    rm -rf "$kit"
}
trap clean EXIT

# An empty PostgreSQL, its password in the file $2, and an empty, sealed key store on this host's port $3.
servers() {
    docker create --name "$1-pg" -e POSTGRES_USER=relay -e POSTGRES_DB=relay \
        -e POSTGRES_PASSWORD_FILE=/postgres_password "$pg_image" >/dev/null
    docker cp -q "$2" "$1-pg:/postgres_password" 2>/dev/null || docker cp "$2" "$1-pg:/postgres_password"
    docker start "$1-pg" >/dev/null
    docker create --name "$1-bao" -p "127.0.0.1:$3:8200" --entrypoint vault "$bao_image" \
        server -config=/server.hcl >/dev/null
    docker cp "$here/examples/cozy/bao/server.hcl" "$1-bao:/server.hcl"
    docker start "$1-bao" >/dev/null
}

# What a person has in front of them at block 5: a way to start two empty servers.
export WORK=$kit/work DB="docker exec -i $name-pg" KEYS=$kit/vault
port=$((20000 + RANDOM % 10000))
export VAULT_ADDR=http://127.0.0.1:$port START="bash $kit/start"
{ declare -p here pg_image bao_image; declare -f servers; echo "servers $name $WORK/secrets/postgres_password $port"; } >"$kit/start"
docker cp "$(docker create --name "$name-bao" "$bao_image"):/bin/vault" "$KEYS"
docker rm "$name-bao" >/dev/null

# Each block as it stands; a person stops where a block does not end with ok, and so does this.
awk '/^```sh$/ { inside = 1; blocks++; next } /^```$/ && inside { inside = 0; print "test $? = 0 || exit" } inside
     END { if (blocks < 10) exit 1 }' "$here/docs/recovery.md" >"$kit/lines"
# What is not ours, not whole, or not for us stops before anything is opened: VARIABLE=VALUE, and the last block that is ok.
stops_after() {
    env "$2" WORK="$kit/stopped" bash "$kit/lines" >"$kit/said" 2>&1 && { echo "error: recovered with $2"; exit 1; }
    [[ $(grep '^ok: ' "$kit/said" | tail -1) == "ok: $1" ]] || { cat "$kit/said"; echo "error: $2 went past block $1"; exit 1; }
    rm -rf "$kit/stopped"
    echo "stopped after block $1 with ${2%%=*} wrong: $(tail -1 "$kit/said")"
}
stops_after 2 "SIGNER=ed25519:$(printf '1%.0s' $(seq 64))"
age-keygen -o "$kit/stranger" 2>/dev/null
stops_after 3 "IDENTITY=$kit/stranger"
cp -r "$TARGET" "$kit/flipped"
for object in "$kit/flipped/$STACK"/sets/*/*.dump.zst.age; do
    printf flipped | dd of="$object" bs=1 seek=400 conv=notrunc status=none
done
stops_after 2 "TARGET=$kit/flipped"

began=$(date +%s)
bash "$kit/lines" | tee "$kit/said"
oks=$(grep -c '^ok: ' "$kit/said")
expected=$(grep -c 'echo "ok: ' "$kit/lines")
[[ $oks == "$expected" ]] || { echo "error: $oks of $expected blocks ended with ok"; exit 1; }

docker exec "$name-pg" psql -XqAt -U relay -d relay -c "SELECT * FROM events ORDER BY seq" >"$kit/found"
cmp "$kit/found" "$ROWS"
echo "recovered by docs/recovery.md alone: $(wc -l <"$kit/found") rows, $expected blocks, $(($(date +%s) - began))s"
