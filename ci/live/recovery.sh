#!/bin/bash
# Runs the lines of docs/recovery.md as they are written, on a real PostgreSQL and a real key store, and compares rows.
#
# By itself it makes a set and throws its servers away. To recover a set that something else made, give
#   TARGET STACK SIGNER IDENTITY SHARES   as docs/recovery.md names them, and ROWS, a file: what ROWS_SQL must print
#   DATABASE, DBUSER                      where they are not `relay`
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
name=swt-recovery-$$
pg_image=${PG_IMAGE:-seaworthy-ci/postgres:15}
bao_image=${BAO_IMAGE:-seaworthy-ci/vault:1.21}
: "${ROWS_SQL:=SELECT * FROM events ORDER BY seq}" "${DATABASE:=relay}" "${DBUSER:=relay}"

skip() {
    echo "skipped: $1"
    [[ ${SEAWORTHY_LIVE:-} == 1 ]] && exit 1
    exit 0
}
for program in age zstd jq openssl basenc docker; do
    command -v $program >/dev/null || skip "\`$program\` is not installed"
done
docker image inspect "$pg_image" "$bao_image" >/dev/null 2>&1 || skip "the images are missing: ci/peers/images.sh postgres vault"

kit=$(mktemp -d /tmp/swt-recovery.XXXXXX)
clean() {
    docker rm -fv "$name-live-pg" "$name-live-bao" "$name-pg" "$name-bao" >/dev/null 2>&1 || true
    rm -rf "$kit"
}
trap clean EXIT

address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }

# An empty PostgreSQL, its password in the file $2, and an empty, sealed key store, on this host's port $3 if given.
servers() {
    docker create --name "$1-pg" -e POSTGRES_USER="$DBUSER" -e POSTGRES_DB="$DATABASE" \
        -e POSTGRES_PASSWORD_FILE=/postgres_password "$pg_image" >/dev/null
    docker cp -q "$2" "$1-pg:/postgres_password" 2>/dev/null || docker cp "$2" "$1-pg:/postgres_password"
    docker start "$1-pg" >/dev/null
    docker create --name "$1-bao" ${3:+-p "127.0.0.1:$3:8200"} --entrypoint vault "$bao_image" \
        server -config=/server.hcl >/dev/null
    docker cp "$here/examples/cozy/bao/server.hcl" "$1-bao:/server.hcl"
    docker start "$1-bao" >/dev/null
}

rows() { docker exec -i "$1" psql -XqAt -U "$DBUSER" -d "$DATABASE" -c "$ROWS_SQL"; }

make_set() {
    export TARGET=$kit/target STACK=sample IDENTITY=$kit/identity SHARES=$kit/shares
    ROWS=$kit/rows
    mkdir "$TARGET"
    printf 'sample-password' >"$kit/postgres_password"
    servers "$name-live" "$kit/postgres_password"
    for _ in $(seq 60); do
        docker exec "$name-live-pg" pg_isready -q -h 127.0.0.1 && break
        sleep 1
    done
    docker exec -i "$name-live-pg" psql -Xq -v ON_ERROR_STOP=1 -U relay -d relay <<'SQL'
CREATE ROLE app LOGIN PASSWORD 'app';
CREATE TABLE events (seq bigserial PRIMARY KEY, body text);
INSERT INTO events (body) SELECT md5(n::text) FROM generate_series(1, 20000) n;
CREATE TABLE "odd 'name'" (n int);
ALTER TABLE "odd 'name'" OWNER TO app;
CREATE TABLE heartbeat (at timestamptz);
INSERT INTO heartbeat VALUES (now());
SQL
    rows "$name-live-pg" >"$ROWS"
    (cd "$here" && cargo run --quiet -p backup --example sample_set -- \
        "$TARGET" "$kit" "$name-live-pg" "$(address "$name-live-bao"):8200")
    SIGNER=$(cat "$kit/signer")
    export SIGNER
    docker rm -fv "$name-live-pg" "$name-live-bao" >/dev/null
}

[[ -n ${TARGET:-} ]] || make_set

# What a person has in front of them at block 5: a way to start two empty servers.
export WORK=$kit/work DATABASE DBUSER DB="docker exec -i $name-pg" KEYS=$kit/vault
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

rows "$name-pg" >"$kit/found"
cmp "$kit/found" "$ROWS"
echo "recovered by docs/recovery.md alone: $(wc -l <"$kit/found") rows, $expected blocks, $(($(date +%s) - began))s"
