"""The proof itself: first sync, repeated sync, kills; prints every figure and exits 1 if one is missed."""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from generate import EVERYONE, FULL, SHORT, Generator, Sizes
from lockstep_cli import Lockstep
from proxy import Proxy, Trap

HERE = Path(__file__).resolve().parent


class World:
    """The app, the proxy before it, the engine, and the input files."""

    def __init__(self, args, sizes: Sizes):
        self.folder = Path(args.folder).resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.random = random.Random(args.seed)
        self.generator = Generator(sizes, args.seed, self.folder / "inputs")
        self.token = self.folder / "token"
        self.token.write_text(f"token-{self.random.getrandbits(64):016x}\n")
        self.token.chmod(0o600)
        self.app_port = free_port()
        self.app = start_app(args.server, self.app_port, self.token.read_text().strip(), self.folder / "app.log")
        self.proxy = Proxy(self.app_port, self.folder / "requests.log")
        self.lockstep = Lockstep(os.environ["LOCKSTEP_BINARY"], self.folder / "lockstep.db", self.folder / "lockstep.log")
        self.missed: list[str] = []

    def compare(self) -> dict:
        """Runs compare.py against the app itself, past the proxy."""
        self.proxy.wait_quiet()
        command = [
            sys.executable, "-B", HERE / "compare.py", "--base-url", f"http://127.0.0.1:{self.app_port}/v2",
            "--token-file", self.token, "--inputs", self.folder / "inputs", "--generation", str(self.generator.number),
            "--not-pushed", EVERYONE,
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        *shown, figures = done.stdout.splitlines() or ["{}"]
        for line in shown:
            print(line)
        return json.loads(figures) if figures.startswith("{") else {}

    def expect(self, holds: bool, what: str) -> None:
        """Notes a figure that was missed; the proof goes on and shows the others."""
        if not holds:
            self.missed.append(what)
            say(f"MISSED: {what}")


def first_sync(world: World, sizes: Sizes) -> None:
    """Loads the directory, connects the app, syncs once and again."""
    inputs = world.generator.first()
    say(f"inputs: {sizes.users} users, {sizes.groups} groups to push, the largest of {sizes.largest}")
    started = time.monotonic()
    world.lockstep.setup()
    world.lockstep.load_first(inputs)
    say(f"loaded in {time.monotonic() - started:.1f} s")
    pushed = [name for group, name in world.generator.now.groups.items() if group != EVERYONE]
    world.lockstep.connect(f"http://127.0.0.1:{world.proxy.port}/v2", world.token, "Everyone", pushed)

    world.proxy.reset()
    took = world.lockstep.sync()
    say(f"first sync: {took:.1f} s, requests {dict(world.proxy.counts)}")
    report(world, "after the first sync", world.compare())
    world.expect(world.proxy.writes() > 0, "the first sync sends writes through the proxy")

    world.proxy.reset()
    took_again = world.lockstep.sync()
    say(f"second sync: {took_again:.1f} s, requests {dict(world.proxy.counts)}, writes {world.proxy.writes()}")
    world.expect(world.proxy.writes() == 0, f"the second sync sends 0 writes, not {world.proxy.writes()}")


def report(world: World, when: str, figures: dict) -> None:
    """Prints the figures of a comparison and notes what they miss."""
    say(
        f"{when}: "
        + ", ".join(f"{name} {figures.get(name)}/{figures.get(name + '_expected')}" for name in ("accounts", "groups", "memberships"))
        + f", differences {figures.get('differences')}, duplicates {figures.get('duplicates')}"
    )
    world.expect(figures.get("differences") == 0 and figures.get("duplicates") == 0, f"0 differences and 0 duplicates {when}")


@dataclass
class Usual:
    """What a sync of one generation takes when nobody kills it; decides from where the moments are drawn."""

    requests: int
    seconds: float


def one_kill(world: World, number: int, aimed: bool, usual: Usual) -> dict:
    """Changes the directory, kills a sync in the middle, syncs to the end, compares."""
    world.lockstep.load_changes(world.generator.next())
    world.proxy.wait_quiet()
    world.proxy.reset()
    draw = world.random
    trap = Trap(
        request=draw.randint(1, usual.requests),
        stage=draw.choice(["arriving", "sent", "answered"]),
        fate=draw.choice(["now", "late", "never"]),
        delay_s=draw.uniform(0, 0.004),
        late_s=draw.uniform(0.1, 1.0),
        action=lambda: None,
    )
    moment_s = draw.uniform(0.02, 0.9) * usual.seconds
    started = time.monotonic()
    process = world.lockstep.start_sync()
    result = {"number": number, "killed": False}

    def kill() -> None:
        result.update(ms=(time.monotonic() - started) * 1000, open=list(world.proxy.open.values()))
        process.send_signal(signal.SIGKILL)

    if aimed:
        trap.action = kill
        world.proxy.arm(trap)
        process.wait(600)
        world.proxy.disarm()
    else:
        try:
            process.wait(moment_s)
        except subprocess.TimeoutExpired:
            kill()
    result["killed"] = process.wait(600) == -signal.SIGKILL
    result["what"] = world.proxy.sprung if aimed else f"by time; open: {', '.join(result.get('open', [])) or 'none'}"
    result["requests"] = world.proxy.requests()
    result["sync_s"] = world.lockstep.sync()
    if result["killed"]:
        # A killed sync and the one that finishes it send together a little more than one that is left alone.
        usual.requests = max(10, world.proxy.requests() * 8 // 10)
    result.update(world.compare())
    return result


def kills(world: World, count: int) -> None:
    """The kill test: four in five aimed at an open request and one by time alone, so that some fall between requests."""
    sizes = world.generator.sizes
    usual, results, tries = Usual(sizes.renamed + sizes.left + sizes.joined, 1.0), [], 0
    while len(results) < count and tries < 2 * count:
        tries += 1
        number = len(results) + 1
        aimed = number % 5 != 0
        result = one_kill(world, number, aimed, usual)
        if not result["killed"]:
            # It ended before the moment came: no kill, but what it did must be right all the same.
            say(f"try {tries}: the sync ended before its moment; taking an earlier one")
            if aimed:
                usual.requests = max(usual.requests // 2, 1)
            else:
                usual.seconds = max(usual.seconds / 2, 0.05)
            report(world, f"after try {tries}", result)
            continue
        results.append(result)
        say(
            f"kill {number:2}/{count}: at {result['ms']:7.1f} ms, request {result['requests']:3}, "
            f"open {'yes' if result['open'] else 'no '} ({result['what']}); sync --wait {result['sync_s']:.1f} s, "
            f"differences {result.get('differences')}, duplicates {result.get('duplicates')}"
        )
        world.expect(
            result.get("differences") == 0 and result.get("duplicates") == 0, f"0 differences and 0 duplicates after kill {number}"
        )
    opened = sum(bool(result["open"]) for result in results)
    least_open = 3 * count // 5 if count < 20 else 3 * count // 4
    world.expect(len(results) == count, f"{count} kills, not {len(results)}")
    world.expect(opened >= least_open, f"at least {least_open} kills while a request is open, not {opened}")
    say(f"kills: {len(results)}, while a request was open: {opened}, "
        f"differences in all: {sum(result.get('differences', 1) for result in results)}, "
        f"duplicates in all: {sum(result.get('duplicates', 1) for result in results)}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_app(server: str, port: int, token: str, log: Path) -> subprocess.Popen:
    """Starts scim2-server and waits until it listens."""
    process = subprocess.Popen(
        [server, "--hostname", "127.0.0.1", "--port", str(port), "--bearer-token", token],
        stdin=subprocess.DEVNULL, stdout=log.open("wb"), stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 30
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"scim2-server did not start: {log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.05)


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:7.1f} s] {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="the scim2-server program")
    parser.add_argument("--folder", required=True, help="emptied, then used for everything")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int)
    args = parser.parse_args()
    sizes = SHORT if args.short else FULL
    world = World(args, sizes)
    say(f"seed {args.seed}; scim2-server on port {world.app_port}, proxy on {world.proxy.port}; logs in {args.folder}")
    try:
        first_sync(world, sizes)
        kills(world, args.kills or (5 if args.short else 20))
        world.lockstep.check_log()
    finally:
        world.app.terminate()
        world.app.wait(10)
    if world.missed:
        say(f"foreign-app: FAILED, {len(world.missed)} missed:")
        for line in world.missed:
            print(f"  - {line}")
        sys.exit(1)
    say("foreign-app: all figures hold")


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
