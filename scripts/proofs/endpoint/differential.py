"""Random requests, one after the other, to the server and to the model; after each, what the server holds is what the model holds."""

import copy
from random import Random

from faults import GROUP_FAULTS, LIST_FAULTS, USER_FAULTS
from model import ATTRIBUTES, ENTERPRISE, Group, Model, Refused, User, seen_group, seen_user
from shapes import GROUP, Shapes
from wire import Answer, Wire, quoted

WORDS = ("Ada", "byron", "Ångström", "DE LA Cruz", "O'Neil", "Ops", "x", 'Quo"te', "back\\slash", "True", "ß", "-1", "Zoë ")
WORK = "emails.work"
# So many mismatches are shown; after them the run ends.
SHOWN = 20


class Mismatch(Exception):
    """Server and model disagree."""


class Differential:
    """One connection, one model."""

    def __init__(self, wire: Wire, seed: int):
        self.wire, self.model, self.random = wire, Model(), Random(seed)
        self.shapes = Shapes(self.random)
        self.compared, self.refused, self.number = 0, 0, 0
        self.mismatches: list[str] = []
        self.versions: dict[str, tuple[str, dict]] = {}
        self.last = ""

    # ---- comparing -------------------------------------------------------------------------------------------------

    def run(self, requests: int) -> None:
        """Requests until so many were compared."""
        actions = [
            (self.create_user, 14), (self.create_group, 4), (self.patch_user, 22), (self.put_user, 8), (self.switch_user, 8),
            (self.delete_user, 3), (self.delete_group, 1), (self.members, 16), (self.rename_group, 4), (self.put_group, 3),
            (self.filter_users, 10), (self.filter_groups, 3), (self.conditional, 4), (self.fault, 10), (self.look_at_gone, 1),
        ]
        names, weights = zip(*actions)
        while self.compared < requests and len(self.mismatches) < SHOWN:
            self.number += 1
            action = self.random.choices(names, weights)[0]
            try:
                action()
            except Mismatch as mismatch:
                self.mismatches.append(f"step {self.number} {action.__name__}: {mismatch}")
        self.whole()

    def send(self, method: str, path: str, body=None, headers=None) -> Answer:
        """Sends a request that is compared."""
        self.compared += 1
        self.last = f"{method} {path} {body!r} {headers or ''}"
        return self.wire.call(method, path, body, headers)

    def differ(self, what: str) -> None:
        raise Mismatch(f"{what}; last request: {self.last[:1500]}")

    def expect(self, answer: Answer, *statuses: int) -> None:
        if answer.status not in statuses:
            self.differ(f"status {answer.status}, not {statuses}: {answer.raw[:400]!r}")
        if answer.status >= 400:
            self.refused += 1
            body = answer.body
            if body.get("schemas") != ["urn:ietf:params:scim:api:messages:2.0:Error"] or body.get("status") != str(answer.status) or not body.get("detail"):
                self.differ(f"not a SCIM error: {body}")
            if answer.status == 409 and body.get("scimType") != "uniqueness":
                self.differ(f"409 without `uniqueness`: {body}")

    def same(self, kind: str, id: str, body: dict | None = None) -> dict:
        """A resource looks as in the model, and its version is another one exactly if it looks other than before."""
        if body is None:
            answer = self.wire.call("GET", f"/{kind}/{id}")
            if answer.status != 200:
                self.differ(f"GET of {kind}/{id} gives {answer.status}: {answer.raw[:300]!r}")
            if answer.headers.get("etag") != answer.body["meta"]["version"]:
                self.differ(f"ETag {answer.headers.get('etag')} and meta.version {answer.body['meta']['version']}")
            body = answer.body
        view, seen = (self.model.user_view, seen_user) if kind == "Users" else (self.model.group_view, seen_group)
        want, have = view(id), seen(body)
        if want != have:
            wrong = {name: (want[name], have[name]) for name in want if want[name] != have[name]}
            self.differ(f"{kind}/{id}: (model, server) {wrong}")
        version, shown = body["meta"]["version"], {name: value for name, value in body.items() if name != "meta"}
        before = self.versions.get(id)
        self.versions[id] = (version, shown)
        if before and (before[0] == version) != (before[1] == shown):
            changed = sorted(name for name in {**shown, **before[1]} if shown.get(name) != before[1].get(name))
            self.differ(f"{kind}/{id}: version {before[0]} then {version}, changed {changed}: {[(before[1].get(n), shown.get(n)) for n in changed]}")
        return body

    def change(self, kind: str, id: str, method: str, body, effect, headers=None) -> None:
        """Sends a change of a resource; `effect` changes the model, or says with which statuses it must be refused."""
        before = copy.deepcopy((self.model.users.get(id), self.model.groups.get(id)))
        try:
            effect()
            statuses = (200, 204)
        except Refused as refused:
            statuses = refused.statuses
            if before[0]:
                self.model.users[id] = before[0]
            if before[1]:
                self.model.groups[id] = before[1]
        answer = self.send(method, f"/{kind}/{id}", body, headers)
        self.expect(answer, *statuses)
        if answer.status == 200 and answer.raw:
            self.same(kind, id, answer.body)
        self.same(kind, id)

    def whole(self) -> None:
        """Everything, read by cursor, is the model's everything."""
        for kind, want in (("Users", self.model.users), ("Groups", self.model.groups)):
            try:
                found, cursor = [], ""
                while cursor is not None:
                    page = self.send("GET", f"/{kind}?count=50&cursor={quoted(cursor)}").body
                    found += page.get("Resources") or []
                    cursor = page.get("nextCursor")
                ids = [resource["id"] for resource in found]
                if sorted(ids) != sorted(want):
                    self.differ(f"all {kind}: {len(ids)} listed, {len(want)} in the model; differ {sorted(set(ids) ^ set(want))[:5]}")
                for resource in found:
                    self.same(kind, resource["id"], resource)
            except Mismatch as mismatch:
                self.mismatches.append(f"at the end: {mismatch}")

    # ---- drawing ---------------------------------------------------------------------------------------------------

    def some_user(self) -> str | None:
        return self.random.choice(list(self.model.users)) if self.model.users else None

    def some_group(self) -> str | None:
        return self.random.choice(list(self.model.groups)) if self.model.groups else None

    def word(self) -> str:
        return self.random.choice(WORDS).strip() + str(self.random.randint(0, 9))

    def value(self, name: str) -> str:
        if name.startswith("emails."):
            return f"m{self.random.randint(0, 10_000)}@Example.com"
        if name == "manager":
            return self.some_user() or "nobody"
        return "en-US" if name == "locale" else self.word()

    def values(self, most: int) -> dict[str, str]:
        names = self.random.sample(ATTRIBUTES, self.random.randint(0, most))
        return {name: self.value(name) for name in names if name != "manager" or self.model.users}

    def new_name(self) -> str:
        """A user name; sometimes one that is taken, in another case."""
        taken = self.some_user()
        if taken and self.shapes.chance(0.12):
            return self.model.users[taken].user_name.swapcase()
        return f"User{self.random.randint(0, 10**9)}@Example.com"

    # ---- users -----------------------------------------------------------------------------------------------------

    def create_user(self) -> None:
        okta = self.shapes.chance(0.5)
        external = f"E{self.random.randint(0, 10**9)}" if self.shapes.chance(0.9) else None
        user = User(self.new_name(), external, not self.shapes.chance(0.1), self.values(8))
        body = self.shapes.user(user, okta)
        try:
            self.model.check_name(user.user_name)
        except Refused as refused:
            self.expect(self.send("POST", "/Users", body), *refused.statuses)
            return
        answer = self.send("POST", "/Users", body)
        self.expect(answer, 201)
        id = answer.body["id"]
        if not answer.headers.get("location", "").endswith(f"/Users/{id}"):
            self.differ(f"Location is {answer.headers.get('location')}")
        self.model.users[id] = user
        self.same("Users", id, answer.body)
        self.same("Users", id)

    def patch_user(self) -> None:
        """One to six changes in one request; sometimes the last one is wrong, and then none of them may have happened."""
        id = self.some_user()
        if not id:
            return
        operations, values, broken = [], {}, self.shapes.chance(0.1)
        for name in self.random.sample(ATTRIBUTES, self.random.randint(1, 6)):
            if self.shapes.chance(0.3):
                if name in self.model.users[id].values:
                    operations.append(self.shapes.clear(name))
                    values[name] = None
            else:
                values[name] = self.value(name)
                operations.append(self.shapes.set(name, values[name]))
        together = {n: v for n, v in self.values(4).items() if n not in values and not n.startswith("emails.")}
        if together and self.shapes.chance(0.4):
            operations.append(self.shapes.pathless(together))
            values.update(together)
        if not operations:
            return
        if broken:
            operations.append(self.random.choice(USER_FAULTS))

        def effect() -> None:
            if broken:
                raise Refused(400)
            for name, value in values.items():
                self.model.users[id].values.pop(name, None) if value is None else self.model.users[id].values.update({name: value})

        self.change("Users", id, "PATCH", self.shapes.patch(operations), effect)

    def put_user(self) -> None:
        """The whole user; what is absent is cleared, but `active` stays as it is."""
        id = self.some_user()
        if not id:
            return
        old, okta, named = self.model.users[id], self.shapes.chance(0.7), self.shapes.chance(0.7)
        name = old.user_name if self.shapes.chance(0.7) else self.new_name()
        new = User(name, old.external_id, not old.active if self.shapes.chance(0.2) and named else old.active, self.values(8))

        def effect() -> None:
            self.model.check_name(name, id)
            self.model.users[id] = new

        self.change("Users", id, "PUT", self.shapes.user(new, okta, named), effect)

    def switch_user(self) -> None:
        id = self.some_user()
        if id:
            to, okta = self.shapes.chance(0.6), self.shapes.chance(0.5)
            self.change("Users", id, "PATCH", self.shapes.patch([self.shapes.active(to, okta)]), lambda: setattr(self.model.users[id], "active", to))

    def delete_user(self) -> None:
        if id := self.some_user():
            self.expect(self.send("DELETE", f"/Users/{id}"), 204)
            self.model.delete(id)
            self.expect(self.send("GET", f"/Users/{id}"), 404)

    # ---- groups ----------------------------------------------------------------------------------------------------

    def some_members(self, group: str | None = None) -> list[str]:
        """Ids of users, seldom of groups, of what is gone, and of what never was."""
        ids = self.random.sample(sorted(self.model.users), min(len(self.model.users), self.random.randint(0, 5)))
        if self.model.groups and self.shapes.chance(0.15):
            ids.append(self.some_group())
        if self.model.gone and self.shapes.chance(0.1):
            ids.append(self.random.choice(sorted(self.model.gone)))
        if self.shapes.chance(0.05):
            ids.append("01890000-0000-7000-8000-0000%08x" % self.random.getrandbits(32))
        return [id for id in dict.fromkeys(ids) if id != group]

    def create_group(self) -> None:
        ids = self.some_members() if self.shapes.chance(0.5) else []
        body = {"schemas": [GROUP], "displayName": f"Group {self.random.randint(0, 10**9)}", "externalId": f"G{self.random.randint(0, 10**9)}"}
        if ids or self.shapes.chance(0.5):
            body["members"] = [{"value": id} for id in ids]
        try:
            members = self.model.member_ids(set(ids))
        except Refused as refused:
            self.expect(self.send("POST", "/Groups", body), *refused.statuses)
            return
        answer = self.send("POST", "/Groups", body)
        self.expect(answer, 201)
        self.model.groups[answer.body["id"]] = Group(body["displayName"], body["externalId"], members)
        self.same("Groups", answer.body["id"])

    def members(self) -> None:
        """Members are added, removed, replaced, or all taken away."""
        id = self.some_group()
        if not id:
            return
        group, okta, kind = self.model.groups[id], self.shapes.chance(0.5), self.random.random()
        there = self.random.sample(sorted(group.members), min(len(group.members), self.random.randint(1, 3)))
        ids = self.some_members(id)
        if kind < 0.5 and ids:
            operations, effect = self.shapes.add_members(ids, okta), lambda: self.model.add_members(id, set(ids))
        elif kind < 0.85:
            gone = there + [member for member in ids[:1] if member in self.model.users]
            # An empty list removes nobody.
            operations = self.shapes.remove_members(gone, okta) or [{"op": "Remove", "path": "members", "value": []}]
            effect = lambda: group.members.difference_update(gone)
        elif kind < 0.95:
            operations = [{"op": "replace", "path": "members", "value": [{"value": member} for member in ids]}]

            def effect() -> None:
                group.members.clear()
                self.model.add_members(id, set(ids))
        else:
            operations, effect = [{"op": "replace", "path": "members", "value": []}], group.members.clear
        touched = (set(there) | set(ids)) & set(self.model.users)
        self.change("Groups", id, "PATCH", self.shapes.patch(operations), effect)
        for user in sorted(touched)[:2]:
            self.same("Users", user)

    def rename_group(self) -> None:
        if id := self.some_group():
            name = f"Group {self.random.randint(0, 10**9)}"
            value = {"id": id, "displayName": name}
            operation = {"op": "replace", "value": value} if self.shapes.chance(0.5) else {"op": "Replace", "path": "displayName", "value": name}
            self.change("Groups", id, "PATCH", self.shapes.patch([operation]), lambda: setattr(self.model.groups[id], "display_name", name))

    def put_group(self) -> None:
        """The whole group; without `members` its members stay."""
        id = self.some_group()
        if not id:
            return
        ids, named = self.some_members(id), self.shapes.chance(0.7)
        group = self.model.groups[id]
        body = {"schemas": [GROUP], "displayName": group.display_name, "externalId": group.external_id}
        if named:
            body["members"] = [{"value": member} for member in ids]

        def effect() -> None:
            if named:
                group.members.clear()
                self.model.add_members(id, set(ids))

        self.change("Groups", id, "PUT", body, effect)

    def delete_group(self) -> None:
        if id := self.some_group():
            self.expect(self.send("DELETE", f"/Groups/{id}"), 204)
            self.model.delete(id)

    # ---- questions -------------------------------------------------------------------------------------------------

    def ask(self, kind: str, text: str, want: set[str]) -> None:
        """A filter gives exactly these, over pages, by index or by cursor; the total is exact."""
        found, count, cursor = [], self.random.randint(1, 40), "" if self.shapes.chance(0.5) else None
        while True:
            where = f"startIndex={len(found) + 1}" if cursor is None else f"cursor={quoted(cursor)}"
            answer = self.send("GET", f"/{kind}?filter={quoted(text)}&{where}&count={count}")
            self.expect(answer, 200)
            page = answer.body
            found += [resource["id"] for resource in page.get("Resources") or []]
            # RFC 9865 lets a page by cursor go without a total; an index needs it.
            total = page.get("totalResults", len(want) if cursor is not None else None)
            if total != len(want):
                self.differ(f"{text}: totalResults {total}, not {len(want)}: {answer.raw[:200]!r}")
            if cursor is None and (len(found) >= page["totalResults"] or not page.get("Resources")):
                break
            if cursor is not None and (cursor := page.get("nextCursor")) is None:
                break
        if sorted(found) != sorted(want):
            self.differ(f"{text}: found {len(found)}, {len(want)} in the model; differ {sorted(set(found) ^ want)[:5]}")

    def filter_users(self) -> None:
        text, holds = self.user_filter(2)
        self.ask("Users", text, {id for id, user in self.model.users.items() if holds(user)})

    def user_filter(self, depth: int):
        """A filter and what it means."""
        if depth and self.shapes.chance(0.35):
            left, right = self.user_filter(depth - 1), self.user_filter(depth - 1)
            kind = self.random.choice(["and", "or", "not"])
            if kind == "not":
                return f"not ({left[0]})", lambda user: not left[1](user)
            if kind == "and":
                return f"({left[0]}) and ({right[0]})", lambda user: left[1](user) and right[1](user)
            return f"({left[0]}) or ({right[0]})", lambda user: left[1](user) or right[1](user)
        if not self.model.users:
            return "active eq true", lambda user: user.active
        user = self.model.users[self.some_user()]
        kind = self.random.randint(0, 6)
        if kind == 0:
            return f'userName eq "{user.user_name.swapcase()}"', lambda other: other.user_name.lower() == user.user_name.lower()
        if kind == 1 and user.external_id:
            return f'externalId eq "{user.external_id}"', lambda other: other.external_id == user.external_id
        if kind == 2:
            text = self.random.choice(["true", "false", '"True"', '"False"'])
            return f"active eq {text}", lambda other: other.active == ("rue" in text)
        name = self.random.choice(["displayName", "title", "name.familyName", "name.givenName", WORK, "department", "nickName"])
        path = f"{ENTERPRISE}:department" if name == "department" else 'emails[type eq "work"].value' if name == WORK else name
        value = user.values.get(name)
        if value is None or kind == 3:
            return (f'emails[type eq "work"]' if name == WORK else f"{path} pr"), lambda other: name in other.values
        part = value[: self.random.randint(1, len(value))]
        op = self.random.choice(["eq", "co", "sw", "ew"])
        part = value if op == "eq" else value[len(value) - len(part):] if op == "ew" else part
        escaped = part.replace("\\", "\\\\").replace('"', '\\"')
        tests = {"eq": str.__eq__, "co": str.__contains__, "sw": str.startswith, "ew": str.endswith}
        return f'{path} {op} "{escaped}"', lambda other: name in other.values and tests[op](other.values[name].lower(), part.lower())

    def filter_groups(self) -> None:
        id = self.some_group()
        if not id:
            return
        group = self.model.groups[id]
        if group.members and self.shapes.chance(0.6):
            member = self.random.choice(sorted(group.members))
            holding = {other for other, its in self.model.groups.items() if member in its.members}
            if self.shapes.chance(0.5):
                self.ask("Groups", f'id eq "{id}" and members eq "{member}"', {id})
            else:
                self.ask("Groups", f'members.value eq "{member}"', holding)
        else:
            self.ask("Groups", f'displayName eq "{group.display_name.upper()}"', {id})

    # ---- refusals --------------------------------------------------------------------------------------------------

    def conditional(self) -> None:
        """If-Match with the present version goes through, with an older one it is refused; If-None-Match gives 304."""
        id = self.some_user()
        if not id:
            return
        version = self.same("Users", id)["meta"]["version"]
        answer = self.send("GET", f"/Users/{id}", headers={"If-None-Match": version})
        self.expect(answer, 304)
        title, stale = self.word(), self.shapes.chance(0.5)

        def effect() -> None:
            if stale:
                raise Refused(412)
            self.model.users[id].values["title"] = title

        header = 'W/"0-stale"' if stale else version
        self.change("Users", id, "PATCH", self.shapes.patch([self.shapes.set("title", title)]), effect, {"If-Match": header})

    def fault(self) -> None:
        """What is wrong is refused precisely and changes nothing."""
        kind = self.random.randint(0, 4)
        if kind == 0:
            self.expect(self.send("GET", self.random.choice(LIST_FAULTS)), 400)
        elif kind == 1:
            broken = self.random.choice([b"{", b"[]", b"", b"null", b'"x"', b'{"schemas":[]}', b'{"userName":7}', b'{"userName":""}', b"\xff\xfe"])
            self.expect(self.send("POST", "/Users", broken), 400)
        elif kind == 2 and self.model.groups:
            id = self.some_group()
            self.change("Groups", id, "PATCH", self.shapes.patch([self.random.choice(GROUP_FAULTS)]), lambda: refuse(400, 404))
        elif self.model.users:
            id = self.some_user()
            self.change("Users", id, "PATCH", self.shapes.patch([self.random.choice(USER_FAULTS)]), lambda: refuse(400))

    def look_at_gone(self) -> None:
        if self.model.gone:
            id = self.random.choice(sorted(self.model.gone))
            method = self.random.choice(["GET", "PATCH", "DELETE", "PUT"])
            body = self.shapes.patch([self.shapes.set("title", "x")]) if method == "PATCH" else {"schemas": [], "userName": "nobody@example.com"}
            self.expect(self.send(method, f"/Users/{id}", body if method in ("PATCH", "PUT") else None), 404)


def refuse(*statuses: int) -> None:
    raise Refused(*statuses)
