"""Many writers at once: what must hold whatever order the server took them in."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from random import Random

from shapes import CORE, GROUP, PATCH
from wire import Wire, quoted

WRITERS = 64
NEXT = count()


def user(name: str, **more) -> dict:
    return {"schemas": [CORE], "userName": name, **more}


def patch(*operations: dict) -> dict:
    return {"schemas": [PATCH], "Operations": list(operations)}


def together(work, items) -> list:
    """Runs `work` for each item, as many at once as there are writers, all beginning together."""
    items = list(items)
    start = threading.Barrier(min(WRITERS, len(items)))

    def run(at_and_item):
        at, item = at_and_item
        if at < start.parties:
            start.wait(60)
        return work(item)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(run, enumerate(items)))


def everything(wire: Wire, path: str) -> list[dict]:
    """All resources of a list, by cursor."""
    found, cursor, sign = [], "", "&" if "?" in path else "?"
    while cursor is not None:
        answer = wire.call("GET", f"{path}{sign}count=200&cursor={quoted(cursor)}")
        if answer.status != 200:
            raise SystemExit(f"GET {path} by cursor gives {answer.status}: {answer.raw[:300]!r}")
        found += answer.body.get("Resources") or []
        cursor = answer.body.get("nextCursor")
    return found


class Unmade(Exception):
    """A race has nothing to run with."""


def create(wire: Wire, path: str, body: dict) -> str:
    answer = wire.call("POST", path, body)
    if answer.status != 201:
        raise Unmade(f"POST {path} gives {answer.status}: {answer.raw[:300]!r}")
    return answer.body["id"]


def identical_posts(wire: Wire, short: bool):
    """The same POST from every writer, in any case: one 201, the others 409, one user."""
    problems, rounds, statuses = [], 5 if short else 40, Counter()
    for _ in range(rounds):
        name = f"Same{next(NEXT)}@example.com"
        answers = together(lambda n: wire.call("POST", "/Users", user(name if n % 2 else name.upper())), range(WRITERS))
        found = Counter(answer.status for answer in answers)
        statuses += found
        if found != {201: 1, 409: WRITERS - 1}:
            problems.append(f"{dict(found)}, not one 201 and {WRITERS - 1} times 409")
        total = wire.call("GET", "/Users?filter=" + quoted(f'userName eq "{name}"')).body["totalResults"]
        if total != 1:
            problems.append(f"{total} users of one name")
    return f"{rounds} rounds of {WRITERS} writers, answers {dict(statuses)}", problems


def adds_and_removes(wire: Wire, short: bool):
    """Adds never remove: every writer adds and removes members of its own in the same groups; the union is what remains."""
    each = 4 if short else 20
    ids = together(lambda n: create(wire, "/Users", user(f"member{next(NEXT)}@example.com")), range(WRITERS * each))
    groups = [create(wire, "/Groups", {"schemas": [GROUP], "displayName": f"Race {next(NEXT)}"}) for _ in range(2)]
    want, requests, problems, lock = {group: set() for group in groups}, Counter(), [], threading.Lock()

    def work(writer: int) -> None:
        random, mine = Random(writer), ids[writer * each : (writer + 1) * each]
        inside = {group: set() for group in groups}
        for _ in range(each * 3):
            group, member = random.choice(groups), random.choice(mine)
            if member in inside[group] and random.random() < 0.6:
                okta = random.random() < 0.5
                operation = {"op": "remove", "path": f'members[value eq "{member}"]'} if okta else {"op": "Remove", "path": "members", "value": [{"value": member}]}
                inside[group].discard(member)
            else:
                operation = {"op": "add", "path": "members", "value": [{"value": member}]}
                inside[group].add(member)
            if random.random() < 0.2:
                # A rename beside it must not touch members.
                operation = [operation, {"op": "replace", "value": {"displayName": f"Race {group} {writer}"}}]
            answer = wire.call("PATCH", f"/Groups/{group}", patch(*operation) if isinstance(operation, list) else patch(operation))
            with lock:
                requests[answer.status] += 1
                if not answer.ok:
                    problems.append(f"PATCH gives {answer.status}: {answer.raw[:300]!r}")
        with lock:
            for group in groups:
                want[group] |= inside[group]

    together(work, range(WRITERS))
    for group in groups:
        have = {member["value"] for member in wire.call("GET", f"/Groups/{group}").body.get("members") or []}
        if have != want[group]:
            problems.append(f"{len(want[group] - have)} members lost, {len(have - want[group])} too many")
    return f"{sum(requests.values())} requests {dict(requests)}, {sum(map(len, want.values()))} members as in the model", problems[:5]


def lost_updates(wire: Wire, short: bool):
    """Every writer sends If-Match with the same version: one goes through, the others are refused."""
    problems, rounds, statuses = [], 5 if short else 40, Counter()
    for _ in range(rounds):
        id = create(wire, "/Users", user(f"versioned{next(NEXT)}@example.com"))
        version = wire.call("GET", f"/Users/{id}").body["meta"]["version"]

        def work(n: int):
            operation = {"op": "replace", "path": "title", "value": f"Title {n}"}
            return n, wire.call("PATCH", f"/Users/{id}", patch(operation), {"If-Match": version})

        answers = together(work, range(WRITERS))
        found = Counter(answer.status for _, answer in answers)
        statuses += found
        won = [n for n, answer in answers if answer.ok]
        if len(won) != 1 or found.get(412) != WRITERS - 1:
            problems.append(f"{dict(found)}, not one success and {WRITERS - 1} times 412")
        elif wire.call("GET", f"/Users/{id}").body.get("title") != f"Title {won[0]}":
            problems.append("the title is not that of the writer who was told so")
    return f"{rounds} rounds of {WRITERS} writers, answers {dict(statuses)}", problems


def mixed_writers(wire: Wire, short: bool):
    """Every writer creates, changes and deletes users of its own; at the end there is exactly what they were told."""
    rounds, want, problems, lock = 15 if short else 120, {}, [], threading.Lock()
    run = next(NEXT)

    def work(writer: int) -> int:
        random, mine, made = Random(writer), {}, 0
        for n in range(rounds):
            kind = random.random()
            if kind < 0.4 or not mine:
                name = f"mixed{run}-{writer}-{n}@example.com"
                answer, made = wire.call("POST", "/Users", user(name, displayName="first", active=True)), made + 1
                if answer.status == 201:
                    mine[answer.body["id"]] = (name, "first", True)
            elif kind < 0.8:
                id = random.choice(sorted(mine))
                name, _, active = mine[id]
                shown, active = f"shown {n}", random.random() < 0.5 or active
                answer = wire.call("PATCH", f"/Users/{id}", patch({"op": "Replace", "path": "displayName", "value": shown}, {"op": "replace", "value": {"active": active}}))
                mine[id] = (name, shown, active)
            else:
                id = random.choice(sorted(mine))
                answer = wire.call("DELETE", f"/Users/{id}")
                del mine[id]
            if not answer.ok:
                with lock:
                    problems.append(f"{answer.status}: {answer.raw[:300]!r}")
        with lock:
            want.update(mine)
        return rounds

    requests = sum(together(work, range(WRITERS)))
    found = everything(wire, "/Users?filter=" + quoted(f'userName sw "mixed{run}-"'))
    have = {body["id"]: (body["userName"], body.get("displayName"), body.get("active")) for body in found}
    if have != want:
        wrong = [id for id in {**have, **want} if have.get(id) != want.get(id)]
        problems.append(f"{len(wrong)} users are not as the writers were told, for example {wrong[0]}: {want.get(wrong[0])}, there {have.get(wrong[0])}")
    return f"{requests} requests, {len(want)} users as told", problems[:5]


def paging(wire: Wire, short: bool):
    """While others come and go, every user that stays is listed exactly once, by index and by cursor."""
    stay = 300 if short else 1_500
    before = together(lambda n: create(wire, "/Users", user(f"early{next(NEXT)}@example.com")), range(100))
    stable = set(together(lambda n: create(wire, "/Users", user(f"stable{next(NEXT)}@example.com")), range(stay)))
    over, walks, problems = threading.Event(), Counter(), []

    def churn(early: list[str]) -> int:
        """Creates and deletes; `early` are users that come before the stable ones."""
        changes = 0
        while not over.is_set():
            id = early.pop() if early else create(wire, "/Users", user(f"churn{next(NEXT)}@example.com"))
            wire.call("DELETE", f"/Users/{id}")
            changes += 1
        return changes

    def walk(kind: str) -> None:
        seen, page = Counter(), {}
        at, cursor = 1, ""
        while True:
            where = f"startIndex={at}" if kind == "index" else f"cursor={quoted(cursor)}"
            page = wire.call("GET", f"/Users?count=40&attributes=userName&{where}").body
            found = [resource["id"] for resource in page.get("Resources") or []]
            seen.update(found)
            at += len(found)
            cursor = page.get("nextCursor")
            if not found or (kind == "cursor" and cursor is None):
                break
        missing, twice = [id for id in stable if not seen[id]], [id for id in stable if seen[id] > 1]
        walks[kind] += 1
        if missing or twice:
            problems.append(f"by {kind}: {len(missing)} of {len(stable)} missing, {len(twice)} twice")

    with ThreadPoolExecutor(16) as pool:
        # By index nothing before them may go: an index names a place and not a user. New ones come after them.
        running = [pool.submit(churn, []) for _ in range(4)]
        for _ in range(2 if short else 10):
            walk("index")
        running += [pool.submit(churn, list(before[n::4])) for n in range(4)]
        time.sleep(0)
        for _ in range(3 if short else 15):
            walk("cursor")
        over.set()
        changes = sum(future.result() for future in running)
    return f"{len(stable)} stable users, {dict(walks)} walks beside {changes} creates and deletes", problems[:5]


ALL = {
    "identical POSTs": identical_posts,
    "adds and removes": adds_and_removes,
    "lost updates": lost_updates,
    "mixed writers": mixed_writers,
    "paging": paging,
}
