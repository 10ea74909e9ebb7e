#!/usr/bin/env python3
"""Reads Compose projects with this program and as docker compose reads them, and compares what comes of it.

  differential.py BINARY [--count N] [--seed S]      projects made at random, and before them those that ever differed
  differential.py BINARY --files DIR…                every Compose file below these directories
  differential.py BINARY --show SEED DIR             writes one project down, and what both make of it

The reference is compose-go's loader in one long-lived process (`ci/peers/reference`, built with Go), since a process
for each project takes thirty times as long; every fortieth project goes to the released `docker compose` as well, and
its answer must be the same. Both refusing is the same; what both print must be equal;
where the reference panics there is nothing to compare with.

A project that differs is kept in `ci/differential/kept.jsonl`, files and all, so that it outlives changes of the
generator, and is read again every time. Without Go or the plugin it says so, and does nothing.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "differential"))
from projects import VARIABLES, Maker  # noqa: E402

KEPT = HERE / "differential" / "kept.jsonl"
PLUGINS = ("~/.docker/cli-plugins", "/usr/local/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
           "/usr/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins")
# One in so many goes to the released program too.
SAMPLE = 40


def environment(directory):
    return {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", "PWD": str(directory), **VARIABLES}


def parsed(text):
    """JSON, in which `1` and `1.0` are one number."""
    return json.loads(text, parse_float=lambda digits: int(float(digits)) if float(digits).is_integer() else float(digits))


def run(command, directory):
    """(exit code, what was printed or None, what was said) of a program."""
    done = subprocess.run(command, cwd=directory, env=environment(directory), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    said = done.stderr.decode(errors="replace")
    return done.returncode, parsed(done.stdout) if done.returncode == 0 else None, said


class Readers:
    """The three programs of one worker."""

    def __init__(self, binary, reference, plugin):
        self.binary, self.plugin = binary, plugin
        self.reference = subprocess.Popen([reference], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def expected(self, directory, args):
        """(what the reference prints or None, why it refuses)."""
        question = {"dir": str(directory), "args": args, "env": environment(directory)}
        self.reference.stdin.write(json.dumps(question).encode() + b"\n")
        self.reference.stdin.flush()
        answer = parsed(self.reference.stdout.readline())
        return answer.get("project"), answer.get("refused", "")

    def compare(self, directory, args, sampled):
        """`accepted`, `refused`, or in what they differ."""
        want, why = self.expected(directory, args)
        if sampled:
            code, printed, said = run([self.plugin, *args, "config", "--format", "json"], directory)
            if not same(printed, want):
                return f"docker compose ({code}: {said.strip()[-200:]}) and its loader ({why}) differ: {first(printed, want, '$')}"
        code, got, said = run([self.binary, "render", "--format", "compose", "--json", *args], directory)
        if why.startswith("panic: "):
            return "fell over"
        if want is None and got is None:
            return "refused" if code in (1, 2) else f"this program ends with {code}: {said[-300:]}"
        if want is None:
            return f"docker compose refuses, this program does not: {why[:300]}"
        if got is None:
            return f"this program ends with {code}, docker compose does not refuse: {said.strip()[:300]}"
        return "accepted" if same(want, got) else "they print: " + first(want, got, "$")


def same(want, got):
    # Python takes `True` for `1`; their texts differ.
    return want == got and json.dumps(want, sort_keys=True) == json.dumps(got, sort_keys=True)


def first(want, got, path):
    """Where two trees part, and what stands there."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(want.keys() | got.keys()):
            if not same(want.get(key, "nothing"), got.get(key, "nothing")):
                return first(want.get(key, "nothing"), got.get(key, "nothing"), f"{path}.{key}")
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for index, (one, other) in enumerate(zip(want, got)):
            if not same(one, other):
                return first(one, other, f"{path}[{index}]")
    return f"{path}: {json.dumps(want)[:120]} and {json.dumps(got)[:120]}"


def write(files, directory):
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")


def read_all(work, results, binary, reference, plugin):
    """A worker: takes what stands in `work`, and puts (name, verdict, files, arguments) into `results`."""
    readers = Readers(binary, reference, plugin)
    with tempfile.TemporaryDirectory(prefix="differential-") as scratch:
        directory = pathlib.Path(scratch).resolve() / "project"
        for name, project, sampled in iter(work.get, None):
            try:
                if isinstance(project, str):
                    path = pathlib.Path(project)
                    files, args = None, ["-f", path.name]
                    verdict = readers.compare(path.parent, args, sampled)
                else:
                    files, args = Maker(project).project() if isinstance(project, int) else project
                    shutil.rmtree(directory, ignore_errors=True)
                    directory.mkdir()
                    write(files, directory)
                    verdict = readers.compare(directory, args, sampled)
            except Exception as err:  # pylint: disable=broad-except
                files, args, verdict = None, [], f"no answer: {err!r}"
            results.put((name, verdict, files, args))
    results.put(None)


def compare_all(projects, programs):
    """Yields (name, verdict, files, arguments) of each project, in whatever order they are done."""
    workers = os.cpu_count() or 1
    work, results = multiprocessing.Queue(200), multiprocessing.Queue()
    readers = [multiprocessing.Process(target=read_all, args=(work, results, *programs), daemon=True) for _ in range(workers)]

    def feed():
        for project in projects:
            work.put(project)
        for _ in readers:
            work.put(None)

    for process in [*readers, feeder := multiprocessing.Process(target=feed, daemon=True)]:
        process.start()
    while workers:
        result = results.get()
        if result is None:
            workers -= 1
        else:
            yield result
    feeder.join()


def compose_files(directories):
    """Files whose name or first lines say that they are Compose files."""
    for directory in directories:
        for path in sorted(pathlib.Path(directory).resolve().rglob("*.y*ml")):
            if not path.is_file() or path.suffix not in (".yaml", ".yml") or path.stat().st_size > 1 << 20:
                continue
            text = path.read_bytes()
            if "compose" in path.name or text.startswith(b"services:") or b"\nservices:" in text:
                yield str(path)


def programs(binary):
    """The three programs, or None and what is missing."""
    places = [pathlib.Path(place).expanduser() / "docker-compose" for place in PLUGINS]
    plugin = next((str(place) for place in places if os.access(place, os.X_OK)), shutil.which("docker-compose"))
    if plugin is None:
        return None, "the docker-compose plugin is not installed"
    peers = pathlib.Path(os.environ.get("SEAWORTHY_PEERS") or HERE.parent / "target" / "peers")
    reference = peers / "bin" / "compose-reference"
    sources = [path.stat().st_mtime for path in (HERE / "peers" / "reference").iterdir()]
    if not reference.exists() or reference.stat().st_mtime < max(sources):
        if shutil.which("go") is None:
            return None, "`go` is not installed"
        reference.parent.mkdir(parents=True, exist_ok=True)
        # Where it lies is not within a checkout's history, and Go need not look for one.
        subprocess.run(["go", "build", "-buildvcs=false", "-o", reference, "."], cwd=HERE / "peers" / "reference", check=True)
    return (os.path.abspath(binary), str(reference), plugin), None


def kept():
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    return [json.loads(line) for line in lines]


def show(seed, directory, readers):
    files, args = Maker(seed).project()
    directory = pathlib.Path(directory).resolve()
    write(files, directory)
    print("arguments:", *args)
    want, why = readers.expected(directory, args)
    print("docker compose:", json.dumps(want, indent=1) if want is not None else why)
    print("this program:", run([readers.binary, "render", "--format", "compose", "--json", *args], directory)[2])
    print(readers.compare(directory, args, True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", nargs="+", metavar="DIR")
    parser.add_argument("--show", nargs=2, metavar=("SEED", "DIR"))
    options = parser.parse_args()
    found, missing = programs(options.binary)
    if found is None:
        print(f"skipped: {missing}")
        return 1 if os.environ.get("SEAWORTHY_LIVE") == "1" else 0
    if options.show:
        show(int(options.show[0]), options.show[1], Readers(*found))
        return 0
    began = time.monotonic()
    if options.files:
        projects = [(path, path, False) for path in dict.fromkeys(compose_files(options.files))]
    else:
        before = kept()
        projects = [(f"kept {index}", (one["files"], one["args"]), True) for index, one in enumerate(before)]
        projects += [(seed, seed, seed % SAMPLE == 0) for seed in range(options.seed, options.seed + options.count)]
    counts = {"accepted": 0, "refused": 0, "fell over": 0, "different": 0}
    for name, verdict, files, args in compare_all(projects, found):
        counts[verdict if verdict in counts else "different"] += 1
        if verdict not in counts:
            print(f"{name}: {verdict}", flush=True)
            if isinstance(name, int) and files is not None:
                with KEPT.open("a") as file:
                    file.write(json.dumps({"seed": name, "why": verdict[:200], "args": args, "files": files}, ensure_ascii=False) + "\n")
    seconds = time.monotonic() - began
    print(f"{len(projects)} projects in {seconds:.0f} s: {counts['accepted']} print the same, {counts['refused']} are refused by both, "
          f"over {counts['fell over']} the reference falls, {counts['different']} differ")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
