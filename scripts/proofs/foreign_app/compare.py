"""Reads every user and group of a SCIM app by plain HTTP and compares them with what the input files say; knows nothing of Lockstep.

    python compare.py --base-url http://127.0.0.1:8080/v2 --token-file token --inputs DIR --generation 3

DIR holds gen-00 to gen-NN, each with users.csv, groups.csv and members.csv. Expected:
- an account for every user who is active, or was active in an earlier generation; `active` as the file says;
- every group but the ones named by --not-pushed, with exactly its members, users as account ids. Members who are inactive are
  not members in the app (--inactive-members keep: they stay if they have an account).
Differences are counted per value; duplicates are objects that share a userName, externalId or work e-mail (groups: displayName
or externalId). externalId must be there and never change; its value is the provisioning engine's own.
"""

import argparse
import csv
import json
import sys
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path

WORK_EMAIL = 'emails[type eq "work"].value'


def read_csv(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def expected(inputs: Path, generation: int, not_pushed: set[str], inactive_members: str):
    """Returns accounts by externalId of the file, and groups: displayName -> set of those externalIds."""
    ever_active, users = set(), []
    for number in range(generation + 1):
        users = read_csv(inputs / f"gen-{number:02}" / "users.csv")
        ever_active |= {row["externalId"] for row in users if row["active"] == "true"}
    accounts = {row["externalId"]: account(row) for row in users if row["externalId"] in ever_active}
    last = inputs / f"gen-{generation:02}"
    groups = {row["externalId"]: row["displayName"] for row in read_csv(last / "groups.csv")}
    members = {name: set() for group, name in groups.items() if group not in not_pushed}
    for row in read_csv(last / "members.csv"):
        user = accounts.get(row["member"])
        if row["group"] in not_pushed or user is None:
            continue
        if user["active"] or inactive_members == "keep":
            members[groups[row["group"]]].add(row["member"])
    return accounts, members


def account(row: dict) -> dict:
    """What the account of this row must look like."""
    return {
        "userName": row["userName"],
        "name.givenName": row["name.givenName"],
        "name.familyName": row["name.familyName"],
        "displayName": row["displayName"],
        WORK_EMAIL: row[WORK_EMAIL] or None,
        "active": row["active"] == "true",
    }


def observed_account(resource: dict) -> dict:
    """The same attributes of a resource that the app answered."""
    name = resource.get("name") or {}
    emails = [mail.get("value") for mail in resource.get("emails") or [] if mail.get("type") == "work"]
    return {
        "userName": resource.get("userName"),
        "name.givenName": name.get("givenName"),
        "name.familyName": name.get("familyName"),
        "displayName": resource.get("displayName"),
        WORK_EMAIL: emails[0] if len(emails) == 1 else emails or None,
        "active": resource.get("active"),
    }


class App:
    """The app over plain HTTP."""

    def __init__(self, base_url: str, token: str):
        self.base_url, self.token = base_url.rstrip("/"), token

    def get(self, path: str) -> dict:
        request = urllib.request.Request(self.base_url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def all(self, kind: str) -> list[dict]:
        """Every resource of a kind, page by page; refuses to go on with a read that is not complete."""
        found, total = {}, None
        while total is None or len(found) < total:
            query = urllib.parse.urlencode({"startIndex": len(found) + 1, "count": 500})
            page = self.get(f"/{kind}?{query}")
            if total is not None and page["totalResults"] != total:
                sys.exit(f"{kind}: totalResults changed from {total} to {page['totalResults']} while reading")
            total = page["totalResults"]
            resources = page.get("Resources") or []
            before = len(found)
            found.update((resource["id"], resource) for resource in resources)
            if len(found) != before + len(resources) or (not resources and len(found) < total):
                sys.exit(f"{kind}: incomplete read: {len(found)} of {total}")
        return list(found.values())


def duplicates(kind: str, resources: list[dict], keys: dict) -> list[str]:
    """Objects too many: those that share a key with an earlier one."""
    lines = []
    for key, value_of in keys.items():
        counts = Counter(str(value_of(resource)).casefold() for resource in resources if value_of(resource))
        lines += [f"{kind}: {count} with {key} {value!r}" for value, count in counts.items() if count > 1]
    return lines


def compare_accounts(accounts: dict, users: list[dict], remembered: dict) -> tuple[list[str], dict]:
    """Differences of the accounts, and which account id belongs to which row; an account belongs to the row with its userName."""
    differences, owner = [], {}
    by_name = {row["userName"].casefold(): key for key, row in accounts.items()}
    missing = dict(accounts)
    for resource in users:
        key = by_name.get(str(resource.get("userName")).casefold())
        if key is None or key not in missing:
            differences.append(f"account {resource.get('userName')!r} ({resource['id']}) should not be there")
            continue
        want, have = missing.pop(key), observed_account(resource)
        differences += [
            f"{want['userName']} {attribute}: expected {want[attribute]!r}, found {have[attribute]!r}"
            for attribute in want if want[attribute] != have[attribute]
        ]
        owner[resource["id"]] = key
        identity = [resource["id"], resource.get("externalId")]
        if not identity[1]:
            differences.append(f"{want['userName']} has no externalId")
        if remembered.setdefault(key, identity) != identity:
            differences.append(f"{want['userName']} changed id or externalId: was {remembered[key]}, is {identity}")
    differences += [f"account {row['userName']!r} is missing" for row in missing.values()]
    return differences, owner


def compare_groups(expected_groups: dict, groups: list[dict], owner: dict) -> tuple[list[str], int]:
    """Differences of the groups and their members, and how many memberships the app holds."""
    differences, held = [], 0
    missing = dict(expected_groups)
    for resource in groups:
        name = resource.get("displayName")
        if name not in missing:
            differences.append(f"group {name!r} ({resource['id']}) should not be there")
            continue
        want = missing.pop(name)
        ids = [member["value"] for member in resource.get("members") or []]
        held += len(ids)
        have = {owner.get(id, f"unknown account {id}") for id in ids}
        differences += [f"group {name!r}: {key} is not a member" for key in sorted(want - have)]
        differences += [f"group {name!r}: {key} should not be a member" for key in sorted(have - want)]
        differences += [f"group {name!r}: {count} times member {id}" for id, count in Counter(ids).items() if count > 1]
    differences += [f"group {name!r} is missing" for name in missing]
    return differences, held


def compare(args) -> dict:
    """Reads the app, compares, prints the figures and returns them."""
    app = App(args.base_url, Path(args.token_file).read_text().strip())
    accounts, expected_groups = expected(Path(args.inputs), args.generation, set(args.not_pushed), args.inactive_members)
    users, groups = app.all("Users"), app.all("Groups")
    memory = Path(args.inputs) / "seen-accounts.json"
    remembered = json.loads(memory.read_text()) if memory.exists() else {}
    differences, owner = compare_accounts(accounts, users, remembered)
    group_differences, held = compare_groups(expected_groups, groups, owner)
    differences += group_differences
    memory.write_text(json.dumps(remembered))
    doubled = duplicates("users", users, {
        "userName": lambda user: user.get("userName"),
        "externalId": lambda user: user.get("externalId"),
        "work e-mail": lambda user: observed_account(user)[WORK_EMAIL],
    }) + duplicates("groups", groups, {
        "displayName": lambda group: group.get("displayName"),
        "externalId": lambda group: group.get("externalId"),
    })
    for line in (differences + doubled)[: args.show]:
        print(f"  ! {line}")
    return {
        "accounts": len(users), "accounts_expected": len(accounts),
        "groups": len(groups), "groups_expected": len(expected_groups),
        "memberships": held, "memberships_expected": sum(map(len, expected_groups.values())),
        "differences": len(differences), "duplicates": len(doubled),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--generation", type=int, required=True)
    parser.add_argument("--not-pushed", action="append", default=[], metavar="GROUP", help="externalId of a group that is not pushed")
    parser.add_argument("--show", type=int, default=20, help="lines shown at most")
    parser.add_argument("--inactive-members", choices=["remove", "keep"], default="remove")
    figures = compare(parser.parse_args())
    print(json.dumps(figures))
    sys.exit(0 if figures["differences"] == figures["duplicates"] == 0 else 1)


if __name__ == "__main__":
    main()
