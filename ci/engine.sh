#!/usr/bin/env bash
# Makes sure that a container engine answers, for live lanes.
#
#   ci/engine.sh start FILE        starts one where none answers, and writes its process id to FILE
#   ci/engine.sh start FILE BIN    starts the one whose programs are in BIN, with data of its own: no other may run
#   ci/engine.sh stop FILE         stops the one that FILE names; does nothing where there is no FILE
set -euo pipefail

start() {
    local file=$1 bin=${2:-} log=${1%.pid}.log arguments=()
    if docker info >/dev/null 2>&1; then
        if [[ -z $bin ]]; then
            echo "engine: one answers already"
            return
        fi
        echo "engine: another one runs, and they would share bridges and rules: stop it first" >&2
        return 1
    fi
    mkdir -p "$(dirname "$file")"
    if [[ -n $bin ]]; then
        PATH=$bin:$PATH
        # Not below the checkout: tests mount what a checkout may lie in, as /tmp, and an engine does not mount its own
        # data. A long path does not fit a socket's name, either.
        arguments=(--data-root /var/lib/seaworthy-ci --exec-root /run/seaworthy-ci --pidfile /run/seaworthy-ci.pid)
    fi
    setsid dockerd "${arguments[@]}" >"$log" 2>&1 </dev/null &
    echo $! >"$file"
    for _ in $(seq 120); do
        if docker info >/dev/null 2>&1; then
            echo "engine: started $(docker version --format '{{.Server.Version}}, API {{.Server.APIVersion}}')"
            return
        fi
        kill -0 "$(cat "$file")" 2>/dev/null || break
        sleep 0.5
    done
    echo "engine: it does not answer; the end of $log:" >&2
    tail -n 20 "$log" >&2
    stop "$file"
    return 1
}

# Waits until it is gone: the next one takes its bridge and its socket.
stop() {
    local file=$1 pid
    if [[ ! -s $file ]]; then return; fi
    pid=$(cat "$file")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 60); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.5
    done
    rm -f "$file"
    echo "engine: stopped"
}

"$@"
