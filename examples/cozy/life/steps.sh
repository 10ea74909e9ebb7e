# The steps of the life, in the order in which `run` takes them. Helpers: ci/live/lib.sh.

# shows: A29
red_before_bootstrap() {
    step 'preflight is red before bootstrap, and names a development token in production; it needs no engine'
    export DOCKER_HOST=unix:///nowhere/docker.sock
    expect 1 sw preflight
    said unset-secret
    unsaid dev-token-in-production
    sed -i.kept '/DEV_ROOT_TOKEN_ID: !reset/d' "$dir/compose.prod.yaml"
    expect 1 sw preflight
    said 'BAO_DEV_ROOT_TOKEN_ID of `bao` is the root token of a development key store'
    mv "$dir/compose.prod.yaml.kept" "$dir/compose.prod.yaml"
    unset DOCKER_HOST
}

# shows: A53
bootstrap_once() {
    step 'bootstrap: secrets made, key store initialised, each share sealed to its holder; again: unchanged'
    expect 4 sw bootstrap
    said '--shares-out'
    bootstrap
    same 'sealed shares' 5 "$(find "$keys/sealed" -name 'share-*.age' | wc -l)"
    same 'secrets that others can read' 0 "$(find "$SEAWORTHY_STATE_DIR" -type f -perm /077 -path '*/secrets/*' | wc -l)"
    local before
    before=$(secrets_as_they_are)
    expect 0 sw bootstrap --shares-out "$keys/again" --json
    same 'outcome' unchanged "$(jq -r .outcome "$W/out")"
    same 'secrets after a second bootstrap' "$before" "$(secrets_as_they_are)"
    same 'shares of a second ceremony' 0 "$(find "$keys" -path '*/again/*' | wc -l)"
}

secrets_as_they_are() { find "$SEAWORTHY_STATE_DIR/$STACK/secrets" -type f -exec sha256sum {} + | sort; }

deploy_from_nothing() {
    step 'deploy: a key store that starts sealed waits for shares, and is unsealed with three of them'
    expect 0 sw preflight
    docker restart "$(container bao)" >/dev/null
    expect 4 sw deploy
    said '--shares'
    expect 0 sw deploy --shares "$keys/shares"
    same release 1 "$(current)"
    member_secret
}

deploy_under_load() {
    step 'deploy of release 2 under load: every event that was acknowledged is there'
    edit '1i # Release 2.' traefik/dynamic.yaml
    edit '/^services:/a\  relay:\n    stop_grace_period: 20s' compose.prod.yaml
    load_while 14 expect 0 sw deploy
    same release 2 "$(current)"
    same 'release of relay' 2 "$(label "$(container relay)" seaworthy.release)"
    prove_ledger
    figure 'load during the deploy' "$(jq -r '"\(.acknowledged) acknowledged, \(.retried) sent again, longest gap \(.max_gap_ms) ms"' "$W/load.json")"
}

validate_green() {
    step 'validate: what must answer does, what must not does not'
    expect 0 sw validate
}

write_a_set() {
    step 'backup under load: one set; then more load, which the set does not hold'
    # A role and a table that nobody thought of: both must come back, by whichever way.
    in_database <<'SQL'
CREATE ROLE app LOGIN PASSWORD 'app';
CREATE TABLE "odd 'name'" (n int);
ALTER TABLE "odd 'name'" OWNER TO app;
INSERT INTO "odd 'name'" VALUES (1), (2);
SQL
    load_while 6 expect 0 sw backup --json
    set=$(jq -r .set "$W/out")
    same 'committed sets' 1 "$(find "$COZY_BACKUPS" -name manifest.json | wc -l)"
    jq .manifest "$(find "$COZY_BACKUPS" -name manifest.json)" >"$W/manifest.json"
    same 'roles' 'key-store postgres postgres-globals release secrets' "$(jq -r '[.objects[].role] | sort | join(" ")' "$W/manifest.json")"
    held=$(jq '[.objects[] | select(.role == "postgres") | .counts["public.events"] // .counts["events"]][0]' "$W/manifest.json")
    load 4 >"$W/load.json"
    prove_ledger
    check 'the load went on after the set' test "$(jq .last_seq "$W/load.json")" -gt "$held"
    # What must come back, by whichever way: events are written once and never changed.
    in_database -c "SELECT * FROM events WHERE seq <= $held ORDER BY seq" >"$W/rows"
    same 'rows of the set' "$held" "$(wc -l <"$W/rows")"
    figure 'set' "$set, $held events"
    jq -r '.objects[] | "\(.name): \(.plain_bytes) bytes, sealed \(.sealed_bytes)"' "$W/manifest.json" | while read -r line; do figure '' "$line"; done
}

in_database() { docker exec -i "$(container postgres)" psql -XqAt -v ON_ERROR_STOP=1 -U relay -d relay "$@"; }

# shows: A24 A27
restart_key_store() {
    step 'the key store restarts sealed; a wrong share opens nothing, three right ones open what was written before'
    docker restart "$(container bao)" >/dev/null
    sed 's/^...../AAAAA/' "$keys/shares" >"$keys/wrong-shares"
    expect 4 sw deploy --shares "$keys/wrong-shares"
    expect 1 sw validate
    expect 0 sw deploy --shares "$keys/shares"
    expect 0 sw validate
    prove_ledger
}

# bad_release FAULT: it never becomes good, and the release before it serves on by itself.
bad_release() {
    local fault=$1 serves before tried
    serves=$(current)
    step "a bad release under load ($fault): undone by itself, and the failed container is kept"
    if grep -q '^timeout = "60s"' "$dir/seaworthy.toml"; then edit 's|^timeout = "60s"|timeout = "8s"|'; fi
    before=$(docker inspect --format '{{.Id}}' "$(container relay)")
    RELAY_FAULT=$fault load_while 16 expect 1 sw deploy --json
    same outcome undone "$(jq -r .outcome "$W/out")"
    tried=$(jq .release.tried "$W/out")
    same 'the release that serves, by its own word' "$serves" "$(jq .release.live "$W/out")"
    same 'the current release' "$serves" "$(current)"
    same 'the container that serves' "$before" "$(docker inspect --format '{{.Id}}' "$(container relay)")"
    same 'containers kept' "$STACK-relay-$tried-failed" "$(jq -r '.kept | join(" ")' "$W/out")"
    same 'the failed container' exited "$(phase "$STACK-relay-$tried-failed")"
    same 'its restart policy' no "$(docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' "$STACK-relay-$tried-failed")"
    check 'its last words are told' jq -e '[.diagnostics[].causes[]] | any(startswith("its last words: "))' "$W/out"
    prove_ledger
    figure "release $tried" "$(jq -r '[.diagnostics[] | select(.severity == "error")][0] | "\(.message): \(.causes[0])"' "$W/out")"
    figure 'load meanwhile' "$(jq -r '"\(.acknowledged) acknowledged, longest gap \(.max_gap_ms) ms"' "$W/load.json")"
}

roll_back() {
    step 'rollback: image, configuration and settings of release 1 come back together'
    mounted() { docker cp "$(container traefik):/etc/traefik/dynamic.yaml" - | tar -xO | head -n 1; }
    same 'first line of the mounted file' '# Release 2.' "$(mounted)"
    load_while 14 expect 0 sw rollback 1
    same 'the current release' 1 "$(current)"
    same 'first line of the mounted file' 'http:' "$(mounted)"
    same 'stop grace of relay' '<nil>' "$(docker inspect --format '{{.Config.StopTimeout}}' "$(container relay)")"
    same 'failed containers' '' "$(docker ps -aq --filter "name=^$STACK-.*-failed")"
    expect 0 sw validate
    prove_ledger
}

ask_with_compose() {
    step 'docker compose ps, logs and exec work on the stack'
    check 'docker compose is here' "$root/ci/peers/compose.sh"
    expect 0 docker compose --project-name "$STACK" ps --format '{{.Service}} {{.State}}'
    same 'services that run' 'bao running postgres running relay running traefik running' "$(sort "$W/out" | xargs)"
    expect 0 docker compose --project-name "$STACK" logs --tail 5 postgres
    said 'postgres-1'
    expect 0 docker compose --project-name "$STACK" exec -T postgres pg_isready
    said 'accepting connections'
}

destroy_everything() {
    step 'destroy: only with its name typed; volumes and key store are gone, and so is the state directory'
    expect 4 sw destroy --volumes
    said "--confirm $STACK"
    expect 4 sw destroy --volumes --confirm "$STACK-not"
    same 'containers that run after a refusal' 4 "$(docker ps -q --filter "label=com.docker.compose.project=$STACK" | wc -l)"
    expect 0 sw destroy --volumes --confirm "$STACK"
    local kind
    for kind in container network volume; do
        same "$kind""s left" '' "$(of_project $kind "$STACK")"
    done
    mapfile -t where < <(at_relay)
    expect 2 "$APPS_BIN" load verify "${where[@]}" --ledger "$W/ledger"
    signer=$(jq -r .signer "$(find "$COZY_BACKUPS" -name manifest.json)")
    mv "$SEAWORTHY_STATE_DIR" "$W/state-of-the-lost-host"
    mv "$keys/sealed" "$keys/member" "$W/state-of-the-lost-host"
}

# The lines of docs/recovery.md as they stand, on this very set, with stock programs alone.
recover_without_seaworthy() {
    step 'the documented recovery without this program: every row of the set, the other roles and tables too'
    expect 0 env TARGET="$COZY_BACKUPS" STACK="$STACK" SIGNER="$signer" IDENTITY="$keys/identity" SHARES="$keys/shares" \
        ROWS="$W/rows" bash "$root/ci/live/recovery.sh"
    figure 'by hand' "$(tail -n 1 "$W/out")"
}

# shows: A31
restore_everything() {
    step 'restore from target, identity, shares and signer alone: every event acknowledged before the point, no gap'
    local began=$SECONDS
    expect 0 sw restore --identity "$keys/identity" --signer "$signer" --shares "$keys/shares"
    figure 'restored in' "$((SECONDS - began)) s"
    prove_ledger --up-to-time "$(jq -r .point "$W/manifest.json")"
    check 'events before the point were compared' test "$(jq .compared "$W/proof.json")" -gt 100
    prove_ledger --up-to-seq "$held"
    same 'newest event' "$held" "$(jq .last_seq "$W/proof.json")"
    same 'events' "$held" "$(jq .events "$W/proof.json")"
    figure 'proven' "$(jq -r '"\(.compared) acknowledged events of \(.events), \(.beyond) came after the set"' "$W/proof.json")"
    member_secret
    mv "$W/ledger" "$W/ledger-of-the-lost-host"
    load 3 >"$W/load.json"
    same 'given up' 0 "$(jq .failed "$W/load.json")"
    prove_ledger
    expect 0 sw validate
}

drill_green() {
    step 'drill: the set proven in a throwaway, measured, signed; the live stack is not touched'
    local before
    before=$(docker ps -q --no-trunc --filter "label=com.docker.compose.project=$STACK" | sort)
    expect 0 sw drill "$set" --identity "$keys/identity" --signer "$signer" --shares "$keys/shares" --json
    same 'level' L4 "$(jq -r .evidence.level "$W/out")"
    same 'canaries' true "$(jq '.evidence.canaries | length > 0 and all(.decrypts)' "$W/out")"
    same 'counts' true "$(jq '.evidence.counts | length > 0 and all(.captured == .restored)' "$W/out")"
    same 'containers of the live stack' "$before" "$(docker ps -q --no-trunc --filter "label=com.docker.compose.project=$STACK" | sort)"
    same 'what is left of the throwaway' '' "$(docker ps -aq --filter "name=^$STACK-drill-")$(docker volume ls -q --filter "name=^$STACK-drill-")$(docker network ls -q --filter "name=^$STACK-drill-")"
    figure 'RPO if lost now' "$(jq -r '.evidence | "\(.recovery_point.if_lost_now_ms / 1000) s of \(.recovery_point_target_ms / 1000) s, capture lag \(.recovery_point.capture_lag_ms) ms"' "$W/out")"
    figure 'RTO' "$(jq -r '.evidence | "\(.recovery_ms / 1000) s of \(.recovery_target_ms / 1000) s: \([.phases[] | "\(.name) \(.ms) ms"] | join(", "))"' "$W/out")"
    figure 'sizes' "$(jq -r '.evidence | [.sizes[].sealed_bytes] | "\(add) bytes in \(length) objects"' "$W/out")"
}
