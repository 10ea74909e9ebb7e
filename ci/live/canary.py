#!/usr/bin/env python3
"""Looks for secret values wherever they must not be, in every form they could take there.

    canary.py watch OUT PREFIX MARK          until it is ended: what the engine is asked for, and what processes show
    canary.py search CANARIES [RULE…] -- DIR…
    canary.py plant CANARIES OUT KIND=FILE…  copies of FILE with one canary in one form each; `search` must find all

CANARIES is a directory with one file a canary. A RULE, `NAME=REGEX`, says where one belongs: it must be found there, or
the search is blind. `watch` keeps for each container whose name begins with PREFIX its settings, environment and log,
every event of the engine (an exec's whole command among them), and of each process its arguments and environment: of
our own (MARK in their environment), and of those in such containers.
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

# Shorter runs of letters and digits are no proof that it was this value.
TELLING = 16
# Nobody made these; what looks like one is one.
SHAPES = {
    "any-store-token": rb"hv[sbr]\.[A-Za-z0-9_-]{20,}",
    "any-identity": rb"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
}


def main():
    verb, *arguments = sys.argv[1:]
    sys.exit({"watch": watch, "search": search, "plant": plant}[verb](*arguments))


# What a value looks like.


def pieces(value):
    """The value, and what of it survives any quoting: its longest run of letters and digits, its bytes."""
    found = [value]
    run = max(re.findall(rb"[A-Za-z0-9]+", value), key=len, default=b"")
    if len(run) >= TELLING:
        found.append(run)
    if re.fullmatch(rb"[0-9a-f]{32,}", value):
        found.append(bytes.fromhex(value.decode()))
    elif re.fullmatch(rb"[A-Za-z0-9+/]{43}=", value):
        found.append(base64.b64decode(value))
    elif re.fullmatch(rb"[0-9a-f-]{36}", value):
        found.append(value.replace(b"-", b""))
    return found


def needles(value):
    """Each form of the value as (form, bytes): whatever stands around it, one of them is there."""
    for piece in pieces(value):
        yield "raw", piece
        yield "json", json.dumps(piece.decode("latin-1"))[1:-1].encode()
        yield "json", piece.replace(b"&", b"\\u0026")
        yield "url", urllib.parse.quote_from_bytes(piece, safe="").encode()
        yield "url", "".join(f"%{byte:02X}" for byte in piece).encode()
        yield "url", "".join(f"%{byte:02x}" for byte in piece).encode()
        yield "hex", piece.hex().encode()
        yield "hex", piece.hex().upper().encode()
        for before in range(3):
            yield from aligned(piece, before)


def aligned(piece, before):
    """Its base64 where `before` bytes stand in front: only the characters that nothing around it changes."""
    text = base64.b64encode(b"\0" * before + piece)
    sure = text[(0, 2, 3)[before] : (before + len(piece)) * 8 // 6]
    yield f"base64+{before}", sure
    yield f"base64url+{before}", sure.translate(bytes.maketrans(b"+/", b"-_"))


def planted(value):
    """The value as careless code would write it, with something around it."""
    yield "raw", b"key=" + value + b"&"
    yield "url", urllib.parse.quote_from_bytes(b"a " + value + b" z", safe="").encode()
    yield "url-all", "".join(f"%{byte:02x}" for byte in value).encode()
    yield "hex", (b"a" + value + b"z").hex().encode()
    yield "hex-upper", value.hex().upper().encode()
    for before in range(3):
        around = b"abc"[:before] + value + b"z"
        yield f"base64-{before}", base64.b64encode(around)
        yield f"base64url-{before}", base64.urlsafe_b64encode(around)


def canaries(directory):
    return {name: open(os.path.join(directory, name), "rb").read().strip() for name in sorted(os.listdir(directory))}


# Looking.


def search(directory, *arguments):
    cut = arguments.index("--")
    rules = [rule.partition("=")[::2] for rule in arguments[:cut]]
    roots = arguments[cut + 1 :]
    hits = set(found(canaries(directory), roots))
    belongs = [(name, re.compile(where)) for name, where in rules]
    seen = set()
    leaks = 0
    for name, form, path in sorted(hits):
        at = [rule for rule in belongs if rule[0] == name and rule[1].search(path)]
        seen.update(at)
        if not at:
            leaks += 1
            print(f"LEAK {name} ({form}) in {path}")
    blind = [rule for rule in belongs if rule not in seen]
    for name, where in blind:
        print(f"BLIND {name} is not in {where.pattern}, where it belongs")
    print(f"searched {sum(len(files) for root in roots for _, _, files in os.walk(root))} files: {leaks} leaks")
    return 1 if leaks or blind else 0


def found(values, roots):
    """Every (canary, form, path)."""
    known = {}
    for name, value in values.items():
        for form, needle in needles(value):
            if len(needle) >= TELLING:
                known.setdefault(needle, (name, form))
    # Patterns are given one a line; what a key of random bytes may hold is looked for here.
    awkward = [needle for needle in known if b"\n" in needle or b"\0" in needle]
    for path, text in grep(["-F"], b"\n".join(needle for needle in known if needle not in awkward), roots):
        yield *known[text], path
    for path in regular_files(roots) if awkward else []:
        content = read(path)
        for needle in awkward:
            if needle in content:
                yield *known[needle], path
    for name, shape in SHAPES.items():
        for path, _ in grep(["-E"], shape, roots):
            yield name, "raw", path
    for root in roots:
        for parent, directories, files in os.walk(root):
            for entry in directories + files:
                for needle, (name, form) in known.items():
                    if needle in entry.encode():
                        yield name, form + " in its name", os.path.join(parent, entry)


def regular_files(roots):
    for root in roots:
        for parent, _, files in os.walk(root):
            for path in (os.path.join(parent, file) for file in files):
                if os.path.isfile(path) and not os.path.islink(path):
                    yield path


def grep(how, patterns, roots):
    command = ["grep", *how, "-aorHZ", "-f", "-", "--", *roots]
    ran = subprocess.run(command, input=patterns, capture_output=True, env={**os.environ, "LC_ALL": "C"})
    if ran.returncode > 1:
        sys.exit(f"grep: {ran.stderr.decode()}")
    for line in ran.stdout.split(b"\n"):
        path, _, text = line.partition(b"\0")
        if text:
            yield path.decode(), text


def plant(directory, out, *kinds):
    """One file for each kind, canary and form; then the search must name each of them, and no file left alone."""
    values = canaries(directory)
    expected = {}
    for kind in kinds:
        kind, _, source = kind.partition("=")
        text = open(source, "rb").read()[:4096]
        middle = len(text) // 2
        os.makedirs(os.path.join(out, kind), exist_ok=True)
        with open(os.path.join(out, kind, "untouched"), "wb") as file:
            file.write(text)
        for name, value in values.items():
            for form, written in planted(value):
                path = os.path.join(out, kind, f"{name}.{form}")
                with open(path, "wb") as file:
                    file.write(text[:middle] + b'"' + written + b'"' + text[middle:])
                expected[path] = name
    hits = {(path, name) for name, _, path in found(values, [out]) if name not in SHAPES}
    missed = set(expected.items()) - hits
    wrong = hits - set(expected.items())
    for path, name in sorted(missed):
        print(f"MISSED {name} in {path}")
    for path, name in sorted(wrong):
        print(f"WRONG {name} in {path}")
    print(f"planted {len(expected)} in {len(kinds)} kinds of place: {len(expected) - len(missed)} found")
    return 1 if missed or wrong else 0


# Watching.


def watch(out, prefix, mark):
    for part in ("engine/inspect", "engine/env", "engine/logs", "samples/own", "samples/containers"):
        os.makedirs(os.path.join(out, part), exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    names, followers = {}, []
    events = subprocess.Popen(["docker", "events", "--format", "{{json .}}"], stdout=subprocess.PIPE)
    threading.Thread(target=follow, args=(events, out, prefix, names, followers), daemon=True).start()
    try:
        sample(out, mark.encode(), names)
    finally:
        for child in [events, *followers]:
            child.kill()


def follow(events, out, prefix, names, followers):
    with open(os.path.join(out, "engine/events"), "ab", buffering=0) as kept:
        for line in events.stdout:
            event = json.loads(line)
            actor = event.get("Actor", {})
            name = actor.get("Attributes", {}).get("name", "")
            # Other stacks of this engine are none of our business.
            if event.get("Type") == "container" and not name.startswith((prefix, "seaworthy-side-")):
                continue
            kept.write(line)
            if event.get("Type") == "container" and event["Action"] in ("create", "start", "die", "rename"):
                names[actor["ID"]] = name, inspect(out, actor["ID"], name, event["Action"])
            if event.get("Type") == "container" and event["Action"] == "start":
                log = open(os.path.join(out, "engine/logs", f"{name}.{actor['ID'][:12]}"), "ab")
                followers.append(subprocess.Popen(["docker", "logs", "-f", actor["ID"]], stdout=log, stderr=log))


def inspect(out, identifier, name, action):
    """The environment is kept apart: values of env files are delivered there. Gives the NAMEs of its `NAME_FILE`s."""
    ran = subprocess.run(["docker", "inspect", identifier], capture_output=True)
    environment = []
    for seen in json.loads(ran.stdout or "[]"):
        environment = seen["Config"].pop("Env", None) or []
        with open(os.path.join(out, "engine/env", f"{name}.{identifier[:12]}"), "w") as file:
            file.write("\n".join(environment))
        with open(os.path.join(out, "engine/inspect", f"{name}.{identifier[:12]}.{action}"), "w") as file:
            json.dump(seen, file, indent=1)
    return [entry.partition("_FILE=")[0].encode() for entry in environment if "_FILE=" in entry]


def sample(out, mark, names):
    seen = set()
    while True:
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                look(out, mark, names, process, seen)
            except OSError:
                # It has ended in the meantime.
                continue
        time.sleep(0.02)


def look(out, mark, names, process, seen):
    arguments = read(f"/proc/{process}/cmdline")
    key = (process, arguments)
    if not arguments or key in seen:
        return
    environment = read(f"/proc/{process}/environ")
    identifier = re.search(rb"[0-9a-f]{64}", read(f"/proc/{process}/cgroup"))
    name, told = names.get(identifier.group().decode(), (None, ())) if identifier else (None, ())
    if identifier and not name:
        # Its container may be told of in a moment.
        return
    seen.add(key)
    if name:
        place = os.path.join(out, "samples/containers", name)
    elif mark in environment:
        place = os.path.join(out, "samples/own")
    else:
        return
    os.makedirs(place, exist_ok=True)
    asked, environment = images_own(environment, told)
    for part, content in (("argv", arguments), ("environ", environment), ("asked", asked)):
        with open(os.path.join(place, f"{process}.{len(seen)}.{part}"), "wb") as file:
            file.write(content)


def images_own(environment, told):
    """What an image that was told `NAME_FILE` has itself put into NAME while it initialises, and the rest."""
    entries = environment.split(b"\0")
    own = [entry for entry in entries if entry.partition(b"=")[0] in told]
    return b"\0".join(own), b"\0".join(entry for entry in entries if entry not in own)


def read(path):
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    main()
