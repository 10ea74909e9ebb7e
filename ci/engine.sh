#!/usr/bin/env bash
# Makes sure that a container engine answers, for live lanes.
#
#   ci/engine.sh start FILE    starts one where none answers, and writes its process id to FILE
#   ci/engine.sh stop FILE     stops the one that FILE names; does nothing where there is no FILE
set -euo pipefail

start() {
    local file=$1 log=${1%.pid}.log
    if docker info >/dev/null 2>&1; then
        echo "engine: one answers already"
        return
    fi
    mkdir -p "$(dirname "$file")"
    setsid dockerd >"$log" 2>&1 </dev/null &
    echo $! >"$file"
    for _ in $(seq 60); do
        if docker info >/dev/null 2>&1; then
            echo "engine: started"
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

stop() {
    local file=$1
    if [[ -s $file ]]; then
        kill "$(cat "$file")" 2>/dev/null || true
        rm -f "$file"
        echo "engine: stopped"
    fi
}

"$@"
