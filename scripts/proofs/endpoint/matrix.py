"""Two tenants, `alpha` and `bravo`: what may not see alpha sees nothing of it, and alpha's answers do not depend on bravo."""

import argparse
import base64
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

from cluster import Cluster
from product import Product
from wire import Answer, Wire, quoted

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
SEARCH = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 100}
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE")
SHOWN = 25


def user(name: str, external: str, **more) -> dict:
    return {"schemas": [CORE], "userName": name, "externalId": external, "displayName": f"Shown {name}", **more}


def patch(*operations: dict) -> dict:
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(operations)}


class Side:
    """A tenant: its token, the ids of its resources, and the marks by which its data is recognised."""

    def __init__(self, product: Product, name: str):
        self.name, self.product = name, product
        product.run("tenant", "create", name)
        self.token = product.connection(name, "generic", f"connection-{name}", unlimited=True)
        self.users: list[str] = []
        self.groups: list[str] = []

    def fill(self, origin: str, count: int) -> None:
        """Users and groups that carry the tenant's name; externalIds and some user names are the same in both tenants."""
        wire = Wire(f"{origin}/scim/v2", self.token)
        for n in range(count):
            name = f"{self.name}mark{n}@example.com" if n % 3 else f"both{n}@example.com"
            made = wire.call("POST", "/Users", user(name, f"E{n}", title=f"{self.name}mark title"))
            if made.status != 201:
                raise SystemExit(f"{self.name}: POST /Users gives {made.status}: {made.raw[:300]!r}")
            self.users.append(made.body["id"])
        for n in range(3):
            members = [{"value": id} for id in self.users[n::3]]
            made = wire.call("POST", "/Groups", {"schemas": [GROUP], "displayName": f"{self.name}mark group {n}", "externalId": f"G{n}", "members": members})
            self.groups.append(made.body["id"])

    @property
    def marks(self) -> list[str]:
        return [f"{self.name}mark", *self.users, *self.groups]


class Matrix:
    """Counts cases and leaks."""

    def __init__(self):
        self.cases, self.leaks, self.wrong = Counter(), [], []
        self.broken = 0

    def check(self, kind: str, what: str, answer: Answer, foreign: list[str], request: str, statuses=None) -> None:
        """One case. What the request itself names may be named in the answer."""
        self.cases[kind] += 1
        text = answer.raw.decode("utf-8", "replace") + str(answer.headers)
        found = [mark for mark in foreign if mark in text and mark not in request]
        if found:
            self.leaks.append(f"{kind}: {what}: {answer.status} shows {found[0]}")
        if statuses and answer.status not in statuses:
            self.wrong.append(f"{kind}: {what}: {answer.status}, not {statuses}: {answer.raw[:160]!r}")
        if answer.status >= 500 and answer.status != 501:
            self.broken += 1
            self.wrong.append(f"{kind}: {what}: {answer.status}: {answer.raw[:160]!r}")


def tokens(product: Product, alpha: Side, bravo: Side, origin: str) -> dict[str, list[str] | str | None]:
    """Every state of a token that does not open alpha, as the value of the header Authorization."""
    revoked = product.token("alpha", "--name", "revoked")
    product.run("--tenant", "alpha", "token", "revoke", "revoked")
    expired = product.token("alpha", "--name", "expired", "--expires", "1s")
    wire, deadline = Wire(f"{origin}/scim/v2", expired), time.monotonic() + 30
    while wire.call("GET", "/Users?count=1").status != 401:
        if time.monotonic() > deadline:
            raise SystemExit("a token of one second still works after thirty")
        time.sleep(0.05)
    good, other = alpha.token, bravo.token
    prefix, id, *rest = good.split("_", 2)
    swapped = f"{prefix}_{id}_{other.split('_', 2)[2]}"
    basic = base64.b64encode(f"x:{good}".encode()).decode()
    states = {
        "absent": None, "empty": "", "scheme alone": "Bearer", "a space": "Bearer ", "spaces": "Bearer    ", "a tab": "Bearer\t",
        "no scheme": good, "basic": f"Basic {basic}", "another scheme": f"Token {good}", "truncated by one": f"Bearer {good[:-1]}",
        "truncated by half": f"Bearer {good[: len(good) // 2]}", "first part": f"Bearer {prefix}_{id}", "first part, open": f"Bearer {prefix}_{id}_",
        "one more": f"Bearer {good}x", "twice": f"Bearer {good}{good}", "list": f"Bearer {good}, Bearer {good}", "two words": f"Bearer {good} {good}",
        "quoted": f'Bearer "{good}"', "upper case": f"Bearer {good.upper()}", "lower case": f"Bearer {good.lower()}", "swapped case": f"Bearer {good.swapcase()}",
        "percent-encoded": f"Bearer {good.replace('_', '%5F')}", "a zero": f"Bearer {good}%00",
        "secret of another": f"Bearer {swapped}", "another checksum": f"Bearer {good[:-6]}{'AAAAAA' if not good.endswith('AAAAAA') else 'BBBBBB'}",
        "revoked": f"Bearer {revoked}", "expired": f"Bearer {expired}", "two headers": [f"Bearer {good}", f"Bearer {good}"],
        "two headers, one good": [f"Bearer {good}", "Bearer x"], "SQL": "Bearer ' OR '1'='1", "long": "Bearer " + "A" * 4_000,
    }
    # Case-changing a token without letters would change nothing.
    return {name: value for name, value in states.items() if value != f"Bearer {good}"}


def routes(side: Side) -> list[tuple[str, object]]:
    """Every route below a base, with a body that would do something."""
    one, group = side.users[0], side.groups[0]
    bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [{"method": "DELETE", "path": f"/Users/{one}"}]}
    rename = patch({"op": "replace", "path": "displayName", "value": "taken over"})
    whole = user("takenover@example.com", "E-taken")
    return [
        ("", SEARCH), ("/", SEARCH), ("/Users", whole), ("/Users?count=100", whole), ("/Users/", whole), (f"/Users/{one}", rename), (f"/Users/{one}/", rename),
        (f"/Users/{one}?attributes=userName", whole), ("/Groups", {"schemas": [GROUP], "displayName": "taken over"}), (f"/Groups/{group}", rename),
        (f"/Groups?filter={quoted('displayName pr')}", rename), ("/.search", SEARCH), ("/Users/.search", SEARCH),
        ("/Groups/.search", SEARCH), ("/Bulk", bulk), ("/Me", rename), ("/ServiceProviderConfig", SEARCH), ("/Schemas", SEARCH), (f"/Schemas/{CORE}", SEARCH),
        ("/ResourceTypes", SEARCH), ("/ResourceTypes/User", SEARCH), ("/Nothing", SEARCH), ("/Users/" + one.upper(), rename),
    ]


def spellings(side: Side) -> list[str]:
    """Paths that a server might tidy up into one of ours."""
    one, name = side.users[0], side.name
    places = [f"/scim/v2/Users/{one}", "/scim/v2/Users", f"/t/{name}/scim/v2/Users", f"/t/{name}/scim/v2/Users/{one}", "/scim/v2/Groups"]
    found = []
    for place in places:
        head, _, last = place.rpartition("/")
        found += [
            place.replace("/", "//"), place.replace("/scim", "//scim"), f"{head}//{last}", f"{head}/./{last}", f"{head}/x/../{last}", f"{head}/%2e/{last}",
            f"{head}/x/%2e%2e/{last}", f"{head}/..%2f{last}", f"{place};x=1", f"{head};x=1/{last}", place.upper(), place.swapcase(), place.replace("Users", "users"),
            place.replace("U", "%55").replace("G", "%47"), place.replace("s", "%73"), place.replace("/", "%2f", 2), "/" + place.replace("/", "%2F")[3:],
            place.replace("scim", "sc%69m"), place.replace("scim", "sc%2569m"), f"{place}%00", f"{place}%20", f"{place}/.", f"{place}/..", f"{place}.json", f"{place}?",
            f"{place}?a=b&&", f"{place}#x", f"/./{place[1:]}", f"/x/..{place}", place.replace("/", "\\"), f"{place}/%2e%2e/%2e%2e/Users", f"{place}%c0%af", f"{place}%ff",
        ]
    other = "bravo" if name == "alpha" else "alpha"
    found += [
        f"/t/{other}/../{name}/scim/v2/Users", f"/t/{other}%2f..%2f{name}/scim/v2/Users", f"/t/{name}%00{other}/scim/v2/Users", f"/t/{other}/scim/v2/t/{name}/scim/v2/Users",
        f"/t/{name}/{other}/scim/v2/Users", f"/t/{name.upper()}/scim/v2/Users", f"/t/{name}%20/scim/v2/Users", f"/t//{name}/scim/v2/Users", f"/t/%61lpha/scim/v2/Users",
        f"/t//scim/v2/Users", f"/t/*/scim/v2/Users", f"/t/{name},{other}/scim/v2/Users", "/scim/v2/t/alpha/Users", "/scim/Users", "/Users", "/v2/Users", "/scim/v1/Users",
    ]
    return [path for path in dict.fromkeys(found)]


def refused_tokens(matrix: Matrix, origin: str, states: dict, alpha: Side, bravo: Side) -> None:
    """No state of a token but a good one opens anything, whatever the verb and the route."""
    marks = alpha.marks + bravo.marks
    wire = Wire(origin, None)
    for base in ("/scim/v2", "/t/alpha/scim/v2", "/t/bravo/scim/v2", "/t/nobody/scim/v2"):
        for route, body in routes(alpha):
            for verb in VERBS:
                for state, header in states.items():
                    path = base + route
                    answer = wire.call(verb, path, body if verb in ("POST", "PUT", "PATCH") else None, {"Authorization": header})
                    statuses = (401,) if verb in ("GET", "POST", "PUT", "PATCH", "DELETE") else (401, 404, 405, 501)
                    matrix.check("refused tokens", f"{verb} {path} with the token {state}", answer, marks, path, statuses)
    for state, header in states.items():
        for path in spellings(alpha):
            for verb in ("GET", "DELETE"):
                answer = wire.call(verb, path, None, {"Authorization": header})
                matrix.check("refused tokens, odd paths", f"{verb} {path} with the token {state}", answer, marks, path, range(400, 500))
    for path in ("/api/v1/signin", "/api/v1/", "/api/v1/users"):
        for state, header in states.items():
            answer = wire.call("POST", path, {"issuer": "x", "subject": alpha.users[0]}, {"Authorization": header})
            matrix.check("refused tokens", f"POST {path} with the token {state}", answer, marks, path, range(400, 500))
    for path in ("/healthz", "/readyz", "/metrics", "/", "/.env", "/api/openapi.json"):
        matrix.check("open paths", f"GET {path}", wire.call("GET", path, None, {"Authorization": None}), marks, path)


def other_tenant(matrix: Matrix, origin: str, alpha: Side, bravo: Side) -> None:
    """A good token of bravo sees, changes and deletes nothing of alpha, however the path is written."""
    wire = Wire(origin, bravo.token)
    for route, body in routes(alpha):
        for verb in VERBS:
            content = body if verb in ("POST", "PUT", "PATCH") else None
            path = f"/t/alpha/scim/v2{route}"
            refused = (401,) if verb in ("GET", "POST", "PUT", "PATCH", "DELETE") else (401, 404, 405, 501)
            matrix.check("other tenant", f"{verb} {path} with bravo's token", wire.call(verb, path, content), alpha.marks, path, refused)
            if alpha.users[0] in route or alpha.groups[0] in route:
                path = f"/scim/v2{route}"
                # A body that makes no sense for the verb may be refused before the id is looked at.
                refused = (404,) if verb in ("GET", "DELETE") else (400, 404) if verb in ("PUT", "PATCH") else (404, 405, 501)
                matrix.check("other tenant", f"{verb} {path} with bravo's token", wire.call(verb, path, content), alpha.marks, path, refused)
    for path in spellings(alpha):
        for verb in ("GET", "DELETE", "PATCH"):
            content = patch({"op": "replace", "path": "displayName", "value": "taken over"}) if verb == "PATCH" else None
            matrix.check("other tenant, odd paths", f"{verb} {path} with bravo's token", wire.call(verb, path, content), alpha.marks, path)
    references(matrix, origin, alpha, bravo)


def references(matrix: Matrix, origin: str, alpha: Side, bravo: Side) -> None:
    """Ids of alpha inside bravo's requests are ids that nobody issued."""
    wire, one, group = Wire(f"{origin}/scim/v2", bravo.token), alpha.users[0], alpha.groups[0]
    nobody = "01890000-0000-7000-8000-00000000abcd"
    mine = bravo.groups[0]

    def both(kind: str, method: str, path: str, body) -> None:
        """The same request with alpha's id and with an id of nobody: the same answer."""
        answers = []
        for id in (one, nobody):
            text = path.replace("ID", id)
            content = None if body is None else json.dumps(body).replace("ID", id).encode()
            answer = wire.call(method, text, content)
            matrix.check("references", f"{kind} with {id}", answer, alpha.marks, text + str(content))
            answers.append((answer.status, plain(answer).replace(id, "ID")))
        if answers[0] != answers[1]:
            matrix.leaks.append(f"references: {kind}: alpha's id gives {answers[0]}, nobody's gives {answers[1]}")

    both("GET", "GET", "/Users/ID", None)
    both("DELETE", "DELETE", "/Users/ID", None)
    both("filter id", "GET", f"/Users?filter={quoted('id eq ')}%22ID%22", None)
    both("filter members", "GET", f"/Groups?filter={quoted('members eq ')}%22ID%22", None)
    both("add member", "PATCH", f"/Groups/{mine}", patch({"op": "add", "path": "members", "value": [{"value": "ID"}]}))
    both("remove member", "PATCH", f"/Groups/{mine}", patch({"op": "remove", "path": "members", "value": [{"value": "ID"}]}))
    both("replace members", "PATCH", f"/Groups/{mine}", patch({"op": "replace", "path": "members", "value": [{"value": "ID"}]}))
    both("create group", "POST", "/Groups", {"schemas": [GROUP], "displayName": "refs", "members": [{"value": "ID"}]})
    bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [{"method": "DELETE", "path": "/Users/ID"}, {"method": "PATCH", "path": "/Users/ID", "data": patch({"op": "replace", "path": "title", "value": "x"})}]}
    both("bulk", "POST", "/Bulk", bulk)
    answer = wire.call("GET", f"/Groups/{group}")
    matrix.check("references", "GET of alpha's group", answer, alpha.marks, group, (404,))


def plain(answer: Answer) -> str:
    """Status, headers and body without what is different each time."""
    text = answer.raw.decode("utf-8", "replace")
    text = re.sub(r"\[trace [0-9a-f]+\]", "[trace]", text)
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}
    return f"{sorted(headers.items())} {text}"


def questions(alpha: Side) -> list[tuple[str, str, object]]:
    """Requests of alpha whose answers must not depend on bravo; none of them changes anything."""
    paths = [
        "/Users", "/Users?count=2", "/Users?startIndex=3&count=4", "/Users?cursor=&count=3", "/Groups", "/Groups?excludedAttributes=members", "/", "/Users?sortBy=userName&sortOrder=descending",
        "/Users/nobody", "/Groups/nobody", "/Me", "/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/Nothing", "/Users?count=0", "/Users?startIndex=100",
        *(f"/Users?filter={quoted(text)}" for text in (
            'userName eq "both0@example.com"', 'userName eq "bravomark1@example.com"', 'externalId eq "E1"', 'externalId eq "E7"', "active eq true", 'title co "mark"', 'displayName sw "Shown"',
            'userName sw "bravo"', 'groups.display co "mark"', "not (title pr)", 'nosuch eq "x"', "userName eq")),
        *(f"/Groups?filter={quoted(text)}" for text in ('displayName eq "bravomark group 0"', 'displayName co "group"', f'members eq "{alpha.users[0]}"')),
        *(f"/Users/{id}" for id in alpha.users), *(f"/Groups/{id}" for id in alpha.groups),
    ]
    asked = [("GET", path, None) for path in paths]
    asked += [("POST", path, {**SEARCH, "filter": 'title co "mark"'}) for path in ("/.search", "/Users/.search", "/Groups/.search")]
    # Refusals are answers, too: the name is alpha's own, the member is nobody's.
    asked.append(("POST", "/Users", user("ALPHAMARK1@example.com", "E-new")))
    asked.append(("POST", "/Users", {"schemas": [CORE]}))
    asked.append(("PATCH", f"/Groups/{alpha.groups[0]}", patch({"op": "add", "path": "members", "value": [{"value": "nobody"}]})))
    return asked


def ask(origin: str, alpha: Side) -> list[tuple[str, int, str]]:
    """All answers on both bases."""
    found = []
    for base in ("/scim/v2", "/t/alpha/scim/v2"):
        wire = Wire(origin + base, alpha.token)
        for method, path, body in questions(alpha):
            answer = wire.call(method, path, body)
            found.append((f"{method} {base}{path}", answer.status, plain(answer)))
    return found


def on_database(backend: str, database: str, folder: Path) -> list[str]:
    """The whole matrix on one database; gives what was missed."""
    product = Product(folder / backend, database)
    alpha, bravo, matrix = Side(product, "alpha"), Side(product, "bravo"), Matrix()
    product.serve()
    try:
        origin = product.origin
        alpha.fill(origin, 12)
        before = ask(origin, alpha)
        shown = sum("alphamark" in text for _, status, text in before if status == 200)
        if shown < 20:
            matrix.wrong.append(f"only {shown} answers to alpha itself show its data: nothing would be seen to leak")
        bravo.fill(origin, 40)
        after = ask(origin, alpha)
        matrix.cases["alpha's answers with bravo's data"] = len(after)
        matrix.leaks += [f"alpha's answer changes with bravo's data: {one[0]}: {one[1:]} then {two[1:]}"[:600] for one, two in zip(before, after) if one != two]
        states = tokens(product, alpha, bravo, origin)
        refused_tokens(matrix, origin, states, alpha, bravo)
        other_tenant(matrix, origin, alpha, bravo)
        own = Wire(origin, alpha.token)
        for path in spellings(alpha):
            matrix.check("own token, odd paths", f"GET {path}", own.call("GET", path), bravo.marks, path)
        for place, one, two in ((one[0], one, two) for one, two in zip(before, ask(origin, alpha)) if one != two):
            matrix.wrong.append(f"the matrix changed alpha's data: {place}: {one[1:]} then {two[1:]}"[:600])
    finally:
        product.stop()
    for tenant in ("alpha", "bravo"):
        product.run("--tenant", tenant, "log", "check")
    for kind, count in matrix.cases.items():
        say(f"{backend:<9} {kind:<36} {count:>6} cases")
    say(f"{backend:<9} {len(states)} states of a token; cases {sum(matrix.cases.values())}, leaks {len(matrix.leaks)}, wrong answers {len(matrix.wrong)}, 5xx {matrix.broken}")
    return [f"{backend}: {line}" for line in matrix.leaks + matrix.wrong]


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--backend", choices=["sqlite", "postgres"])
    args = parser.parse_args()
    missed = []
    for backend in [args.backend] if args.backend else ["sqlite"] if args.short else ["sqlite", "postgres"]:
        cluster = Cluster() if backend == "postgres" else None
        try:
            missed += on_database(backend, cluster.url if cluster else "", args.folder)
        finally:
            if cluster:
                cluster.stop()
    if missed:
        print(f"endpoint-matrix: FAILED, {len(missed)} missed:")
        for line in missed[:SHOWN]:
            print(f"  - {line}")
        sys.exit(1)
    print("endpoint-matrix: leaks 0")


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
