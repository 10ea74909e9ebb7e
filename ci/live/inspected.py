#!/usr/bin/env python3
"""What the engine holds of a project, as `docker inspect` says it, in words that two runs share.

    inspected.py PROJECT RELEASE ROUND
    inspected.py --processes DIR RELEASE ROUND      the same of what the process engine keeps in DIR

Left out is what differs between any two containers made alike: ids, times, addresses, process numbers, where the
engine keeps its files. The release that is current and the round of the change are told by their meaning. Containers
of others that are in the project's networks are there too.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

PROCESSES = sys.argv[1] == "--processes"
PROJECT, RELEASE, ROUND = sys.argv[-3:]
LABEL = "com.docker.compose.project"
GONE = {
    "Id", "Created", "CreatedAt", "StartedAt", "FinishedAt", "Pid", "Log", "LogPath", "ResolvConfPath", "HostnamePath",
    "HostsPath", "GraphDriver", "Storage", "SandboxID", "SandboxKey", "EndpointID", "NetworkID", "IPAddress",
    "IPPrefixLen", "MacAddress", "Gateway", "GlobalIPv6Address", "IPv6Gateway", "IPAM", "Containers", "Hostname",
    "Image", "DNSNames", "ExecIDs", "seaworthy.identity", "seaworthy.made-by", "identity", "id", "pid", "start", "session",
}
# A container's short id is an alias of it; whole ones, and hashes of what differs by round or release, stand in labels.
HASH = re.compile(r"\b(?<!sha256:)([0-9a-f]{64}|[0-9a-f]{12})\b")


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.split()


def is_of(name):
    return name == PROJECT or name.startswith((f"{PROJECT}-drill-", f"{PROJECT}-restore-"))


def labelled(kind):
    every = ["--all"] if kind == "container" else []
    shown = "{{.Name}}" if kind == "volume" else "{{.ID}}"
    lines = docker(kind, "ls", *every, "--format", shown + '={{.Label "' + LABEL + '"}}')
    return [name for name, _, project in (line.rpartition("=") for line in lines) if is_of(project)]


def look(kind, names):
    if not names:
        return []
    said = subprocess.run(["docker", kind, "inspect", *names], check=True, capture_output=True, text=True).stdout
    return sorted((said_alike(it) for it in json.loads(said)), key=lambda it: it["Name"])


def said_alike(value, key=""):
    if isinstance(value, dict):
        kept = {name: it for name, it in value.items() if name not in GONE or (name == "Image" and not it.startswith("sha256:"))}
        return {HASH.sub("ID", name): said_alike(it, name) for name, it in sorted(kept.items())}
    if isinstance(value, list):
        alike = [said_alike(it, key) for it in value]
        return sorted(alike, key=json.dumps) if key in ("Env", "Binds", "Mounts", "Aliases") else alike
    if key in ("seaworthy.release", "release"):
        return "current" if str(value) == RELEASE else "earlier"
    if not isinstance(value, str):
        return value
    if key == "KILLS_ROUND":
        return "this" if value == ROUND else "earlier"
    if value.startswith("KILLS_ROUND="):
        return "KILLS_ROUND=" + ("this" if value == f"KILLS_ROUND={ROUND}" else "earlier")
    # Where a release keeps its files.
    return HASH.sub("ID", re.sub(r"/releases/(\d+)\b", lambda it: "/releases/" + ("current" if it[1] == RELEASE else "earlier"), value))


def of_engine():
    networks = labelled("network")
    guests = [it for network in networks for it in docker("ps", "-aq", "--filter", f"network={network}")]
    containers = sorted({it[:12] for it in labelled("container") + guests})
    return {
        "containers": look("container", containers),
        "networks": look("network", networks),
        "volumes": look("volume", labelled("volume")),
    }


def of_processes(home):
    """What each container, volume and network was made from, and the stage of each container."""
    kept = {}
    for path in sorted(home.glob("*/containers/*")):
        for part in ("spec.json", "state.json"):
            kept[f"{path.relative_to(home)} {part}"] = said_alike(json.loads((path / part).read_text()))
    for path in sorted([*home.glob("*/volumes/*/spec.json"), *home.glob("*/networks/*.json"), *home.glob("*/addresses.json")]):
        kept[str(path.relative_to(home))] = said_alike(json.loads(path.read_text()))
    instances = {home.name: len(list(home.glob("*/instances/*")))}
    return {**kept, "instances": instances}


print(json.dumps(of_processes(Path(PROJECT)) if PROCESSES else of_engine(), indent=1))
