#!/usr/bin/env bash
# A stack that `docker compose up` started is taken over under load: no container is recreated, no write fails, no row is
# lost. Then one real change moves one service; and `docker compose up` after that finds nothing to change.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

begin adoption
STACK=${ADOPTION_STACK:-adoption}
SHAPE=local
owns "$STACK"
dir=$W/stack
export SEAWORTHY_STATE_DIR=$W/state
mkdir "$dir"
check 'docker compose is here' "$root/ci/peers/compose.sh"

cat >"$dir/compose.yaml" <<YAML
services:
  db:
    image: $PG_IMAGE
    environment:
      POSTGRES_PASSWORD: ${STACK}-\${FLAVOUR:-plain}
    volumes: ["data:/var/lib/postgresql/data"]
    networks: [back]
    restart: unless-stopped
    stop_grace_period: 20s
    healthcheck:
      test: ["CMD", "pg_isready", "-U", "postgres"]
      interval: 1s
      start_period: 20s
  web:
    image: $PG_IMAGE
    entrypoint: ["sleep", "infinity"]
    init: true
    environment: {LEVEL: info, SCRIPT: 'a <b> && \$\$c'}
    volumes: ["./web.conf:/etc/web.conf:ro", "/scratch"]
    networks: [back, front]
    depends_on: {db: {condition: service_healthy}}
  twin:
    image: $PG_IMAGE
    entrypoint: ["sleep", "infinity"]
    init: true
    network_mode: "service:web"
    scale: 2
networks:
  back: {internal: true}
  front: {labels: {of: adoption}}
volumes:
  data: {labels: {of: adoption}}
YAML
echo 'one = 1' >"$dir/web.conf"
cat >"$dir/seaworthy.toml" <<TOML
[stack]
name = "$STACK"
min_healthy = "2s"
TOML

sw() { "$SEAWORTHY_BIN" --project-directory "$dir" "$@"; }
compose() { (cd "$dir" && docker compose --project-name "$STACK" "$@") >"$W/composed" 2>&1 || { cat "$W/composed" >"$W/said" && fail "docker compose $*"; }; }
ids() { docker ps --all --no-trunc --filter "label=com.docker.compose.project=$STACK" --format '{{.Names}} {{.ID}}' | sort; }
id() { docker inspect --format '{{.Id}}' "$STACK-$1-${2:-1}"; }
sql() { docker exec "$STACK-db-1" psql -U postgres -At -c "$1"; }
sentinel() { sql "select md5(string_agg(id || said, ',' order by id)) from sentinel"; }

# load: writes one row after the other until it is told to stop; rows that failed are counted.
load() {
    rm -f "$W/stop" "$W/failed" "$W/written"
    (
        written=0 failed=0
        while [[ ! -e $W/stop ]]; do
            if sql "insert into load(at) values (now())" >/dev/null 2>&1; then written=$((written + 1)); else failed=$((failed + 1)); fi
        done
        echo "$written" >"$W/written"
        echo "$failed" >"$W/failed"
    ) &
    writer=$!
    background+=("$writer")
}
unload() {
    touch "$W/stop"
    wait "$writer"
    figure 'writes, failed' "$(<"$W/written"), $(<"$W/failed")"
    same 'failed writes' 0 "$(<"$W/failed")"
    [[ $(<"$W/written") -gt 0 ]] || fail 'nothing was written'
    same 'rows' "$((rows + $(<"$W/written")))" "$(sql 'select count(*) from load')"
    rows=$(sql 'select count(*) from load')
}

step 'docker compose up, a sentinel, and a load'
compose up --detach --wait
sql 'create table sentinel(id serial, said text); create table load(id serial, at timestamptz)' >/dev/null
sql "insert into sentinel(said) select md5(i::text) from generate_series(1, 1000) i" >/dev/null
rows=0
before=$(sentinel)
started=$(ids)
docker exec "$STACK-web-1" sh -c 'echo kept >/scratch/note'
load

step 'adopted: nothing recreated, nothing lost'
expect 0 sw deploy
said 'adopted: nothing recreated'
same 'containers' "$started" "$(ids)"
same 'the current release' 1 "$(current)"
expect 0 sw deploy
said 'nothing to do'
same 'containers' "$started" "$(ids)"
unload
same 'the sentinel' "$before" "$(sentinel)"

step 'docker compose up after the adoption changes nothing'
compose up --detach --wait
same 'containers' "$started" "$(ids)"

step 'one real change: that service moves, with what is in its network, and no other'
load
edit 's/LEVEL: info/LEVEL: debug/' compose.yaml
database=$(id db)
web=$(id web) twin=$(id twin)
expect 0 sw deploy
said 'environment LEVEL changed'
same 'the database' "$database" "$(id db)"
[[ $(id web) != "$web" ]] || fail 'web was not replaced'
[[ $(id twin) != "$twin" ]] || fail 'what is in the network of web was not replaced'
same 'what lay in a volume without a name' kept "$(docker exec "$STACK-web-1" cat /scratch/note)"
unload
same 'the sentinel' "$before" "$(sentinel)"

step 'docker compose up after the change changes nothing'
mixed=$(ids)
compose up --detach --wait
same 'containers' "$mixed" "$(ids)"

step 'what somebody changes by hand is named, and undone'
docker update --restart always "$STACK-db-1" >/dev/null
docker network disconnect "${STACK}_front" "$STACK-web-1"
docker rm -f "$STACK-twin-2" >/dev/null
expect 1 sw validate
said 'its restart policy was changed by hand: `always`, and not `unless-stopped`'
said "is not attached to \`${STACK}_front\`"
said "has no container \`$STACK-twin-2\`"
expect 0 sw deploy
said "it was taken off network \`${STACK}_front\`"
same 'the database' "$database" "$(id db)"
same 'its restart policy' unless-stopped "$(docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' "$STACK-db-1")"
expect 0 sw validate

step 'the other way round: a stack of ours is found by docker compose as it left its own'
expect 0 sw destroy --confirm "$STACK"
expect 0 sw deploy
ours=$(ids)
compose up --detach --wait
same 'containers' "$ours" "$(ids)"
same 'the sentinel' "$before" "$(sentinel)"
edit 's/LEVEL: debug/LEVEL: trace/' compose.yaml
compose up --detach --wait
database=$(id db)
expect 0 sw deploy
same 'the database' "$database" "$(id db)"
theirs=$(ids)
expect 0 sw deploy
said 'nothing to do'
same 'containers' "$theirs" "$(ids)"
