#!/usr/bin/env bash
# What `docker compose up` makes of a file and what `seaworthy deploy` makes of it: the engine is asked about both, key
# by key. Keys that a deploy does not let pass (privileged, the engine's socket) are compared in crates/host/tests/docker.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

begin compose-equal
check 'docker compose is here' "$root/ci/peers/compose.sh"
theirs=equal-theirs ours=equal-ours
owns $theirs
owns $ours
dir=$W/stack
cp -r "$root/ci/live/compose-equal" "$dir"
mkdir -p "$dir/files"
export SEAWORTHY_STATE_DIR=$W/state EQUAL_IMAGE=seaworthy-equal:1

step 'an image that idles'
mkdir -p "$W/image/bin" "$W/image/tmp" "$W/image/etc"
cp /bin/busybox "$W/image/bin/busybox"
for applet in true sleep; do ln -s busybox "$W/image/bin/$applet"; done
tar -c -C "$W/image" . | docker import --change 'CMD ["/bin/sleep", "600"]' --change 'ENV PATH=/bin' - $EQUAL_IMAGE >"$W/imported"

step 'docker compose up'
(cd "$dir" && docker compose --project-name $theirs up --detach --quiet-pull) >"$W/said" 2>&1 || fail 'docker compose up'

step 'seaworthy deploy'
STACK=$ours SHAPE=local
printf '[stack]\nname = "%s"\nmin_healthy = "1s"\ntimeout = "90s"\n\n[shape.local]\nfiles = ["compose.yaml"]\n' $ours >"$dir/seaworthy.toml"
expect 0 sw deploy

step 'each key is carried out alike'
compare() { "$dir/equal.py" "$dir/compose.yaml" $theirs $ours; }
chmod +x "$dir/equal.py"
expect 0 compare
cat "$W/out"

step 'a file that says something else is told apart, key by key'
edit 's|dns: \[127.0.0.53\]|dns: [127.0.0.54]|' compose.yaml
edit 's|cpu_shares: 512|cpu_shares: 256|' compose.yaml
expect 0 sw deploy
expect 1 compare
said '/HostConfig/Dns: Compose has ["127.0.0.53"], we have ["127.0.0.54"]'
said '/HostConfig/CpuShares: Compose has 512, we have 256'
same 'differences' 2 "$(grep -c 'Compose has' "$W/out")"
