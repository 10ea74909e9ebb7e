#!/usr/bin/env python3
"""Times what people wait for against `docker compose` and against the engine's own API, in alternating runs.

    benches/against_compose.py [BINARY]      BINARY: target/release/seaworthy

Needs an engine, `docker compose`, a static busybox and GNU `time`. Makes two stacks of seven services, one of each tool, and removes
them. Each line: ours, the peer's, the ratio of the medians, and what is wanted.
"""

import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(os.environ.get("ROUNDS", "15"))
ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/seaworthy").resolve())
IMAGE = "seaworthy-bench/busybox:1"
OURS, THEIRS = "swbench-ours", "swbench-theirs"
SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


def main():
    with tempfile.TemporaryDirectory(prefix="swbench-") as where:
        make_image(where)
        stacks = {name: stack(pathlib.Path(where), name) for name in (OURS, THEIRS)}
        os.environ["SEAWORTHY_STATE_DIR"] = os.path.join(where, "state")
        try:
            reading(pathlib.Path(where))
            start()
            deploy, up = ours(stacks[OURS]), compose(stacks[THEIRS])
            run(deploy)
            run(up)
            compared("no-op deploy, 7 services", deploy, up, "<= 0.05", "docker compose up -d")
            changed(stacks[OURS])
            figure("peak memory of a deploy", f"{peak(ours(stacks[OURS], CHANGE=str(time.time_ns()))) / 1024:.1f} MB", "<= 50 MB")
            many_runs(stacks[OURS])
        finally:
            for name, directory in stacks.items():
                subprocess.run([*at(directory, name), "down", "--volumes", "--timeout", "0"], capture_output=True)
            subprocess.run(["docker", "image", "rm", IMAGE], capture_output=True)


# What is timed.


def reading(where):
    """300 services in 40 files, from the start of the process to the last byte of the rendering."""
    directory = where / "large"
    directory.mkdir()
    files = []
    for number in range(40):
        services = []
        for service in range(300) if number == 0 else range(number, 300, 40):
            services.append(
                f"  s{service}:\n    image: registry.example.org/team/app-{service}:${{TAG:-1.0}}\n"
                f"    environment:\n      FILE_{number}: value-{number}\n      COMMON: ${{COMMON:-x}}\n"
                f"    labels: [\"file.{number}=yes\"]\n    depends_on: [{'s0' if service else ''}]\n"
            )
        path = directory / f"compose.{number}.yaml"
        path.write_text("services:\n" + "".join(services))
        files += ["-f", path.name]
    mine = [BINARY, *files, "render", "--format", "compose", "--json"]
    reference = ["docker", "compose", *files, "config", "--format", "json"]
    equal = json.loads(run((mine, directory, {}))) == json.loads(run((reference, directory, {})))
    figure("both render the same", str(equal), "True")
    compared("read 300 services of 40 files", (mine, directory, {}), (reference, directory, {}), "<= 20 ms", "docker compose config")


def start():
    mine = ([BINARY, "--version"], ".", {})
    compared("--version", mine, (["docker", "compose", "version"], ".", {}), "<= 10 ms", "docker compose version")
    figure("peak memory of --version", f"{peak(mine) / 1024:.1f} MB", "<= 20 MB")


def changed(directory):
    """One service is changed: what a deploy takes beyond the same calls made by hand, the application's start in both."""
    mine, raw = [], []
    for _ in range(ROUNDS):
        mine.append(timed(lambda: run(ours(directory, CHANGE=str(time.time_ns())))))
        raw.append(timed(lambda: replace_by_hand(f"{OURS}-s3-1")))
        # Ours again, so that the next round finds what it left.
        run(ours(directory, CHANGE=str(time.time_ns())))
    say("change one service", mine, raw, "<= 1.25", "the engine's own calls")


def many_runs(directory):
    """The first run stands for ten thousand: the list of them, and a deploy that does nothing after them."""
    runs = pathlib.Path(os.environ["SEAWORTHY_STATE_DIR"]) / OURS / "runs"
    newest = max(int(run.name[1:]) for run in runs.iterdir() if run.name.startswith("r"))
    for number in range(newest + 1, 10_000):
        (runs / f"r{number}").mkdir(mode=0o700)
        for name in ("plan.json", "journal"):
            os.link(runs / "r1" / name, runs / f"r{number}" / name)
    # A run that changes something finds them.
    deploy = ours(directory, CHANGE=str(time.time_ns()))
    run(deploy)
    listed = [BINARY, "runs", "--json"], directory, {}
    figure("runs that are listed", str(len(json.loads(run(listed))["runs"])), "10000")
    for what, command, wanted in [("runs, 10,000 of them", listed, "<= 50 ms"), ("no-op deploy after 10,000 runs", deploy, "as above")]:
        figure(what, f"{statistics.median(timed(lambda: run(command)) for _ in range(ROUNDS)) * 1000:.1f} ms", wanted)


def replace_by_hand(name):
    """The calls that no tool can do without: look, make, stop, name, start, look, remove."""
    old = api("GET", f"/containers/{name}/json")
    first, *others = [(network, {"Aliases": settings.get("Aliases")}) for network, settings in old["NetworkSettings"]["Networks"].items()]
    body = {**old["Config"], "HostConfig": old["HostConfig"], "NetworkingConfig": {"EndpointsConfig": dict([first])}}
    body.pop("Hostname", None)
    made = api("POST", f"/containers/create?name={name}-new", body)["Id"]
    # An engine of an older API takes one network when it makes a container.
    for network, endpoint in others:
        api("POST", f"/networks/{network}/connect", {"Container": made, "EndpointConfig": endpoint})
    api("POST", f"/containers/{name}/stop?t=10")
    api("POST", f"/containers/{name}/rename?name={name}-old")
    api("POST", f"/containers/{made}/rename?name={name}")
    api("POST", f"/containers/{made}/start")
    api("GET", f"/containers/{made}/json")
    api("DELETE", f"/containers/{old['Id']}?force=1&v=1")


# How.


def api(method, path, body=None):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(SOCKET)
    connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 400:
        sys.exit(f"{method} {path}: {answer.status} {text.decode()}")
    return json.loads(text) if text else None


def make_image(where):
    context = pathlib.Path(where) / "image"
    context.mkdir()
    shutil.copy(shutil.which("busybox"), context / "busybox")
    (context / "Dockerfile").write_text('FROM scratch\nCOPY busybox /bin/sh\nCMD ["/bin/sh", "-c", "exec sleep 100000"]\n')
    subprocess.run(["docker", "build", "--quiet", "--tag", IMAGE, str(context)], check=True, capture_output=True,
                   env={**os.environ, "DOCKER_BUILDKIT": "0"})


def stack(where, name):
    """Seven services on two networks, three with volumes. They end at once when they are asked to."""
    directory = where / name
    directory.mkdir()
    text = f"name: {name}\nservices:\n"
    for number in range(7):
        text += f"  s{number}:\n    image: {IMAGE}\n    pull_policy: never\n    stop_signal: SIGKILL\n    networks: [front, back]\n"
        text += "    environment:\n      CHANGE: " + ("${CHANGE:-0}" if number == 3 else '"0"') + "\n"
        if number < 3:
            text += f"    volumes: [\"d{number}:/data\"]\n"
    text += "networks:\n  front:\n  back:\n    internal: true\nvolumes:\n  d0:\n  d1:\n  d2:\n"
    (directory / "compose.yaml").write_text(text)
    (directory / "seaworthy.toml").write_text('[stack]\nmin_healthy = "0s"\n')
    return directory


def ours(directory, **environment):
    return [BINARY, "--quiet", "deploy"], directory, environment


def at(directory, name):
    return ["docker", "compose", "--project-directory", str(directory), "-f", str(directory / "compose.yaml"), "-p", name]


def compose(directory):
    return [*at(directory, THEIRS), "up", "-d"], directory, {}


def run(command):
    words, directory, environment = command
    ran = subprocess.run(words, cwd=directory, env={**os.environ, **environment}, capture_output=True)
    if ran.returncode:
        sys.exit(f"{words}: exit {ran.returncode}\n{ran.stderr.decode()}")
    return ran.stdout


def timed(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def compared(what, mine, peer, wanted, name):
    mines, peers = [], []
    for _ in range(ROUNDS):
        mines.append(timed(lambda: run(mine)))
        peers.append(timed(lambda: run(peer)))
    say(what, mines, peers, wanted, name)


def say(what, mines, peers, wanted, name):
    mine, peer = statistics.median(mines), statistics.median(peers)
    print(f"{what:32} {mine * 1000:8.1f} ms   {name}: {peer * 1000:8.1f} ms   ratio {mine / peer:6.3f}   wanted {wanted}", flush=True)


def figure(what, value, wanted):
    print(f"{what:32} {value:>11}   wanted {wanted}", flush=True)


def peak(command):
    """The most memory that the process held, in KiB. What a process is begun from counts as its own: so it is begun by
    something small, and not by Python."""
    words, directory, environment = command
    words = ["time", "--quiet", "--format", "%M", "--output", "/dev/stderr", *words]
    ran = subprocess.run(words, cwd=directory, env={**os.environ, **environment}, capture_output=True)
    if ran.returncode:
        sys.exit(f"{words}: exit {ran.returncode}\n{ran.stderr.decode()}")
    return int(ran.stderr.split()[-1])


if __name__ == "__main__":
    main()
