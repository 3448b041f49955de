"""Writes the input files of the proof: a first directory and, after it, generations of changes; the same seed, the same bytes."""

import csv
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

WORK_EMAIL = 'emails[type eq "work"].value'
DEPARTMENT = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
USER_HEADER = [
    "externalId", "userName", "name.givenName", "name.familyName", "displayName", WORK_EMAIL, "title", "active", DEPARTMENT,
]

GIVEN = (
    "Ana Bram Chiara Dmitri Ewa Farid Greta Hiro Inês Jamal Kaja Léo Mônica Nils Oona Pär Qiu Rosa Søren Tomasz "
    "Uma Věra Wanjiru Xochitl Yael Zoë"
).split()
FAMILY = (
    "Müller Okafor Nguyen Silva Novák O'Brien Haddad Jensen Kowalska Larsson Müller-Lüdenscheidt Naidoo Ortega "
    "Petrov Quispe Rossi Şahin Tanaka Ueda Vermeulen Wójcik Ximénez Yılmaz Zhang Smith Smith"
).split()
TITLES = ["Engineer", "Analyst", "Account Manager", "Nurse", "Technician", "Buyer", "Controller"]
DEPARTMENTS = ["Engineering", "Sales", "Care", "Finance", "Supply", "People"]

EVERYONE = "g-everyone"
LARGEST = "g-000"


@dataclass(frozen=True)
class User:
    """One row of users.csv."""

    external_id: str
    user_name: str
    given: str
    family: str
    email: str
    title: str
    department: str
    active: bool = True

    def row(self) -> list[str]:
        display = f"{self.given} {self.family}"
        active = "true" if self.active else "false"
        return [
            self.external_id, self.user_name, self.given, self.family, display, self.email, self.title, active, self.department,
        ]


@dataclass(frozen=True)
class Sizes:
    """How big the directory is, and how much each generation changes."""

    users: int
    groups: int
    largest: int
    small: tuple[int, int]
    renamed: int
    left: int
    joined: int
    added: int
    removed: int


# The changes stay below the default deletion guard (20 %, 500, per 24 hours) over all generations together: the guard is
# not what this proof is about. For the same reason only the largest group loses members.
FULL = Sizes(10_000, 50, 5_000, (20, 120), renamed=24, left=16, joined=20, added=30, removed=10)
SHORT = Sizes(300, 8, 150, (10, 30), renamed=10, left=4, joined=8, added=10, removed=2)


@dataclass
class Directory:
    """Everything the directory holds at one generation."""

    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)  # externalId -> displayName
    members: set[tuple[str, str]] = field(default_factory=set)  # (group externalId, user externalId)


class Generator:
    """Makes one generation after another and writes each to its own folder."""

    def __init__(self, sizes: Sizes, seed: int, folder: Path):
        self.sizes = sizes
        self.random = random.Random(seed)
        self.folder = folder
        self.now = Directory()
        self.number = -1
        self.names_given = 0

    def first(self) -> Path:
        """Generation 0: the whole directory. One user in 50 is a leaver who never gets an account."""
        for number in range(self.sizes.users):
            self._join(active=number % 50 != 49)
        ids = list(self.now.users)
        self.now.groups[EVERYONE] = "Everyone"
        for number in range(self.sizes.groups):
            group = f"g-{number:03}"
            self.now.groups[group] = f"Team {number:03} {self.random.choice(['Süd', 'Nord', 'Øst', '西', 'R&D', 'Ops'])}"
            size = self.sizes.largest if group == LARGEST else self.random.randint(*self.sizes.small)
            self.now.members |= {(group, user) for user in self.random.sample(ids, size)}
        return self._write(Directory())

    def next(self) -> Path:
        """The next generation: renames (some free a userName that somebody new takes), leavers, returners, joiners, moves."""
        before = Directory(dict(self.now.users), dict(self.now.groups), set(self.now.members))
        active = [user for user in self.now.users.values() if user.active]
        grouped = {user for group, user in self.now.members if group not in (EVERYONE, LARGEST)}
        left = [user for user in self.now.users.values() if not user.active]
        freed = self._rename(self.random.sample(active, self.sizes.renamed))
        renamed = {user.external_id for user in active if self.now.users[user.external_id] != user}
        for user in self.random.sample(
            [user for user in active if user.external_id not in grouped | renamed], self.sizes.left
        ):
            self._put(replace(user, active=False))
        for user in self.random.sample(left, min(2, len(left))):
            self._put(replace(user, active=True))
        joined = [self._join(user_name=freed if number == 0 else None) for number in range(self.sizes.joined)]
        self._move(joined)
        renamed_group = self.random.choice([group for group in self.now.groups if group != EVERYONE])
        self.now.groups[renamed_group] = f"Team {renamed_group[2:]} ({self.number + 1})"
        return self._write(before)

    def _rename(self, users: list[User]) -> str:
        """Gives users a new family name, every other one a new userName and e-mail, too; returns a userName that became free."""
        for number, user in enumerate(users):
            family = self.random.choice(FAMILY) + "-" + self.random.choice(FAMILY)
            if number % 2 == 0:
                self.names_given += 1
                name = f"renamed.{self.names_given:06}@meridian.example"
                self._put(replace(user, family=family, user_name=name, email=name))
            else:
                self._put(replace(user, family=family))
        return users[0].user_name

    def _move(self, joined: list[str]) -> None:
        """Adds members to all groups and removes some from the largest one."""
        ids = [user.external_id for user in self.now.users.values() if user.active]
        groups = [group for group in self.now.groups if group != EVERYONE]
        candidates = sorted(pair for pair in self.now.members if pair[0] == LARGEST and self.now.users[pair[1]].active)
        self.now.members -= set(self.random.sample(candidates, self.sizes.removed))
        self.now.members |= {(LARGEST, user) for user in joined[::2]}
        for _ in range(self.sizes.added):
            self.now.members.add((self.random.choice(groups), self.random.choice(ids)))

    def _join(self, active: bool = True, user_name: str | None = None) -> str:
        """A new user, in Everyone from the first day."""
        number = len(self.now.users)
        given, family = self.random.choice(GIVEN), self.random.choice(FAMILY)
        name = f"user.{number:06}@meridian.example"
        user = User(
            f"M-{number:06}", user_name or name, given, family, name,
            self.random.choice(TITLES), self.random.choice(DEPARTMENTS), active,
        )
        self._put(user)
        self.now.members.add((EVERYONE, user.external_id))
        return user.external_id

    def _put(self, user: User) -> None:
        self.now.users[user.external_id] = user

    def _write(self, before: Directory) -> Path:
        """Writes the whole state (users.csv, groups.csv, members.csv) and what is new in it (changed-*.csv, removed-members.csv)."""
        self.number += 1
        now, folder = self.now, self.folder / f"gen-{self.number:02}"
        folder.mkdir(parents=True)
        users = [user.row() for user in now.users.values()]
        changed = [user.row() for user in now.users.values() if before.users.get(user.external_id) != user]
        groups = [[group, name] for group, name in now.groups.items()]
        changed_groups = [row for row in groups if before.groups.get(row[0]) != row[1]]
        write_csv(folder / "users.csv", USER_HEADER, users)
        write_csv(folder / "changed-users.csv", USER_HEADER, changed)
        write_csv(folder / "groups.csv", ["externalId", "displayName"], groups)
        write_csv(folder / "changed-groups.csv", ["externalId", "displayName"], changed_groups)
        write_csv(folder / "members.csv", ["group", "member"], sorted(now.members))
        write_csv(folder / "changed-members.csv", ["group", "member"], sorted(now.members - before.members))
        write_csv(folder / "removed-members.csv", ["group", "member"], sorted(before.members - now.members))
        return folder


def write_csv(path: Path, header: list[str], rows) -> None:
    """One CSV file in UTF-8."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
