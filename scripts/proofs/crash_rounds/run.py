"""The proof itself: rounds of a change, a kill -9 in a load or a sync, and the way to the end; exits 1 if anything is missed."""

import argparse
import copy
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import directory
from cluster import Cluster

# These come from foreign_app, which is on PYTHONPATH.
from generate import EVERYONE, Generator, Sizes
from lockstep_cli import APP, IN_FLIGHT_WINDOW, Lockstep
from proxy import Proxy, Trap

COMPARE = Path(__file__).resolve().parents[1] / "foreign_app" / "compare.py"
SIZES = Sizes(200, 6, 100, (8, 20), renamed=8, left=3, joined=4, added=8, removed=2)

# What the app does besides, in one sync round of three: its answers get lost, before or after it did what was asked.
FAULTS = ["lost-answer-before=0.05", "lost-answer-after=0.05", "commit-then-5xx=503@0.05"]

# A command that takes longer hangs.
AT_MOST_S = 120


@dataclass
class Usual:
    """What an undisturbed load and sync take; decides from where the moments are drawn."""

    load_s: float = 0.2
    sync_s: float = 0.5
    requests: int = 20


@dataclass
class Result:
    """Figures of one database."""

    kills: Counter = field(default_factory=Counter)  # (command, place) -> kills
    differences: int = 0
    duplicates: int = 0
    lost: int = 0
    half: int = 0
    tries: int = 0
    approved: int = 0
    longest_s: float = 0.0
    missed: list[str] = field(default_factory=list)


class World:
    """One database, a simulated app behind a proxy, and the input files."""

    def __init__(self, backend: str, database: str, args):
        self.backend, self.result, self.usual = backend, Result(), Usual()
        self.folder = Path(args.folder).resolve() / backend
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.random = random.Random(f"{args.seed} {backend}")
        self.generator = Generator(SIZES, args.seed, self.folder / "inputs")
        self.token = self.folder / "token"
        self.token.write_text(f"token-{self.random.getrandbits(128):032x}\n")
        self.token.chmod(0o600)
        binary = os.environ["LOCKSTEP_BINARY"]
        self.lockstep = Lockstep(binary, database or self.folder / "lockstep.db", self.folder / "lockstep.log")
        self.lockstep.environment["LOCKSTEP_KEY"] = f"{self.random.getrandbits(256):064x}"
        self.start_app(binary)
        self.proxy = Proxy(self.port, self.folder / "requests.log")

    def start_app(self, binary: str) -> None:
        """Starts the simulated app; it says where it listens."""
        self.app = subprocess.Popen(
            [binary, "simulate-app", "--listen", "127.0.0.1:0", "--token", self.token.read_text().strip()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        said = self.app.stdout.readline()
        if "listens on http://127.0.0.1:" not in said:
            raise SystemExit(f"the simulated app did not start: {said}")
        self.port = int(said.split("127.0.0.1:")[1].split("/")[0])
        # It must never wait for somebody to read what it says.
        threading.Thread(target=self.app.stdout.read, daemon=True).start()

    def faults(self, faults: list[str]) -> None:
        """Sets the faults of the app."""
        body = json.dumps({"set": faults}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/_sim/faults", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30):
            pass

    def first(self) -> None:
        """Loads and connects without any kill, and a first generation to know what load and sync take."""
        self.lockstep.setup()
        self.lockstep.load_first(self.generator.first())
        pushed = [group for group in self.generator.now.groups if group != EVERYONE]
        run = self.lockstep.run
        run("app", "add", APP, "--base-url", f"http://127.0.0.1:{self.proxy.port}/scim/v2", "--token-file", self.token, "--allow-private")
        # As wide as it can be: the removals of many rounds are few each, but many together.
        run("app", "set", APP, "--in-flight-window", IN_FLIGHT_WINDOW, "--guard-percent", "100", "--guard-count", "100000")
        run("app", "assign", APP, "--group", EVERYONE)
        run("push-group", "add", APP, *(part for group in pushed for part in ("--group", group)))
        run("app", "activate", APP, "--yes")
        self.lockstep.sync()
        folder = self.generator.next()
        started = time.monotonic()
        self.lockstep.load_first(folder)
        self.usual.load_s = time.monotonic() - started
        self.lockstep.load_changes(folder)
        self.proxy.reset()
        self.usual.sync_s = self.lockstep.sync()
        self.usual.requests = max(self.proxy.requests(), 10)
        self.check("before the first kill")
        say(self, f"a load takes {self.usual.load_s:.2f} s, a sync {self.usual.sync_s:.2f} s and {self.usual.requests} requests")

    def start(self, *arguments) -> subprocess.Popen:
        """A command as a process that can be killed: the process is the binary itself."""
        output = self.lockstep.log.open("ab")
        command = [self.lockstep.binary, *map(str, arguments)]
        return subprocess.Popen(command, env=self.lockstep.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    # ---- rounds ----------------------------------------------------------------------------------------------------

    def load_round(self) -> str | None:
        """Kills a load; it must be there as a whole or not at all. Returns the place, or nothing if there was no kill."""
        before = copy.deepcopy(self.generator.now)
        folder = self.generator.next()
        moment_s = self.random.uniform(0, 1.05) * self.usual.load_s
        process = self.start(
            "directory", "load", folder / "users.csv", "--groups", folder / "groups.csv", "--members", folder / "members.csv"
        )
        killed = kill_after(process, moment_s)
        now = directory.read(self.lockstep)
        without, whole = directory.expected(before), directory.expected(self.generator.now, before.members)
        place = "before its commit" if now == without else "after its commit" if now == whole else "HALF DONE"
        if place == "HALF DONE":
            self.result.half += 1
            self.miss(f"a killed load is half done: {now.differences(without)} rows from before, {now.differences(whole)} from after")
        if not killed:
            # It was acknowledged.
            self.expect(now == whole, "a load that ended is not there")
            self.usual.load_s *= 0.9
        self.lockstep.load_changes(folder)
        self.finish()
        return f"load, {place}, {moment_s * 1000:.0f} ms" if killed else None

    def sync_round(self, aimed: bool) -> str | None:
        """Kills a sync, at a request or at any time. Returns the place, or nothing if there was no kill."""
        self.lockstep.load_changes(self.generator.next())
        draw = self.random
        faulty = draw.random() < 1 / 3
        self.faults(FAULTS if faulty else [])
        self.proxy.wait_quiet()
        trap = Trap(
            request=draw.randint(1, self.usual.requests),
            stage=draw.choice(["arriving", "sent", "answered"]),
            fate=draw.choice(["now", "late", "never"]),
            delay_s=draw.uniform(0, 0.004),
            late_s=draw.uniform(0.1, 1.0),
            action=lambda: None,
        )
        moment_s = draw.uniform(0, 0.9) * self.usual.sync_s
        process = self.start("sync", "--wait")
        open_requests = []

        def kill() -> None:
            open_requests.extend(self.proxy.open.values())
            process.send_signal(signal.SIGKILL)

        if aimed:
            trap.action = kill
            self.proxy.arm(trap)
            code = process.wait(AT_MOST_S)
            self.proxy.disarm()
            killed = code == -signal.SIGKILL
            place = f"request {trap.stage}" + (f" ({trap.fate})" if trap.stage == "arriving" else "")
        else:
            killed = kill_after(process, moment_s, kill)
            place = "by time, a request open" if open_requests else "by time, no request open"
        if not killed:
            self.usual.requests = max(self.usual.requests * 9 // 10, 5)
            self.usual.sync_s = max(self.usual.sync_s * 0.9, 0.05)
        self.finish()
        self.faults([])
        return f"sync, {place}{', faulty app' if faulty else ''}" if killed else None

    def finish(self) -> None:
        """`sync --wait` to the end. Over many rounds the deletion guard rightly asks: then a person approves, and it goes on."""
        self.proxy.reset()
        started = time.monotonic()
        for _ in range(3):
            self.lockstep.run("sync", "--wait", codes=(0, 4))
            tasks = self.lockstep.read("tasks", "--app", APP)
            if not tasks:
                break
            if any(task["cause"] != "guard.held" for task in tasks):
                raise SystemExit(f"`sync --wait` leaves tasks that nothing here can cause: {tasks}")
            self.lockstep.run("plan", APP, "--approve")
            self.result.approved += 1
        else:
            raise SystemExit(f"the deletion guard holds what was approved: {tasks}")
        self.result.longest_s = max(self.result.longest_s, time.monotonic() - started)

    def check(self, when: str) -> None:
        """The directory, the app and the audit chain are as they must be."""
        lost = directory.read(self.lockstep).differences(directory.expected(self.generator.now))
        self.result.lost += lost
        self.expect(lost == 0, f"{when}: {lost} rows of the directory are not as acknowledged")
        figures = self.compare()
        self.result.differences += figures.get("differences", 1)
        self.result.duplicates += figures.get("duplicates", 1)
        self.expect(
            figures.get("differences") == 0 and figures.get("duplicates") == 0,
            f"{when}: differences {figures.get('differences')}, duplicates {figures.get('duplicates')}",
        )
        self.lockstep.check_log()

    def compare(self) -> dict:
        """Runs compare.py against the app itself, past the proxy."""
        self.proxy.wait_quiet()
        command = [
            sys.executable, "-B", COMPARE, "--base-url", f"http://127.0.0.1:{self.port}/scim/v2", "--token-file", self.token,
            "--inputs", self.folder / "inputs", "--generation", str(self.generator.number), "--not-pushed", EVERYONE,
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=AT_MOST_S)
        *shown, figures = done.stdout.splitlines() or [""]
        for line in shown:
            say(self, line)
        return json.loads(figures) if figures.startswith("{") else {}

    def rounds(self, count: int) -> None:
        """Kills until there are `count`: two in five in a load, two at a request of a sync, one in a sync at any time."""
        done = 0
        while done < count and self.result.tries < 2 * count + 5:
            self.result.tries += 1
            kind = done % 5
            place = self.load_round() if kind in (0, 2) else self.sync_round(aimed=kind in (1, 3))
            self.check(f"after kill {done + 1} ({place})" if place else f"after try {self.result.tries}")
            if place is None:
                continue
            done += 1
            self.result.kills[place_of(place)] += 1
            if done % 10 == 0 or count <= 10:
                say(self, f"kill {done:3}/{count}: {place}; lost {self.result.lost}, differences {self.result.differences}, "
                          f"duplicates {self.result.duplicates} so far")
        self.expect(done == count, f"{count} kills, not {done}")

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.miss(what)

    def miss(self, what: str) -> None:
        """Notes what was missed; the proof goes on."""
        self.result.missed.append(f"{self.backend}: {what}")
        say(self, f"MISSED: {what}")


def place_of(text: str) -> str:
    """A place without its time."""
    return ", ".join(part for part in text.split(", ") if not part.endswith(" ms"))


def kill_after(process: subprocess.Popen, seconds: float, kill=None) -> bool:
    """kill -9 after that time; false if the process had ended before."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        (kill or process.kill)()
    return process.wait(AT_MOST_S) == -signal.SIGKILL


def say(world: World | None, text: str) -> None:
    print(f"[{time.monotonic() - STARTED:7.1f} s] {world.backend + ': ' if world else ''}{text}", flush=True)


def run_world(world: World, count: int) -> None:
    """All of one database; whatever goes wrong is a miss."""
    try:
        world.first()
        world.rounds(count)
    except (Exception, SystemExit) as error:  # the other database goes on
        world.miss(f"{type(error).__name__}: {error}")
    finally:
        world.app.terminate()
        world.app.wait(10)


def report(worlds: list[World]) -> list[str]:
    """Prints kills by place and the figures; returns what was missed."""
    kills = Counter()
    for world in worlds:
        result = world.result
        kills.update(result.kills)
        say(world, f"{sum(result.kills.values())} kills in {result.tries} tries; half-done loads {result.half}, rows lost {result.lost}, "
                   f"differences {result.differences}, duplicates {result.duplicates}, approvals {result.approved}; "
                   f"longest way to the end {result.longest_s:.1f} s")
    say(None, f"{sum(kills.values())} kills by place:")
    for place, number in sorted(kills.items()):
        print(f"  {number:4}  {place}")
    return [line for world in worlds for line in world.result.missed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True, help="a folder in it is emptied for each database")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--backend", choices=["sqlite", "postgres"])
    args = parser.parse_args()
    backends = [args.backend] if args.backend else ["sqlite", "postgres"]
    count = (args.kills or (10 if args.short else 200)) // len(backends)
    cluster = Cluster() if "postgres" in backends else None
    try:
        worlds = [World(backend, cluster.url if backend == "postgres" else "", args) for backend in backends]
        say(None, f"seed {args.seed}: {count} kills on each of {', '.join(backends)}; logs in {args.folder}")
        threads = [threading.Thread(target=run_world, args=(world, count)) for world in worlds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        missed = report(worlds)
    finally:
        if cluster:
            cluster.stop()
    if missed:
        say(None, f"crash: FAILED, {len(missed)} missed:")
        for line in missed:
            print(f"  - {line}")
        sys.exit(1)
    say(None, "crash: every acknowledged change is there, 0 duplicates, the log verifies")


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
