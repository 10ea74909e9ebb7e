#!/usr/bin/env bash
# The README's first command, on a container engine and again where none answers.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin demo

step 'the demo on a container engine'
expect 0 "$SEAWORTHY_BIN" demo --dir "$W/containers" --clean
said 'The demo ran on containers'
said 'proven to L4'
said 'undone: release 1 serves'
figure 'on containers, in all' "$(awk '/in all/ { print $3, $4 }' "$W/said")"

step 'the demo where no engine answers'
expect 0 env DOCKER_HOST="unix://$W/none.sock" "$SEAWORTHY_BIN" demo --dir "$W/processes" --clean
said 'The demo ran on native processes'
said 'proven to L4'
figure 'on native processes, in all' "$(awk '/in all/ { print $3, $4 }' "$W/said")"

step 'nothing is left of either'
check 'no container is left' test -z "$(docker ps -aq --filter label=com.docker.compose.project=demo)"
check 'no volume is left' test -z "$(docker volume ls -q --filter label=com.docker.compose.project=demo)"
check 'no process is left' test -z "$(pgrep -f "$W" || true)"
