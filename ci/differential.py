#!/usr/bin/env python3
"""Reads random Compose projects with this program and with docker compose, and compares what they print.

  differential.py BINARY [--count N] [--seed S] [--keep DIR]

Each project is made from its seed alone, so that a difference can be had again: `--seed S --count 1 --keep DIR`.
A project that both refuse counts as equal. Without the docker-compose plugin it says so, and does nothing.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

PLUGINS = ("~/.docker/cli-plugins", "/usr/local/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
           "/usr/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins")
VARIABLES = {"SET": "set", "EMPTY": "", "NUMBER": "7", "WORDS": "a 'b c' d", "DOLLAR": "x$y", "YES": "true"}
NAMES = ["web", "db", "job"]


class Maker:
    """Makes one project."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def one(self, *values):
        return self.r.choice(values)

    def good(self, *values, bad):
        """One of the values; now and then a bad one."""
        return bad if self.r.random() < 0.01 else self.r.choice(values)

    def some(self, values, most=3):
        values = list(values)
        return self.r.sample(values, self.r.randint(0, min(most, len(values))))

    def maybe(self, value, chance=0.5):
        return value if self.r.random() < chance else None

    def variable(self):
        name = self.one("SET", "EMPTY", "NUMBER", "WORDS", "DOLLAR", "NONE", "FILE", "OTHER")
        default = self.one("d", "", "${SET}", "${NONE:-deep}", "a}b", "x y")
        return self.one(f"${name}", f"${{{name}}}", f"${{{name}:-{default}}}", f"${{{name}-{default}}}",
                        f"${{{name}:+{default}}}", f"${{{name}+{default}}}", "$$", "$", "${SET:?needed}")

    def string(self):
        return self.one("x", "a b", "é", "1", "true", "y", "a=b", "a:b", "#x", "x-y") + self.one("", self.variable())

    def scalar(self):
        return self.one(self.string(), 1, 0, 1.5, True, False, "0755", 10**6, None, "1e6", -3)

    def pairs(self):
        names = self.some(["A", "B", "SET", "NONE", "FILE", "x.y"], 4)
        if self.r.random() < 0.5:
            return {name: self.scalar() for name in names}
        return [self.one(f"{name}={self.string()}", name) for name in names]

    def strings(self, values):
        return self.some(values)

    def duration(self):
        return self.good("30s", "1m30s", "0", "1.5h", "90s", "500ms", "1d", "0s", bad="10")

    def size(self):
        return self.good("64m", "1.5g", "2GiB", "0", "10kb", "512", bad="1x")

    def port(self):
        return self.good("80", 80, "8080:80", "127.0.0.1:8080:80/udp", "8000-8002:80", "3000-3002:3000-3002", "[::1]:1:2",
                        {"target": 80}, {"target": "80", "published": 443, "protocol": "udp"},
                        {"target": 80, "published": "8080", "mode": "host", "host_ip": "10.0.0.1"}, "7-9:1", bad="a:80")

    def mount(self):
        return self.good("./a:/a", "data:/d", "/x", "./b:/a/:ro", "data:/d:nocopy", "~/h:/h:rw,z", "./a:/s:shared",
                        {"type": "volume", "source": "data", "target": "/d/", "volume": {"nocopy": "yes"}},
                        {"type": "bind", "source": "./c", "target": "/c", "read_only": True},
                        {"type": "tmpfs", "target": "/t", "tmpfs": {"size": self.size(), "mode": 511}},
                        {"type": "bind", "source": ".", "target": "/d", "bind": {"create_host_path": False}}, bad="lost:/l")

    def service(self, name, base):
        s = {}
        if base or self.r.random() < 0.3:
            s["image"] = self.one("img", "img:${NUMBER}", "reg/img@sha256:0", "${SET:-x}/y")
        extra = {
            "command": lambda: self.one("run a 'b c'", ["a", "b"], "", None, "a && b", "x ${WORDS}", "echo `a b` $$x"),
            "entrypoint": lambda: self.one("sh -c", ["sh"], [], None),
            "environment": self.pairs, "labels": self.pairs, "sysctls": self.pairs, "annotations": self.pairs,
            "env_file": lambda: self.one("one.env", ["one.env", "two.env"], [{"path": "no.env", "required": False}],
                                         [{"path": "two.env", "format": "raw"}]),
            "ports": lambda: [self.port() for _ in range(self.r.randint(0, 3))],
            "expose": lambda: self.some(["80", 80, "90/udp", "1-3"]),
            "volumes": lambda: [self.mount() for _ in range(self.r.randint(0, 3))],
            "tmpfs": lambda: self.one("/run", ["/run:size=1m", "/t"], []),
            "networks": lambda: self.one(["front"], {"front": None, "default": {"aliases": ["a", "b"]}}, [], {}),
            "depends_on": lambda: self.one(["job2"], {"job2": {"condition": "service_healthy"}},
                                           {"job2": {"condition": "service_started", "required": False}}),
            "healthcheck": lambda: {k: v for k, v in {
                "test": self.good("true", ["CMD", "a"], ["NONE"], bad=["x"]), "interval": self.maybe(self.duration()),
                "retries": self.maybe(self.one(3, "4", "${NUMBER}")), "disable": self.maybe(self.one(True, "no"))}.items()
                if v is not None},
            "deploy": lambda: {k: v for k, v in {
                "replicas": self.maybe(self.one(2, "3", 0)), "labels": self.maybe(self.pairs()),
                "resources": self.maybe({"limits": {"memory": "64m", "cpus": self.one("0.5", 0.25)}}),
                "restart_policy": self.maybe({"condition": "on-failure", "max_attempts": 3, "delay": "5s"}),
                "update_config": self.maybe({"parallelism": 1, "delay": "10s", "order": "start-first"})}.items()
                if v is not None},
            "build": lambda: self.one(".", {"context": "./dir", "args": self.pairs()}, {"dockerfile_inline": "FROM x"},
                                      {"context": "https://x/y.git", "tags": ["a"], "shm_size": self.size()}),
            "logging": lambda: {"driver": self.one("local", "json-file"), "options": {"max-size": self.one("1m", 5, None)}},
            "ulimits": lambda: {"nofile": self.one(5, "6", {"soft": 1, "hard": 2}), "core": self.one(0, 1)},
            "extra_hosts": lambda: self.one(["a:1.1.1.1", "b=[::1]"], {"a": "1.1.1.1", "b": ["::1", "2.2.2.2"]}),
            "secrets": lambda: self.some(["s1", {"source": "s2", "target": "t", "mode": self.one("0440", 288)}]),
            "configs": lambda: self.some(["c1", {"source": "c2", "target": "/etc/c", "uid": "1"}]),
            "devices": lambda: self.some(["/dev/a", "/dev/a:/dev/b:r", {"source": "/dev/c", "target": "/dev/d"}]),
            "gpus": lambda: self.one("all", [{"capabilities": ["x"], "count": 1}]),
            "cap_add": lambda: self.strings(["A", "B", "C"]), "dns": lambda: self.one("1.1.1.1", ["8.8.8.8", ""]),
            "security_opt": lambda: self.strings(["a:b", "c=d"]), "profiles": lambda: self.strings(["p", "q"]),
            "group_add": lambda: self.some(["a", 5]), "links": lambda: self.one(["job2:x"], ["job2"]),
            "mem_limit": self.size, "shm_size": self.size, "cpus": lambda: self.one(0.5, "1.25", 0, 2),
            "pids_limit": lambda: self.one(5, "6", -1), "scale": lambda: self.one(1, 2, 0, "2"),
            "stop_grace_period": self.duration, "init": lambda: self.one(True, False, "yes"),
            "tty": lambda: self.one(True, False, "no"), "privileged": lambda: self.good("true", False, bad="maybe"),
            "user": self.string, "hostname": self.string, "restart": lambda: self.one("always", "no", "on-failure:3"),
            "network_mode": lambda: self.one("host", "none"), "pid": lambda: self.one("host", "service:job2"),
            "pull_policy": lambda: self.good("always", "if_not_present", "every_12h", bad="sometimes"),
            "extends": lambda: self.good({"service": "base", "file": "sub/base.yaml"}, {"service": "base", "file": "./sub/base.yaml"}, "job2", bad={"service": "none"}),
            "storage_opt": lambda: {"size": "1G"}, "read_only": lambda: self.one(True, "on"),
            "blkio_config": lambda: {"weight": 100, "device_read_bps": [{"path": "/dev/a", "rate": self.size()}]},
            "post_start": lambda: [{"command": "a b", "environment": self.pairs()}],
            "volumes_from": lambda: self.one(["job2:ro"], ["container:x"]), "x-note": lambda: {"a": 1},
            "attach": lambda: self.one(True, "false"), "oom_score_adj": lambda: self.good(5, "10", bad=5000),
        }
        for key in self.some(extra, 6):
            s[key] = extra[key]()
        return s

    def resources(self):
        top = {}
        if self.r.random() < 0.9:
            top["networks"] = {"front": self.one(None, {"driver": "bridge", "labels": self.pairs()}, {"internal": "yes"},
                                                 {"external": True}, {"ipam": {"config": [{"subnet": "10.0.0.0/8"}]}})}
            top["volumes"] = {"data": self.one(None, {"driver": "local", "driver_opts": {"a": self.one(1, "b")}},
                                               {"external": True, "name": "v$$v"}, {"name": "${SET}"})}
            top["secrets"] = {"s1": {"file": "./s1"}, "s2": self.one({"environment": "SET"}, {"external": True})}
            top["configs"] = {"c1": {"content": "a ${SET}"}, "c2": self.one({"file": "c2"}, {"environment": "SET"})}
        return top

    def overlay(self, text):
        """Marks a few entries `!reset` and `!override`."""
        lines = []
        for line in text.splitlines():
            indent = len(line) - len(line.lstrip())
            if indent >= 4 and line.endswith(":") and self.r.random() < 0.08:
                line += self.one(" !override", "")
            lines.append(line)
        return "\n".join(lines) + "\n"

    def project(self):
        names = self.some(NAMES, 3) or ["web"]
        base = {"services": {name: self.service(name, True) for name in sorted(set(names) | {"db", "job", "job2"})}}
        # What others refer to refers to nobody, so that not every project is a circle.
        base["services"]["job2"] = {"image": "x", "tty": True}
        base.update(self.resources())
        if self.r.random() < 0.2:
            base["name"] = self.one("My.Proj", "p${NUMBER}", "x")
        if self.r.random() < 0.2:
            base["include"] = [self.one("sub/inc.yaml", {"path": "sub/inc.yaml", "env_file": "two.env"})]
        files = {"compose.yaml": yaml(base)}
        args = ["-f", "compose.yaml"]
        for index in range(self.r.randint(0, 2)):
            over = {"services": {name: self.service(name, False) for name in self.some(NAMES, 2) or ["web"]}}
            files[f"over{index}.yaml"] = self.overlay(yaml(over))
            args += ["-f", f"over{index}.yaml"]
        files["sub/base.yaml"] = yaml({"services": {"base": self.service("base", True)}, **self.resources()})
        files["sub/inc.yaml"] = yaml({"services": {"inc": self.service("inc", True)}})
        files["sub/.env"] = "OTHER=sub\nSET=hidden\n"
        files[".env"] = self.one("FILE=dotenv\n", "FILE='a b' # c\nOTHER=\"x\\n$FILE\"\n", "export FILE=${SET}#x\n")
        files["one.env"] = self.one("A=1\nB\n# c\nSET=${A}\n", "A=\"q\\\"q\"\nC: yaml\n", "A=${NONE:-d}\n")
        files["two.env"] = self.one("A=2\nTWO=$A\n", "RAW='x'\n")
        if self.r.random() < 0.3:
            args += ["--profile", self.one("p", "q", "*")]
        return files, args


def yaml(value):
    """JSON is YAML, and each mapping on lines of its own leaves room for tags."""
    def lines(value, indent):
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                if isinstance(inner, dict) and inner:
                    yield f"{' ' * indent}{json.dumps(key)}:"
                    yield from lines(inner, indent + 2)
                else:
                    yield f"{' ' * indent}{json.dumps(key)}: {json.dumps(inner, ensure_ascii=False)}"
        else:
            yield " " * indent + json.dumps(value)
    return "\n".join(lines(value, 0)) + "\n"


def answer(command, directory):
    """(exit code, JSON or None) of a program."""
    env = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", **VARIABLES}
    done = subprocess.run(command, cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    try:
        return done.returncode, json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        return done.returncode, None


def compare(seed, binary, reference, keep):
    files, args = Maker(seed).project()
    with tempfile.TemporaryDirectory(prefix="differential-") as scratch:
        directory = pathlib.Path(keep or scratch).resolve()
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        want = answer([reference, *args, "config", "--format", "json"], directory)
        got = answer([binary, "render", "--format", "compose", "--json", *args], directory)
    if (want[1] is None) != (got[1] is None):
        return f"docker compose ends with {want[0]}, this program with {got[0]}"
    if want[1] is None and got[0] not in (1, 2):
        return f"this program ends with {got[0]}"
    if want[1] != got[1]:
        return "they print: " + first(want[1], got[1], "$")
    return "accepted" if want[1] is not None else "refused"


def first(want, got, path):
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(want.keys() | got.keys()):
            if want.get(key, "nothing") != got.get(key, "nothing"):
                return first(want.get(key, "nothing"), got.get(key, "nothing"), f"{path}.{key}")
    return f"{path}: {json.dumps(want)[:120]} and {json.dumps(got)[:120]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    places = [pathlib.Path(place).expanduser() / "docker-compose" for place in PLUGINS]
    reference = next((str(place) for place in places if os.access(place, os.X_OK)), shutil.which("docker-compose"))
    if reference is None:
        print("skipped: the docker-compose plugin is not installed")
        return 0
    binary = os.path.abspath(options.binary)
    seeds = range(options.seed, options.seed + options.count)
    counts = {"accepted": 0, "refused": 0}
    different = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        run = pool.map(lambda seed: (seed, compare(seed, binary, reference, options.keep)), seeds)
        for seed, verdict in run:
            if verdict in counts:
                counts[verdict] += 1
            else:
                different += 1
                print(f"seed {seed}: {verdict}", flush=True)
    print(f"{options.count} projects: {counts['accepted']} print the same, {counts['refused']} are refused by both, "
          f"{different} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
