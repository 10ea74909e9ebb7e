#!/usr/bin/env python3
"""equal.py COMPOSE_FILE THEIRS OURS: what an engine says of two projects made of one file, service by service.

Left out: names, ids, times, addresses, what a running container became, what only we label, and labels that say which
files and which hash something was made from. An empty list is no list, and lists are compared in order of their words.
"""
import json
import re
import subprocess
import sys

OWN = {"Id", "Created", "CreatedAt", "State", "LogPath", "ResolvConfPath", "HostnamePath", "HostsPath", "GraphDriver",
       "NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "SandboxID", "SandboxKey", "Ports", "Containers",
       "GlobalIPv6Address", "ExecIDs", "Mountpoint", "Scope", "IPAM"}
LABELS = {"com.docker.compose." + key for key in
          ("config-hash", "project.config_files", "project.working_dir", "project.environment_file", "version", "depends_on")}


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def inspected(kind, name):
    return json.loads(docker(kind, "inspect", name))[0]


def plain(value, words):
    """The same without what says nothing; None where nothing is left."""
    if isinstance(value, dict):
        kept = {put(key, words): plain(said, words) for key, said in value.items()
                if key not in OWN and key not in LABELS and not key.startswith("seaworthy.")}
        return {key: said for key, said in kept.items() if said is not None} or None
    if isinstance(value, list):
        kept = [said for said in (plain(item, words) for item in value) if said is not None]
        return sorted(kept, key=json.dumps) or None
    if isinstance(value, str):
        said = put(value, words)
        return said if said not in ("", "no") else None
    return value


def put(text, words):
    for word, stands_for in words:
        text = text.replace(word, stands_for)
    # Volumes without a name.
    return re.sub(r"\b[0-9a-f]{64}\b", "ID", text)


def differences(at, theirs, ours):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            yield from differences(f"{at}/{key}", theirs.get(key), ours.get(key))
    elif theirs != ours:
        yield f"{at}: Compose has {json.dumps(theirs)}, we have {json.dumps(ours)}"


def seen(project, kind, name):
    said = inspected(kind, name)
    # Given by the engine where no file says it.
    if kind == "container":
        for endpoint in said["NetworkSettings"]["Networks"].values():
            if endpoint["MacAddress"] != said["Config"].get("MacAddress"):
                endpoint["MacAddress"] = ""
        if said["Id"].startswith(said["Config"]["Hostname"]):
            said["Config"]["Hostname"] = ""
    listed = [line.split(" ", 1) for line in docker("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}").splitlines()]
    words = [(identity, name) for identity, name in listed] + [(identity[:12], name) for identity, name in listed]
    return plain(said, words + [(project, "PROJECT")])


def main():
    text, theirs, ours = open(sys.argv[1]).read(), sys.argv[2], sys.argv[3]
    services = re.findall(r"^  # keys: (.*)\n  ([a-z]+):", text, re.M)
    rows = [(keys, "container", f"%s-{name}-1") for keys, name in services]
    rows += [("a network's keys", "network", "%s_second"), ("the default network", "network", "%s_default")]
    rows += [("a volume's keys", "volume", "%s_data")]
    bad = 0
    for keys, kind, name in rows:
        found = list(differences("", seen(theirs, kind, name % theirs), seen(ours, kind, name % ours)))
        for key in re.split(r", (?![^(]*\))", keys):
            print(f"{key:60} {'differs' if found else 'equal'}")
        for difference in found:
            print(f"    {difference}")
        bad += len(found)
    sys.exit(1 if bad else 0)


main()
