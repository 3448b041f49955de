"""Rounds of writes by many clients, a kill -9 while they write, a restart, and a look at everything that was acknowledged."""

import argparse
import http.client
import random
import sqlite3
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cluster import Cluster
from product import Product
from races import Unmade, create, everything, patch, user
from shapes import GROUP
from wire import Wire

WRITERS = 16
GROUPS = 2
# A writer keeps about so many users; it deletes more than it creates above.
USERS_EACH = 12


@dataclass
class Writer:
    """What one client was told, and the one request whose answer it never got."""

    number: int
    random: random.Random
    users: dict[str, tuple] = field(default_factory=dict)  # id -> (userName, title, active)
    edges: set[tuple[str, str]] = field(default_factory=set)  # (group, id)
    pending: tuple | None = None
    made: int = 0

    def draw(self, groups: list[str]) -> tuple:
        """The next request: its kind and what it is about."""
        if not self.users or (len(self.users) < USERS_EACH and self.random.random() < 0.4):
            self.made += 1
            return ("create", f"w{self.number}-{self.made}@example.com")
        id, kind = self.random.choice(sorted(self.users)), self.random.random()
        if kind < 0.4:
            name, _, _ = self.users[id]
            return ("change", id, (name, f"title {self.random.getrandbits(32)}", self.random.random() < 0.5))
        if kind < 0.85:
            edge = (self.random.choice(groups), id)
            return ("remove" if edge in self.edges else "add", edge)
        return ("delete", id)

    def send(self, wire: Wire, step: tuple) -> None:
        """Sends it and notes what was acknowledged. While it is on its way it is pending."""
        self.pending = step
        kind, what = step[0], step[1]
        if kind == "create":
            answer = wire.call("POST", "/Users", user(what, title="new", active=True))
        elif kind == "change":
            _, title, active = step[2]
            # Two operations: half of them must never be there.
            answer = wire.call("PATCH", f"/Users/{what}", patch({"op": "replace", "path": "title", "value": title}, {"op": "replace", "path": "active", "value": active}))
        elif kind == "delete":
            answer = wire.call("DELETE", f"/Users/{what}")
        else:
            operation = {"op": "add", "path": "members", "value": [{"value": what[1]}]} if kind == "add" else {"op": "remove", "path": f'members[value eq "{what[1]}"]'}
            answer = wire.call("PATCH", f"/Groups/{what[0]}", patch(operation))
        if not answer.ok:
            raise Unmade(f"{step} gives {answer.status}: {answer.raw[:300]!r}")
        self.settle(step, answer.body["id"] if kind == "create" else None)
        self.pending = None

    def settle(self, step: tuple, id: str | None) -> None:
        """The request has happened."""
        kind, what = step[0], step[1]
        if kind == "create":
            self.users[id] = (what, "new", True)
        elif kind == "change":
            self.users[what] = step[2]
        elif kind == "add":
            self.edges.add(what)
        elif kind == "remove":
            self.edges.discard(what)
        else:
            del self.users[what]
            self.edges = {edge for edge in self.edges if edge[1] != what}


class Trial:
    """One database."""

    def __init__(self, backend: str, cluster: Cluster | None, args):
        self.backend, self.cluster, self.random = backend, cluster, random.Random(f"{args.seed} {backend}")
        self.product = Product(Path(args.folder) / backend, cluster.url if cluster else "")
        self.product.run("tenant", "create", "acme")
        self.token = self.product.connection("acme", "generic", "crash", unlimited=True)
        self.writers = [Writer(n, random.Random(f"{args.seed} {backend} {n}")) for n in range(WRITERS)]
        self.groups: list[str] = []
        self.acknowledged, self.lost, self.half, self.done = 0, 0, 0, Counter()
        self.longest_start_s, self.missed = 0.0, []

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        started = time.monotonic()
        self.product.serve()
        self.wire = Wire(self.product.base, self.token)
        if self.wire.call("GET", "/Users?count=1").status != 200:
            raise SystemExit("the server does not answer after its start")
        self.longest_start_s = max(self.longest_start_s, time.monotonic() - started)

    def load(self, seconds: float) -> None:
        """All clients write until the kill."""
        killed, problems, threads = threading.Event(), [], []

        def write(writer: Writer) -> None:
            while True:
                try:
                    writer.send(self.wire, writer.draw(self.groups))
                    self.acknowledged += 1
                except (OSError, http.client.HTTPException):
                    # The server is gone, or it broke off by itself.
                    if not killed.wait(1):
                        problems.append(f"no answer to {writer.pending}, and nobody killed the server")
                    return
                except Unmade as error:
                    problems.append(str(error))
                    return

        for writer in self.writers:
            threads.append(threading.Thread(target=write, args=(writer,)))
            threads[-1].start()
        time.sleep(seconds)
        killed.set()
        self.product.kill()
        for thread in threads:
            thread.join()
        self.missed += problems
        # A commit that had reached PostgreSQL happens although nobody waits for it any more; only then is it decided.
        deadline = time.monotonic() + 60
        while self.cluster and self.cluster.sessions():
            if time.monotonic() > deadline:
                raise SystemExit("PostgreSQL keeps the sessions of a process that is gone")

    def check(self, kill: int) -> None:
        """What was acknowledged is there, what was on its way is there as a whole or not at all, and nothing else is."""
        there = {body["id"]: (body["userName"], body.get("title"), body.get("active")) for body in everything(self.wire, "/Users")}
        edges = {(group, member["value"]) for group in self.groups for member in self.wire.call("GET", f"/Groups/{group}").body.get("members") or []}
        ids = {name: id for id, (name, _, _) in there.items()}
        want, want_edges = {}, set()
        for writer in self.writers:
            if writer.pending:
                self.done["in flight, there" if self.happened(writer, there, edges, ids) else "in flight, not there"] += 1
                writer.pending = None
            want.update(writer.users)
            want_edges |= writer.edges
        wrong = [id for id in {**there, **want} if there.get(id) != want.get(id)]
        if wrong or edges != want_edges:
            self.lost += len(wrong) + len(edges ^ want_edges)
            self.missed.append(f"kill {kill}: {len(wrong)} users and {len(edges ^ want_edges)} memberships are not as acknowledged: "
                               + "; ".join(f"{id}: told {want.get(id)}, there {there.get(id)}" for id in wrong[:3]))
        if self.backend == "sqlite":
            with sqlite3.connect(f"file:{self.product.database}?mode=ro", uri=True, timeout=30) as database:
                said = database.execute("PRAGMA integrity_check").fetchone()[0]
            if said != "ok":
                self.missed.append(f"kill {kill}: integrity_check says {said}")
        self.product.run("--tenant", "acme", "log", "check")

    def happened(self, writer: Writer, there: dict, edges: set, ids: dict) -> bool:
        """Whether the request that got no answer was carried out; the model then follows it."""
        step = writer.pending
        kind, what = step[0], step[1]
        done = {
            "create": lambda: what in ids, "change": lambda: there.get(what) == step[2], "delete": lambda: what not in there,
            "add": lambda: what in edges, "remove": lambda: what not in edges,
        }[kind]()
        if done:
            writer.settle(step, ids.get(what) if kind == "create" else None)
        return done

    def run(self, kills: int) -> None:
        self.start()
        self.groups = [create(self.wire, "/Groups", {"schemas": [GROUP], "displayName": f"Group {n}"}) for n in range(GROUPS)]
        for kill in range(1, kills + 1):
            self.load(self.random.uniform(0.02, 0.5))
            self.start()
            self.check(kill)
            if kill % 10 == 0 or kill == kills:
                say(f"{self.backend:<9} kill {kill:>3}/{kills}: {self.acknowledged} writes acknowledged, lost or changed {self.lost}, {dict(self.done)}, "
                    f"longest start {self.longest_start_s:.2f} s")
            if len(self.missed) > 10:
                break
        self.product.stop()
        if self.acknowledged < kills * 10:
            self.missed.append(f"only {self.acknowledged} writes were acknowledged: that is no load")


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--backend", choices=["sqlite", "postgres"])
    args = parser.parse_args()
    backends = [args.backend] if args.backend else ["sqlite", "postgres"]
    kills = (args.kills or (20 if args.short else 200)) // len(backends)
    missed = []
    for backend in backends:
        cluster, trial = Cluster() if backend == "postgres" else None, None
        try:
            trial = Trial(backend, cluster, args)
            trial.run(kills)
            missed += [f"{backend}: {line}" for line in trial.missed]
        finally:
            if trial and trial.product.process:
                trial.product.kill()
            if cluster:
                cluster.stop()
    if missed:
        print(f"endpoint-crash: FAILED, {len(missed)} missed:")
        for line in missed[:25]:
            print(f"  - {line}")
        sys.exit(1)
    print("endpoint-crash: every acknowledged write is there, the databases are whole, the log verifies")


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
