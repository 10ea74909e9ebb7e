#!/usr/bin/env bash
# A set that must not be believed turns drill and restore red, each for its own named reason, before a row is moved and
# with nothing left behind. At the end the untouched set is drilled with only target, identity, shares and signer.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

begin reds
cozy "${COZY_STACK:-cozy-reds}"
trim

# A root token from three shares, as three holders would make it; it is revoked by `forget_root`.
make_root() {
    local nonce otp share made
    made=$(in_store vault operator generate-root -init -format=json)
    nonce=$(jq -r .nonce <<<"$made") otp=$(jq -r .otp <<<"$made")
    while read -r share; do
        made=$(in_store vault operator generate-root -format=json -nonce="$nonce" - <<<"$share")
    done <"$keys/shares"
    root_token=$(in_store vault operator generate-root -decode="$(jq -r .encoded_root_token <<<"$made")" -otp="$otp")
}
in_store() { docker exec -i -e VAULT_TOKEN="${root_token:-}" "$(container bao)" "$@"; }
forget_root() {
    in_store vault token revoke -self >/dev/null
    root_token=
}

# The very store, as it was before its key was made: same shares, same credentials, no key.
snapshot_before_the_key() {
    make_root
    in_store vault write transit/keys/relay-atrest/config deletion_allowed=true >/dev/null
    in_store vault delete transit/keys/relay-atrest >/dev/null
    in_store vault operator raft snapshot save /tmp/before >/dev/null
    docker cp "$(container bao):/tmp/before" - | tar -xO >"$W/before-the-key"
    in_store vault write -f transit/keys/relay-atrest >/dev/null
    forget_root
}

# variant: a copy of the target to harm; $home is what it holds of the newest set.
variant() {
    rm -rf "$W/variant"
    cp -r "$COZY_BACKUPS" "$W/variant"
    home=$W/variant/$STACK/sets/$set
}

# amend JQ: changes what the manifest says, and keeps its old signature.
amend() {
    jq --arg bytes "${bytes:-}" --arg sha "${sha:-}" "$1" "$home/manifest.json" >"$W/amended"
    mv "$W/amended" "$home/manifest.json"
}

# The manifest says of its key snapshot what the file there is.
admit_keys() {
    local file
    file=$(echo "$home"/*.keystore.*)
    bytes=$(stat -c %s "$file") sha=$(sha256sum "$file" | cut -d' ' -f1)
    amend '(.manifest.objects[] | select(.role == "key-store")) |= (.sealed_bytes = ($bytes | tonumber) | .sealed_sha256 = $sha)'
}

# Signs the manifest again, as whoever holds the signer of the state directory can.
sign_again() {
    local hex=302e020100300506032b657004220420
    printf '%s%s' $hex "$(cat "$SEAWORTHY_STATE_DIR/signer")" | tr -d '\n' | tr a-f A-F | basenc --base16 -d >"$W/signer.der"
    jq -cSj .manifest "$home/manifest.json" >"$W/body"
    signature=$(openssl pkeyutl -sign -rawin -inkey "$W/signer.der" -keyform DER -in "$W/body" | base64 -w0)
    jq --arg it "$signature" '.signature = $it' "$home/manifest.json" >"$W/amended"
    mv "$W/amended" "$home/manifest.json"
}

# seal_keys FILE: FILE as this set's own key snapshot: its header, compressed, sealed to the custodian.
seal_keys() {
    local object
    object=$(basename "$(echo "$home"/*.keystore.*)")
    jq -c --arg name "$object" '{schema: "seaworthy.object/1", set: .manifest.set, sequence: .manifest.sequence, name: $name}' \
        "$home/manifest.json" | tr -d '\n' >"$W/header"
    {
        python3 -c 'import struct, sys; sys.stdout.buffer.write(struct.pack("<II", 0x184D2A50, int(sys.argv[1])))' "$(stat -c %s "$W/header")"
        cat "$W/header"
        zstd -qc "$1"
    } | age -r "$(age-keygen -y "$keys/identity")" >"$home/$object"
    bytes=$(stat -c %s "$1") sha=$(sha256sum "$1" | cut -d' ' -f1)
    amend '(.manifest.objects[] | select(.role == "key-store")) |= (.plain_bytes = ($bytes | tonumber) | .plain_sha256 = $sha)'
    admit_keys
}

# red CODE TEXT [ARGUMENT…]: drill and restore both say so, no row was moved, and nothing of them is left.
red() {
    local code=$1 text=$2 verb arguments
    shift 2
    for verb in drill restore; do
        arguments=(--from "$W/variant" --identity "${identity:-$keys/identity}" --shares "$keys/shares" "$@")
        expect "$code" sw "$verb" "${arguments[@]}" --json
        said "$text"
        same "steps of $verb that moved data" 0 \
            "$(jq '[.steps[]? | select(.kind == "restore" and .subject == "postgres" and .state != "pending")] | length' "$W/out")"
        nothing_left
    done
    figure "red, exit $code" "$text"
}

nothing_left() {
    local kind
    for kind in container network volume; do
        same "$kind""s beside the live ones" "${beside[$kind]}" "$(of_project "$kind" "$STACK" | sort)"
    done
    same 'projects in the state directory' "$STACK" "$(ls -d "$SEAWORTHY_STATE_DIR"/*/ | xargs -n1 basename | xargs)"
}

step 'two sets of one stack, and a key snapshot from before its key was made'
bootstrap
snapshot_before_the_key
expect 0 sw deploy --shares "$keys/shares"
write_inside 2
expect 0 sw backup --json
first=$(jq -r .set "$W/out")
write_inside 2
expect 0 sw backup --json
set=$(jq -r .set "$W/out")
signer=$(jq -r .signer "$COZY_BACKUPS/$STACK/sets/$set/manifest.json")
declare -A beside
for kind in container network volume; do beside[$kind]=$(of_project $kind "$STACK" | sort); done

step 'shares: of nobody, and too few of them'
variant
mv "$keys/shares" "$keys/right-shares"
sed 's/^...../AAAAA/' "$keys/right-shares" >"$keys/shares"
red 1 'the key shares are not this key store'
head -n 2 "$keys/right-shares" >"$keys/shares"
# shows: A-x3
red 4 '3 different key shares open it, and 2 were given'
mv "$keys/right-shares" "$keys/shares"

step 'another key snapshot: swapped in, admitted, signed again, sealed again'
keys_of() { echo "$COZY_BACKUPS/$STACK/sets/$1"/*.keystore.*; }
variant
cp "$(keys_of "$first")" "$home/"
# By chance it is shorter than the one it replaces, or not.
why='was changed after it was written'
if [[ $(stat -c %s "$(keys_of "$first")") -lt $(stat -c %s "$(keys_of "$set")") ]]; then why='is truncated'; fi
red 1 "\`bao.keystore.snap.zst.age\` $why"
admit_keys
red 4 'its signature does not fit what it says'
sign_again
red 1 "of set $set is really \`bao.keystore.snap.zst.age\` of set $first"
# shows: A35
variant
seal_keys "$W/before-the-key"
red 4 'its signature does not fit what it says'
sign_again
red 1 'the restored keys do not open this set: its canary of `relay-atrest` does not decrypt'

step 'one byte of each object flipped, each object cut short, each one missing'
for object in $(jq -r '.manifest.objects[].name' "$COZY_BACKUPS/$STACK/sets/$set/manifest.json"); do
    # The release is opened before there is a run: that is refused rather than undone.
    code=1
    if [[ $object == release.* ]]; then code=4; fi
    variant
    python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(-20, 2); b = f.read(1)[0]; f.seek(-1, 1); f.write(bytes([b ^ 1]))' "$home/$object"
    red $code "\`$object\` was changed after it was written"
    variant
    truncate -s -1 "$home/$object"
    red $code "\`$object\` is truncated"
    variant
    rm "$home/$object"
    red $code "read \`$object\`"
done

step 'somebody else: the identity, the signer, the stack'
variant
age-keygen -o "$keys/stranger" 2>/dev/null
identity=$keys/stranger red 4 'no identity at hand opens'
red 4 'it is signed by' --signer "ed25519:$(printf '1%.0s' $(seq 64))"
mkdir "$W/elsewhere"
cp -r "$COZY_BACKUPS/$STACK" "$W/elsewhere/$STACK-other"
for verb in drill restore; do
    AS=$STACK-other expect 4 sw $verb "$set" --from "$W/elsewhere" --identity "$keys/identity" --shares "$keys/shares" --signer "$signer"
    said "it is a set of the stack \`$STACK\`, and not of \`$STACK-other\`"
done

all_gone() {
    step 'the untouched set, with containers, volumes and state directory gone: green from target, identity, shares, signer'
    expect 0 sw destroy --volumes --confirm "$STACK"
    rm -rf "$SEAWORTHY_STATE_DIR"
    export SEAWORTHY_STATE_DIR=$W/new-state
    expect 0 sw drill "$set" --identity "$keys/identity" --signer "$signer" --shares "$keys/shares" --json
    same 'counts that equal the manifest' true "$(jq '.evidence.counts | length > 0 and all(.captured == .restored)' "$W/out")"
    figure 'RTO' "$(jq -r '.evidence | "\(.recovery_ms / 1000) s: \([.phases[] | "\(.name) \(.ms) ms"] | join(", "))"' "$W/out")"
    local kind
    for kind in container network volume; do same "$kind""s left" '' "$(of_project $kind "$STACK")"; done
}
all_gone
