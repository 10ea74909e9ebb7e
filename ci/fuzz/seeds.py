#!/usr/bin/env python3
"""Writes what the fuzzer begins with: a corpus of projects, and the words of the language.

  seeds.py CORPUS DICTIONARY
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "differential"))
from projects import Maker  # noqa: E402

WORDS = ["services:", "include:", "networks:", "volumes:", "secrets:", "configs:", "models:", "name:", "x-a: &a", "<<: *a", "*a", "!reset", "!override",
         "${A:-", "${A:?", "${A:+", "${", "}", "$$", "---", "...", "|-", ">-", "? ", "service:", "file:", "path:", "env_file:", "project_directory:",
         "sub/base.yaml", "compose.yaml", "0755", "1e6", "0x1F", "~", "null", "true", "\\xef\\xbb\\xbf", "\\xff\\xfe", "\\x00", "[shape.a]", "[secret]", "[stack]"]
SEEDS = 150


def main(corpus, dictionary):
    words = WORDS + [f"{key}:" for key in Maker(0).keys()]
    pathlib.Path(dictionary).write_text("".join('"' + word.replace('"', '\\"') + '"\n' for word in words))
    for seed in range(SEEDS):
        files, _ = Maker(seed).project()
        named = lambda *names: next((files[name] for name in names if name in files), "")
        parts = [named("compose.yaml", "compose.yml", "docker-compose.yml", "dir/main.yaml"), named("over0.yaml", "compose.override.yaml"),
                 named("sub/base.yaml"), named(".env"), named("one.env"), ""]
        whole = "\0".join(parts).replace("sub/inc.yaml", "base.yaml")
        pathlib.Path(corpus, f"seed-{seed:03}").write_bytes(whole.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
