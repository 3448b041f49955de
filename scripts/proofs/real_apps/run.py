"""Syncs a directory with each app, changes it, syncs again; compares each time, and exits 1 if anything is not as declared."""

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from awkward import AwkwardGenerator

# These come from foreign_app, which is on PYTHONPATH.
from generate import EVERYONE, Sizes
from lockstep_cli import APP, Lockstep
from proxy import Proxy

HERE = Path(__file__).resolve().parent
COMPARE = HERE.parent / "foreign_app" / "compare.py"

FULL = Sizes(500, 20, 250, (5, 40), renamed=20, left=8, joined=10, added=15, removed=5)
SHORT = Sizes(60, 4, 30, (4, 10), renamed=6, left=2, joined=4, added=5, removed=2)

# One sync, whatever the app does. A sync that takes longer is a loop, or as bad as one.
SYNC_AT_MOST_S = 600
# More requests than this for one subject in one sync is a loop. A subject takes one to three.
REQUESTS_PER_SUBJECT = 8


class Missed(Exception):
    """The app's part of the proof cannot go on."""


class Trial:
    """One app, the proxy before it, and an engine with a database of its own."""

    def __init__(self, args, name: str, sizes: Sizes):
        self.name, self.sizes = name, sizes
        self.profile = json.loads((HERE / "profiles" / f"{name}.json").read_text())
        self.settings = [*self.profile["settings"], *(["--write-with", "put"] if args.put else [])]
        self.folder = Path(args.folder).resolve() / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.generator = AwkwardGenerator(sizes, args.seed, self.folder / "inputs")
        self.token = self.folder / "token"
        self.token.write_text(f"token-{random.Random(args.seed).getrandbits(128):032x}\n")
        self.token.chmod(0o600)
        self.missed: list[str] = []
        self.port = free_port()
        self.app = self.start_app(args)
        self.proxy = Proxy(self.port, self.folder / "requests.log")
        self.lockstep = Lockstep(os.environ["LOCKSTEP_BINARY"], self.folder / "lockstep.db", self.folder / "lockstep.log")

    def start_app(self, args) -> subprocess.Popen:
        """Starts the app and waits until it listens."""
        values = {
            "programs": args.programs, "node": args.node, "port": self.port,
            "token_file": self.token, "token": self.token.read_text().strip(),
        }
        log = self.folder / "app.log"
        process = subprocess.Popen(
            [part.format(**values) for part in self.profile["start"]],
            stdin=subprocess.DEVNULL, stdout=log.open("wb"), stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 60
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start: {log.read_text()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return process
            except OSError:
                time.sleep(0.05)

    def run(self) -> None:
        """The whole trial of one app."""
        inputs = self.generator.first()
        self.lockstep.setup()
        self.lockstep.load_first(inputs)
        self.connect()
        self.sync_and_compare("first sync")
        self.sync_again("the first sync")
        self.lockstep.load_changes(self.generator.next())
        self.sync_and_compare("sync of changes")
        self.sync_again("the sync of changes")
        self.lockstep.run("app", "compare", APP)
        self.lockstep.check_log()

    def connect(self) -> None:
        """Connects the app with the settings of its profile."""
        pushed = [group for group in self.generator.now.groups if group != EVERYONE]
        run = self.lockstep.run
        run("app", "add", APP, "--base-url", f"http://127.0.0.1:{self.proxy.port}{self.profile['base_path']}",
            "--token-file", self.token, "--allow-private")
        run("app", "set", APP, "--in-flight-window", "2s", *self.settings)
        run("app", "assign", APP, "--group", EVERYONE)
        run("push-group", "add", APP, *(part for group in pushed for part in ("--group", group)))
        run("app", "activate", APP, "--yes")

    def sync(self, *arguments: str) -> tuple[float, int]:
        """`sync --wait`, ended when it takes too long; returns seconds and exit code."""
        self.proxy.reset()
        started = time.monotonic()
        process = self.lockstep.start_sync(*arguments)
        try:
            code = process.wait(SYNC_AT_MOST_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise Missed(f"a sync did not end within {SYNC_AT_MOST_S} s, requests {dict(self.proxy.counts)}") from None
        if code not in (0, 4):
            raise Missed(f"`sync --wait` ended with {code}; see {self.lockstep.log}")
        return time.monotonic() - started, code

    def sync_and_compare(self, what: str) -> None:
        """A sync that has something to do; then differences and open tasks are what the profile says."""
        took, code = self.sync()
        requests = self.proxy.requests()
        tasks = self.tasks()
        figures, differences = self.compare()
        say(
            f"{self.name}: {what}: {took:.1f} s, {dict(self.proxy.counts)}; "
            + ", ".join(f"{kind} {figures[kind]}/{figures[kind + '_expected']}" for kind in ("accounts", "groups", "memberships"))
            + f", differences {figures['differences']}, duplicates {figures['duplicates']}, open tasks {sum(tasks.values())}"
        )
        bound = REQUESTS_PER_SUBJECT * (self.sizes.users + self.sizes.groups)
        self.expect(requests <= bound, f"{what}: at most {bound} requests, not {requests}")
        self.expect(self.proxy.writes() > 0, f"{what}: writes went through the proxy")
        self.expect(figures["duplicates"] == 0, f"{what}: 0 duplicates, not {figures['duplicates']}")
        self.expect((code == 4) == bool(tasks), f"{what}: exit code 4 exactly with open tasks, not {code}")
        self.hold_to_profile(what, differences, tasks)

    def hold_to_profile(self, what: str, differences: list[str], tasks: Counter) -> None:
        """Every difference and every task is one that the profile expects, and everything expected is there."""
        found = Counter()
        for line in differences:
            matches = (re.search(item.get("difference", "$^"), line) for item in self.profile["expected"])
            number = next((number for number, match in enumerate(matches) if match), None)
            if number is None:
                self.expect(False, f"{what}: not declared: {line}")
            else:
                found[number] += 1
        declared = {item["task"] for item in self.profile["expected"] if "task" in item}
        for cause in tasks:
            self.expect(cause in declared, f"{what}: not declared: {tasks[cause]} tasks {cause}")
        for number, item in enumerate(self.profile["expected"]):
            have = found[number] if "difference" in item else tasks[item["task"]]
            want = item["count"].get(what, 0)
            self.expect(have == want, f"{what}: {want} times {item.get('difference') or item['task']}, not {have}")

    def sync_again(self, after: str) -> None:
        """A sync with nothing to do sends no write, nor does one that first reads the whole app and compares."""
        for arguments in ([], ["--full"]):
            took, _ = self.sync(*arguments)
            requests, writes = dict(self.proxy.counts), self.proxy.writes()
            what = " ".join(["sync", *arguments])
            say(f"{self.name}: {what} again: {took:.1f} s, requests {requests}, writes {writes}")
            self.expect(writes == 0, f"`{what}` after {after} sends 0 writes, not {writes}")

    def tasks(self) -> Counter:
        """Open tasks by cause, as the admin is shown them."""
        answer = self.lockstep.read("tasks", "--app", APP, "--limit", "10000")
        return Counter(task["cause"] for task in answer)

    def compare(self) -> tuple[dict, list[str]]:
        """Runs compare.py against the app itself, past the proxy; its figures and every line it found."""
        self.proxy.wait_quiet()
        command = [
            sys.executable, "-B", COMPARE, "--base-url", f"http://127.0.0.1:{self.port}{self.profile['base_path']}",
            "--token-file", self.token, "--inputs", self.folder / "inputs", "--generation", str(self.generator.number),
            "--not-pushed", EVERYONE, "--show", "100000",
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=120)
        *lines, figures = done.stdout.splitlines() or [""]
        if not figures.startswith("{"):
            raise Missed(f"compare.py did not come to an end: {figures}")
        return json.loads(figures), [line.removeprefix("  ! ") for line in lines]

    def expect(self, holds: bool, what: str) -> None:
        """Notes a figure that was missed; the trial goes on and shows the others."""
        if not holds:
            self.missed.append(f"{self.name}: {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def try_app(args, name: str, sizes: Sizes) -> list[str]:
    """One app from start to end; what it missed."""
    no_put = json.loads((HERE / "profiles" / f"{name}.json").read_text()).get("no_put")
    if args.put and no_put:
        say(f"{name}: left out with PUT: {no_put}")
        return []
    trial = Trial(args, name, sizes)
    settings = " ".join(trial.settings) or "none"
    say(f"{name}: {trial.profile['app']}; settings {settings}; expected items {len(trial.profile['expected'])}")
    try:
        trial.run()
        trial.expect(trial.app.poll() is None, "the app is still running")
    except (Missed, SystemExit) as error:
        trial.missed.append(f"{name}: {error}")
    finally:
        trial.app.terminate()
        trial.app.wait(10)
    for line in trial.missed[:20]:
        say(f"MISSED: {line}")
    return trial.missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True, help="the folder that holds scim2-server")
    parser.add_argument("--node", required=True, help="the folder with node_modules")
    parser.add_argument("--folder", required=True, help="a folder in it is emptied for each app")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--put", action="store_true", help="changes are written with PUT instead of PATCH")
    names = sorted(path.stem for path in (HERE / "profiles").glob("*.json"))
    parser.add_argument("--app", action="append", choices=names, help="only this one")
    args = parser.parse_args()
    sizes = SHORT if args.short else FULL
    # Node.js finds packages from the program's own folder upwards.
    for program in HERE.glob("*.mjs"):
        shutil.copy(program, args.node)
    say(f"seed {args.seed}: {sizes.users} users, {sizes.groups} groups, the largest of {sizes.largest}")
    missed = [line for name in args.app or names for line in try_app(args, name, sizes)]
    if missed:
        say(f"real-apps: FAILED, {len(missed)} missed")
        sys.exit(1)
    say("real-apps: every app is as its profile says")


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
