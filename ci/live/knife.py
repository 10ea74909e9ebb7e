#!/usr/bin/env python3
"""Runs a program and kills it, and nothing else, at one chosen moment; nothing in the program knows of it.

    knife.py --state DIR --log FILE [--engine SOCKET] [--at MOMENT [--counted FILE --share 0.9]] -- COMMAND...

Between the program and the engine it puts a socket that hands every byte on, and reads no more of them than where a
request begins. Of the journals below the state directory it hears each write. Both together are the moments of a run:

    call:N:before    the Nth call that changes something has arrived, and does not reach the engine
    call:N:after     the engine has begun to answer the Nth call, and the answer does not reach the program
    write:N:after    the Nth line of a journal is there
    write:N:before   the line before it is there, and a share of the time that a counted run took up to the Nth is over

A call that only reads changes nothing before or after it, and is no moment. Without --at it counts. What happened is
in FILE as JSON; the exit code is the program's, or 137 when it was killed.
"""
import argparse
import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

CHANGES = (b"POST", b"PUT", b"DELETE")
CLOSED_OR_GONE = (OSError, ValueError)


class Requests:
    """Where requests begin in what a client sends: heads are read, bodies are skipped, a taken-over stream is left."""

    def __init__(self):
        self.rest, self.body, self.chunked, self.taken_over = b"", 0, False, False

    def pieces(self, sent):
        """Cuts what was sent into (is a head, bytes); what is not whole yet is kept."""
        self.rest += sent
        while self.rest:
            if self.taken_over:
                piece, self.rest = self.rest, b""
                yield False, piece
            elif self.body:
                piece, self.rest = self.rest[: self.body], self.rest[self.body :]
                self.body -= len(piece)
                yield False, piece
            elif self.chunked:
                size, found, _ = self.rest.partition(b"\r\n")
                if not found:
                    return
                length = int(size.split(b";")[0], 16)
                # The line of the size, the chunk, and the line end after it; the last chunk is empty.
                self.body, self.chunked = len(size) + 2 + length + 2, length != 0
            else:
                end = self.rest.find(b"\r\n\r\n")
                if end < 0:
                    return
                head, self.rest = self.rest[: end + 4], self.rest[end + 4 :]
                self._enter(head)
                yield True, head

    def _enter(self, head):
        lines = head.split(b"\r\n")[1:]
        fields = {name.strip().lower(): value.strip().lower() for name, _, value in (it.partition(b":") for it in lines)}
        self.taken_over = b"upgrade" in fields
        self.chunked = fields.get(b"transfer-encoding") == b"chunked"
        self.body = int(fields.get(b"content-length", b"0"))


class Knife:
    """What happened so far, and when to kill."""

    def __init__(self, arguments):
        self.lock = threading.Lock()
        self.events, self.calls, self.writes, self.killed = [], 0, 0, False
        self.began, self.pid = time.monotonic(), None
        self.kind, self.number, self.side = None, 0, None
        if arguments.at:
            self.kind, number, self.side = arguments.at.split(":")
            self.number = int(number)
        self.delay = self._delay(arguments)

    def _delay(self, arguments):
        """For a moment before a write: how long after the write before it."""
        if (self.kind, self.side) != ("write", "before"):
            return 0.0
        events = json.load(open(arguments.counted))["events"]
        times = [0.0] + [it["at"] for it in events if it["kind"] == "write"]
        return (times[self.number] - times[self.number - 1]) * arguments.share

    def kill(self):
        if self.pid and not self.killed:
            self.killed = True
            os.kill(self.pid, signal.SIGKILL)

    def call(self, line):
        """A call arrived. Its number where it changes something; None where it was killed instead."""
        with self.lock:
            if not line.startswith(CHANGES):
                return 0
            self.calls += 1
            self._note("call", line.decode(errors="replace").rsplit(" ", 1)[0])
            if (self.kind, self.number, self.side) == ("call", self.calls, "before"):
                self.kill()
            return None if self.killed else self.calls

    def answered(self, number):
        """The engine answers a call. False: the program was killed, and hears nothing of it."""
        with self.lock:
            if number and (self.kind, self.number, self.side) == ("call", number, "after"):
                self.kill()
            return not self.killed

    def wrote(self, lines):
        with self.lock:
            for _ in range(lines):
                self.writes += 1
                self._note("write", "")
                if (self.kind, self.number, self.side) == ("write", self.writes, "after"):
                    self.kill()
                if (self.kind, self.number - 1, self.side) == ("write", self.writes, "before"):
                    self.kill_later()

    def kill_later(self):
        if self.delay < 0.001:
            self.kill()
        else:
            threading.Timer(self.delay, self.kill).start()

    def _note(self, kind, what):
        self.events.append({"kind": kind, "what": what, "at": round(time.monotonic() - self.began, 6)})


def serve(knife, listener, engine):
    while True:
        try:
            client, _ = listener.accept()
        except CLOSED_OR_GONE:
            return
        threading.Thread(target=connection, args=(knife, client, engine), daemon=True).start()


def connection(knife, client, engine):
    """One connection, both ways, until both ends are done with it."""
    upstream = socket.socket(socket.AF_UNIX)
    upstream.connect(engine)
    # A client asks its next question when the answer to the one before is there, so one number is enough.
    asked = [0]
    back = threading.Thread(target=answers, args=(knife, client, upstream, asked), daemon=True)
    back.start()
    requests = Requests()
    try:
        while sent := client.recv(65536):
            for is_head, piece in requests.pieces(sent):
                if is_head:
                    number = knife.call(piece.split(b"\r\n", 1)[0])
                    if number is None:
                        raise ConnectionError
                    asked[0] = number
                upstream.sendall(piece)
        upstream.shutdown(socket.SHUT_WR)
        back.join()
    except CLOSED_OR_GONE:
        pass
    close(client, upstream)


def answers(knife, client, upstream, asked):
    try:
        while said := upstream.recv(65536):
            number, asked[0] = asked[0], 0
            if not knife.answered(number):
                break
            client.sendall(said)
        client.shutdown(socket.SHUT_WR)
    except CLOSED_OR_GONE:
        close(client, upstream)


def close(*sockets):
    for it in sockets:
        try:
            it.shutdown(socket.SHUT_RDWR)
        except CLOSED_OR_GONE:
            pass
        it.close()


class Watch:
    """Hears each line that is added to a journal below a state directory: STATE/STACK/runs/ID/journal."""

    MODIFY, CREATE, MOVED, IS_DIR = 0x2, 0x100, 0x80, 0x40000000
    DEPTH = 3

    def __init__(self, state):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.inotify = self.libc.inotify_init()
        self.places, self.lines = {}, {}
        self.look(Path(state), 0)

    def look(self, place, depth):
        """Watches a directory and what is in it; what came meanwhile is found by looking after the watch is there."""
        wanted = self.MODIFY | self.CREATE | self.MOVED
        self.places[self.libc.inotify_add_watch(self.inotify, bytes(place), wanted)] = (place, depth)
        for it in place.iterdir():
            if it.is_dir() and depth < self.DEPTH and (depth != 1 or it.name == "runs"):
                self.look(it, depth + 1)
            elif it.name == "journal":
                self.lines.setdefault(it, 0)

    def old(self):
        """What is there already is not of this run."""
        self.new()

    def new(self):
        """How many lines were added since it was asked last."""
        added = 0
        for journal, before in self.lines.items():
            try:
                now = journal.read_bytes().count(b"\n")
            except FileNotFoundError:
                continue
            added += max(now - before, 0)
            self.lines[journal] = now
        return added

    def hear(self, knife):
        while True:
            select.select([self.inotify], [], [])
            if self.take(os.read(self.inotify, 65536)):
                knife.wrote(self.new())

    def take(self, events):
        """Whether a journal is concerned; new directories are watched too."""
        concerned = False
        while events:
            watch, mask, _, length = struct.unpack_from("iIII", events)
            name = events[16 : 16 + length].rstrip(b"\0").decode()
            events = events[16 + length :]
            place, depth = self.places.get(watch, (None, 0))
            if place is None:
                continue
            if mask & self.IS_DIR and depth < self.DEPTH and (depth != 1 or name == "runs"):
                before = len(self.lines)
                try:
                    self.look(place / name, depth + 1)
                except FileNotFoundError:
                    continue
                concerned |= len(self.lines) > before
            elif name == "journal":
                self.lines.setdefault(place / name, 0)
                concerned = True
        return concerned


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", help="the engine's socket; without it no calls are heard")
    parser.add_argument("--state", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--at")
    parser.add_argument("--counted")
    parser.add_argument("--share", type=float, default=0.9)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    Path(arguments.state).mkdir(parents=True, exist_ok=True)
    watch = Watch(arguments.state)
    watch.old()
    knife = Knife(arguments)
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="knife-") as place:
        if arguments.engine:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{place}/engine.sock")
            listener.listen(64)
            threading.Thread(target=serve, args=(knife, listener, arguments.engine), daemon=True).start()
            environment["DOCKER_HOST"] = f"unix://{place}/engine.sock"
        threading.Thread(target=watch.hear, args=(knife,), daemon=True).start()
        with knife.lock:
            child = subprocess.Popen(arguments.command, env=environment, stdin=subprocess.DEVNULL)
            knife.pid, knife.began = child.pid, time.monotonic()
            # Before the first write there is no other: the time is counted from the beginning.
            if (knife.kind, knife.number, knife.side) == ("write", 1, "before"):
                knife.kill_later()
        code = child.wait()
        # A program that ended is not killed any more: its number may be another's.
        with knife.lock:
            knife.pid = None
    hit = code == -signal.SIGKILL
    # What stands in the journals when nobody writes any more says whether the moment was that one.
    lines = knife.writes + watch.new()
    wanted = knife.number - (knife.side == "before")
    exact = hit and (knife.kind != "write" or lines == wanted)
    json.dump({"hit": hit, "exact": exact, "calls": knife.calls, "writes": lines, "events": knife.events},
              open(arguments.log, "w"))
    sys.exit(137 if hit else code)


main()
