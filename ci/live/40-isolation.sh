#!/usr/bin/env bash
# The database and the key store are reached by the relay alone. What changes that, in the files or on the live stack,
# turns preflight or validate red by name, and a deploy brings the stack back to its files.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

begin isolation
cozy "${COZY_STACK:-cozy-isolation}"

# try NETWORK HOST PORT: one connection from a side container on a network, by a program that is not ours.
try() {
    docker run --rm --network "$1" --label "com.docker.compose.project=$STACK-drill-side" --entrypoint timeout "$PG_IMAGE" \
        2 bash -c "exec 3<>/dev/tcp/$2/$3" >/dev/null 2>&1
}
connects() { try "$@" || fail "$2:$3 does not answer from network $1"; }
# Asked a second time where it answers: an engine that makes networks of other projects meanwhile writes its rules anew.
silent() { ! try "$@" || { sleep 1 && ! try "$@"; } || fail "$2:$3 answers from network $1"; }
address() { docker inspect --format "{{(index .NetworkSettings.Networks \"${STACK}_$2\").IPAddress}}" "$(container "$1")"; }

members() { docker network inspect --format '{{range .Containers}}{{println .Name}}{{end}}' "${STACK}_$1" | sort | xargs; }

# with OVERLAY…: the shape with an overlay that says this.
with() {
    printf '%s\n' "$@" >"$dir/compose.open.yaml"
    grep -q compose.open.yaml "$dir/seaworthy.toml" || edit 's|"compose.prod.yaml"\]|"compose.prod.yaml", "compose.open.yaml"]|'
}
without() { edit 's|, "compose.open.yaml"||'; }

# What ever stands in the shape now: preflight names it, and a deploy is refused and touches nothing.
refused() {
    local id before
    expect 1 sw preflight
    for id in "$@"; do said "$id"; done
    before=$(containers)
    expect 1 sw deploy --shares "$keys/shares"
    same 'containers after a refused deploy' "$before" "$(containers)"
}
containers() { docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$STACK" | sort; }

# by_hand SERVICE: what a person does who starts the overlay with plain Compose.
by_hand() {
    (cd "$dir" && docker compose --project-name "$STACK" -f compose.yaml -f compose.prod.yaml -f compose.open.yaml \
        up --detach --no-deps --force-recreate "$1") >"$W/said" 2>&1 || fail "docker compose up $1"
}

healed() {
    expect 0 sw deploy --shares "$keys/shares"
    expect 0 sw validate
}

step 'a deployed stack: validate is green'
bootstrap
expect 0 sw deploy --shares "$keys/shares"
expect 0 sw validate
check 'docker compose is here' "$root/ci/peers/compose.sh"
mkdir "$dir/secrets"
for secret in postgres_password relay_jwt relay_keystore; do
    docker cp "$(container relay):/run/secrets/$secret" - | tar -xO >"$dir/secrets/$secret"
done

# shows: A14
as_seen_by_others() {
    step 'PostgreSQL and the key store: no address and no name from edge, from outside or on the host; they answer inside'
    local service port host
    while read -r service port; do
        silent "${STACK}_edge" "$(address "$service" internal)" "$port"
        silent "${STACK}_edge" "$service" "$port"
        silent "${STACK}_edge" "$(container "$service")" "$port"
        silent bridge "$(address "$service" internal)" "$port"
        connects "${STACK}_internal" "$service" "$port"
        for host in $(hostname -I); do
            if [[ $host == *:* ]]; then continue; fi
            ! timeout 2 bash -c "exec 3<>/dev/tcp/$host/$port" 2>/dev/null || fail "$host:$port answers on the host"
        done
    done <<<$'postgres 5432\nbao 8200'
    same 'on internal' "$(container bao) $(container postgres) $(container relay)" "$(members internal)"
    same 'published ports of relay' '{}' "$(docker inspect --format '{{json .HostConfig.PortBindings}}' "$(container relay)" | sed 's/null/{}/')"
}
as_seen_by_others

# shows: A9
attached_live() {
    local service port
    while read -r service port; do
        step "$service attached to edge: validate names it; detached again: green"
        docker network connect "${STACK}_edge" "$(container "$service")"
        expect 1 sw validate
        said "✗ $service:$port from network ${STACK}_edge"
        said "\`$service\` is attached to \`${STACK}_edge\`, and its file does not say so"
        docker network disconnect "${STACK}_edge" "$(container "$service")"
        expect 0 sw validate
    done <<<$'postgres 5432\nbao 8200'
    step 'relay detached from edge: validate names it'
    same 'on edge' "$(container relay) $(container traefik)" "$(members edge)"
    docker network disconnect "${STACK}_edge" "$(container relay)"
    expect 1 sw validate
    said "\`relay\` is not attached to \`${STACK}_edge\`, and its file says so"
    docker network connect --alias relay "${STACK}_edge" "$(container relay)"
    expect 0 sw validate
}
attached_live

# shows: A10 A16
published() {
    local service port open
    while read -r service port; do
        open=$(free_port)
        step "$service publishes $port: preflight and deploy refuse it, validate finds it live, deploy takes it back"
        with 'services:' "  $service:" "    ports: [\"$open:$port\"]" '    networks: [internal, edge]'
        refused 'published-undeclared' "\`$service\` publishes $open"
        if [[ $service != relay ]]; then
            edit "s|^publishes = \[$COZY_HTTP_PORT, $COZY_HTTPS_PORT|&, $open|"
            refused "$service"
            unsaid published-undeclared
            edit "s|^\(publishes = .*\), $open|\1|"
        fi
        # The engine publishes nothing of a container that is on an internal network alone: edge comes with it.
        by_hand "$service"
        without
        check "$service is open on the host" timeout 2 bash -c "exec 3<>/dev/tcp/127.0.0.1/$open"
        expect 1 sw validate
        said "\`$service\` publishes 0.0.0.0:$open → $port, and its file does not say so"
        healed
    done <<<$'postgres 5432\nbao 8200\nrelay 8080'
}
published

# remake_internal [FLAG…]: the stack's internal network made by hand, with these flags.
remake_internal() {
    local name=${STACK}_internal service
    for service in relay postgres bao; do docker network disconnect "$name" "$(container "$service")"; done
    docker network rm "$name" >/dev/null
    docker network create "$@" --label "com.docker.compose.project=$STACK" --label com.docker.compose.network=internal "$name" >/dev/null
    for service in relay postgres bao; do docker network connect --alias "$service" "$name" "$(container "$service")"; done
}

# shows: A12
a_way_out() {
    step 'from postgres there is no way out; `internal` not internal: preflight red, and validate once it is live'
    local edge
    edge=$(address traefik edge)
    connects "${STACK}_edge" "$edge" 80
    ! docker exec "$(container postgres)" timeout 3 bash -c "exec 3<>/dev/tcp/$edge/80" 2>/dev/null || fail 'postgres reaches the edge'
    with 'networks:' '  internal:' '    internal: false'
    refused data-network-not-internal
    without
    remake_internal
    expect 1 sw validate
    said "network \`${STACK}_internal\` has a way out, and its file says that it has none"
    remake_internal --internal
    # The relay finds the database again by itself.
    eventually 30 0 sw validate
}
a_way_out

# shows: A13
attached_by_overlay() {
    step 'postgres put on edge by an overlay: preflight red, and validate once it is live'
    with 'services:' '  postgres:' '    networks: [internal, edge]'
    refused data-store-at-edge
    by_hand postgres
    without
    expect 1 sw validate
    said "\`postgres\` is attached to \`${STACK}_edge\`"
    healed
    # shows: A15
    with 'services:' '  traefik:' '    networks: [internal, edge]'
    expect 1 sw preflight
    said bridges-two-networks
    without
}
attached_by_overlay
