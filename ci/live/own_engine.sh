# An engine of a scenario's own, beside the one that answers: in a network namespace of its own, with its own socket and
# data, so that the scenario may kill it. Sourced after lib.sh; whoever talks to it runs in its namespace.
#
#   own_engine_begin NAME     made, started, and the images of the examples loaded into it
#   own_engine_start          started again after a kill, and waited for
#   own_engine_end            ended, and nothing is left of it

own_engine_begin() {
    own=$1
    # Below /var/lib: tests mount what is in /tmp. A long path does not fit a socket's name.
    own_data=/var/lib/$own own_run=/run/$own
    own_engine_end
    mkdir -p "$own_data" "$own_run"
    ip netns add "$own"
    ip -n "$own" link set lo up
    own_engine_start
    docker save "$TRAEFIK_IMAGE" "$PG_IMAGE" "$BAO_IMAGE" "$RELAY_IMAGE" | docker -H "unix://$own_run/docker.sock" load >/dev/null
}

own_engine_start() {
    local until=$((SECONDS + 60)) pid
    # As on a machine, what runs the containers is a program of its own: it does not end with the engine.
    if ! pid=$(cat "$own_run/containerd.pid" 2>/dev/null) || [[ ! -d /proc/$pid ]]; then
        printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$own_run/containerd.toml"
        setsid nsenter "--net=/run/netns/$own" containerd --config "$own_run/containerd.toml" --root "$own_data/containerd" \
            --state "$own_run/containerd" --address "$own_run/containerd.sock" >>"$own_run/log" 2>&1 </dev/null &
        echo $! >"$own_run/containerd.pid"
        disown
    fi
    setsid nsenter "--net=/run/netns/$own" dockerd -H "unix://$own_run/docker.sock" --data-root "$own_data/docker" \
        --exec-root "$own_run/exec" --pidfile "$own_run/docker.pid" --containerd "$own_run/containerd.sock" \
        >>"$own_run/log" 2>&1 </dev/null &
    disown
    until own_engine_answers; do
        ((SECONDS < until)) || fail "the engine does not answer: $(tail -n 5 "$own_run/log")"
        sleep 0.2
    done
}

own_engine_answers() { [[ -S $own_run/docker.sock ]] && timeout 10 docker -H "unix://$own_run/docker.sock" version >/dev/null 2>&1; }

# `kill -9`, and what a machine's init would do then: it is gone, and is started again.
own_engine_kill() {
    local pid
    pid=$(cat "$own_run/docker.pid")
    kill -9 "$pid"
    while [[ -d /proc/$pid ]]; do sleep 0.05; done
    rm -f "$own_run/docker.pid"
    own_engine_start
}

own_engine_end() {
    local pid
    for pid in $(cat "$own_run/docker.pid" "$own_run/containerd.pid" 2>/dev/null); do
        if [[ ! -d /proc/$pid ]]; then continue; fi
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 100); do [[ -d /proc/$pid ]] || break; sleep 0.2; done
    done
    # What looks after containers lives in the engine's namespace, and containers are their children.
    if [[ -e /run/netns/$own ]]; then
        for pid in $(ip netns pids "$own"); do
            if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == containerd-shim* ]]; then pkill -9 -P "$pid" || true; kill -9 "$pid" || true; fi
        done
        sleep 0.5
    fi
    # What it mounted goes before its directories do.
    awk -v a="$own_data" -v b="$own_run" 'index($2 "/", a "/") == 1 || index($2 "/", b "/") == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l
    if [[ -e /run/netns/$own ]]; then ip netns del "$own"; fi
    rm -rf "$own_data" "$own_run"
}
