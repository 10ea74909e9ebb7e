# What both sweeps of kills share: moments that `knife.py` counts and strikes, then the same command again until it is
# done, then what is left against what an uninterrupted run leaves. Sourced after lib.sh. Whoever sources it says, as
# functions, how a verb is typed (`command_of`), what is there (`look`), and that nothing is lost (`proven_whole`).

VERBS=${VERBS:-deploy rollback backup restore drill}
FULL=${FULL:-}
# What the same command gets before it counts as a hang.
PATIENCE_SECS=90
# The first call after the kill may unwind what was cut short; the second one must be done with it.
CALLS=2
# A moment before a write is a time after the write before it: by this much of what the counted run took, or by less
# where that proves too late.
SHARES='0.9 0.6 0.2 0'

# What besides the journals `knife.py` hears.
heard=()
table=
cut_short=

# moments VERB: what an uninterrupted run does and leaves, then the kills; adds a line to the table.
moments() {
    local verb=$1 began=$SECONDS every=${EVERY:-${STRIDE[$1]}} number=0 struck=0 moment calls writes
    if [[ -n $FULL ]]; then every=${EVERY:-1}; fi
    step "$verb: an uninterrupted run, for what it does and leaves"
    declare -gA came=([applied]=0 [undone]=0 [not-begun]=0 [ended]=0 [exit-1]=0 [printed]=0 [near]=0 [none]=0)
    uninterrupted "$verb"
    calls=$(jq .calls "$W/counted-$verb")
    writes=$(jq .writes "$W/counted-$verb")
    figure "$verb" "$calls calls that change something, $writes journal writes: $(((calls + writes) * 2)) moments; every $every."
    for moment in $(all_moments "$calls" "$writes"); do
        number=$((number + 1))
        ((number % every == 0)) || continue
        struck=$((struck + 1))
        strike "$verb" "$moment"
        settle "$verb"
        as_uninterrupted "$verb"
    done
    table+=$(printf '%-8s %3d calls, %2d writes, %3d moments, %3d of them struck (%d a write late, %d after the last call of that run); %d went on, %d unwound, %d had not begun, %d were over; first exit 1 in %d, a printed command in %d; %d s' \
        "$verb" "$calls" "$writes" "$(((calls + writes) * 2))" "$struck" "${came[near]}" "${came[none]}" "${came[applied]}" \
        "${came[undone]}" "${came[not-begun]}" "${came[ended]}" "${came[exit-1]}" "${came[printed]}" "$((SECONDS - began))")$'\n'
}

# all_moments CALLS WRITES: as `knife.py` names them.
all_moments() {
    local number
    for ((number = 1; number <= $1; number++)); do printf 'call:%d:before call:%d:after ' "$number" "$number"; done
    for ((number = 1; number <= $2; number++)); do printf 'write:%d:before write:%d:after ' "$number" "$number"; done
}

# knife LOG ARGUMENT…: the verb's command below it.
knife() {
    local log=$1
    shift
    python3 "$root/ci/live/knife.py" "${heard[@]}" --state "$SEAWORTHY_STATE_DIR" --log "$log" "$@" -- "${command[@]}"
}

# strike VERB MOMENT: begins it and kills it there. A moment before a write may be missed: it is tried again, earlier.
# A run may have made fewer calls than the counted one, and then has no such moment: it is over, and told apart.
strike() {
    local verb=$1 moment=$2 share code
    for share in $SHARES; do
        showing="$verb killed at $moment"
        "before_$verb" "$number"
        newest=$(newest_run)
        command_of "$verb"
        code=0
        knife "$W/struck" --at "$moment" --counted "$W/counted-$verb" --share "$share" >"$W/said" 2>&1 || code=$?
        cut_short=$(runs_with unfinished)
        if [[ $code != 137 && $moment == call:* ]]; then came[none]=$((came[none] + 1)); return; fi
        if [[ $code == 137 && $(jq .exact "$W/struck") == true ]]; then return; fi
        if [[ $moment != write:*:before ]]; then break; fi
        if [[ $share == 0 ]]; then break; fi
        settle "$verb" uncounted
    done
    [[ $code == 137 ]] || fail "$showing: it was over"
    came[near]=$((came[near] + 1))
}

# uninterrupted VERB: what it does is in counted-VERB, what it left in left-by-VERB.
uninterrupted() {
    local verb=$1
    number=1
    "before_$verb" 1
    command_of "$verb"
    expect 0 knife "$W/counted-$verb"
    proven_whole "$verb"
    look "$verb" >"$W/left-by-$verb"
}

as_uninterrupted() {
    look "$1" >"$W/left-now"
    diff "$W/left-by-$1" "$W/left-now" >"$W/said" || fail "$showing: not what an uninterrupted run leaves"
    proven_whole "$1"
}

newest_run() { sw runs --json | jq -r '.runs[0].run // "none"'; }

# settle VERB [uncounted]: the same command again, or the one that it prints, until it is done.
settle() {
    local verb=$1 call code printed
    if [[ $verb == restore ]] && is_over; then
        # The same again would be a second one, beside the stack that is there.
        if [[ -z ${2:-} ]]; then tell_outcome; fi
        return
    fi
    for ((call = 1; call <= CALLS; call++)); do
        code=0
        again "$verb" >"$W/said" 2>&1 </dev/null || code=$?
        case $code in
            0) break ;;
            1) came[exit-1]=$((came[exit-1] + 1)) ;;
            124) fail "$showing: the same command again hangs" ;;
            4 | 6)
                printed=$(grep -oE 'seaworthy [a-z-]+[^`]*' "$W/said" | tail -n 1 | sed 's/^seaworthy //' || true)
                [[ -n $printed ]] || fail "$showing: exit $code, and no command is printed"
                came[printed]=$((came[printed] + 1))
                eval "expect 0 sw $printed"
                ;;
            *) fail "$showing: the same command again ends with $code" ;;
        esac
        ((call < CALLS)) || fail "$showing: call $call still ends with $code"
    done
    same "runs that have not ended, $showing" '' "$(runs_with unfinished)"
    if [[ -z ${2:-} ]]; then tell_outcome; fi
    cut_short=
}

# Whether the run that was struck had come to its end: its last line was there.
is_over() { [[ -z $cut_short && $(newest_run) != "$newest" ]]; }

# How the run that was cut short ended: by name, and by no other than these.
tell_outcome() {
    local outcome=not-begun
    if [[ -n $cut_short ]]; then
        outcome=$(sw runs --json | jq -r --arg run "$cut_short" '.runs[] | select(.run == $run) | .outcome')
    elif [[ $(jq .writes "$W/struck") != 0 ]]; then
        outcome=ended
    fi
    [[ -n ${came[$outcome]:-} ]] || fail "$showing: the run that was cut short ended as \`$outcome\`"
    came[$outcome]=$((came[$outcome] + 1))
}

runs_with() { sw runs --json | jq -r --arg outcome "$1" '.runs[] | select(.outcome == $outcome) | .run'; }

again() {
    command_of "$1"
    timeout "$PATIENCE_SECS" "${command[@]}"
}

# What a person types after the program's name and settings, into $command.
with_arguments() {
    command+=("$1")
    case $1 in
        deploy) command+=(--shares "$keys/shares") ;;
        rollback) command+=("$back_to" --shares "$keys/shares") ;;
        drill) command+=(--identity "$keys/identity" --signer "$signer" --shares "$keys/shares") ;;
        restore) command+=(--identity "$keys/identity" --signer "$signer" --shares "$keys/shares") ;;
    esac
}

# A changed release.
before_deploy() { KILLS_ROUND=$((KILLS_ROUND + 1)); }

# A good release before the current one, named: the same command again must mean the same.
before_rollback() {
    KILLS_ROUND=$((KILLS_ROUND + 1))
    expect 0 again deploy
    back_to=$(($(current) - 1))
}

before_drill() { :; }

before_backup() { sets_before=$(count_sets); }
count_sets() { find "$COZY_BACKUPS" -name manifest.json | wc -l; }

# What the state directory keeps.
kept() {
    local name
    echo 'state directory:' && ls "$SEAWORTHY_STATE_DIR"
    echo 'secrets:' && find "$SEAWORTHY_STATE_DIR/$STACK/secrets" -printf '%P %m\n' | sort
    echo 'releases:' && same 'good' "$(current)" "$(cat "$SEAWORTHY_STATE_DIR/$STACK/good")"
    name=$SEAWORTHY_STATE_DIR/$STACK/releases
    find "$name/$(current)" -printf '%P %m\n' | sort
    find "$name" -maxdepth 1 -mindepth 1 ! -regex '.*/[0-9]+' -printf 'strange: %P\n'
}

# Each directory is a set that is listed, and holds what its manifest names, byte for byte, and nothing else.
sets_are_whole() {
    expect 0 sw backups --json
    python3 - "$COZY_BACKUPS/$STACK/sets" "$W/out" <<'PY' >"$W/checked" 2>&1 || fail "$showing: $(tail -n 1 "$W/checked")"
import hashlib, json, os, sys
home, listed = sys.argv[1], {line["set"] for line in json.load(open(sys.argv[2]))["sets"]}
there = set(os.listdir(home)) if os.path.isdir(home) else set()
if there != listed:
    sys.exit(f"sets there and sets listed differ: {sorted(there ^ listed)}")
for name in there:
    objects = json.load(open(f"{home}/{name}/manifest.json"))["manifest"]["objects"]
    files = set(os.listdir(f"{home}/{name}")) - {"manifest.json"}
    if files != {it["name"] for it in objects}:
        sys.exit(f"set {name} holds {sorted(files)}")
    for it in objects:
        held = open(f"{home}/{name}/{it['name']}", "rb").read()
        if (len(held), hashlib.sha256(held).hexdigest()) != (it["sealed_bytes"], it["sealed_sha256"]):
            sys.exit(f"{it['name']} of set {name} is not what its manifest says")
PY
}
