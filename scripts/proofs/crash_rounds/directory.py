"""What the directory holds, read through the command line, and what it must hold at a generation."""

from dataclasses import dataclass

from generate import Directory
from lockstep_cli import Lockstep


@dataclass(frozen=True)
class State:
    """Users as (externalId, userName, displayName, active), groups as (externalId, displayName), members as (group, userName)."""

    users: frozenset
    groups: frozenset
    members: frozenset

    def differences(self, other: "State") -> int:
        """How many rows are in one of them only."""
        pairs = ((self.users, other.users), (self.groups, other.groups), (self.members, other.members))
        return sum(len(mine ^ theirs) for mine, theirs in pairs)


def read(lockstep: Lockstep) -> State:
    """The directory now."""
    users = lockstep.read("user", "list", "--limit", "10000")
    groups = lockstep.read("group", "list", "--limit", "10000")
    members = set()
    for group in groups:
        shown = lockstep.read("group", "show", group["externalId"], "--limit", "10000")
        if shown["more"]:
            raise SystemExit(f"group {group['externalId']} was not shown whole")
        members |= {(group["externalId"], user["userName"]) for user in shown["users"]}
    return State(
        frozenset((user["externalId"], user["userName"], user["displayName"], user["active"]) for user in users),
        frozenset((group["externalId"], group["displayName"]) for group in groups),
        frozenset(members),
    )


def expected(now: Directory, more_members: set = frozenset()) -> State:
    """The directory of a generation; `more_members` are those of the one before that a load alone does not remove."""
    names = {user.external_id: user.user_name for user in now.users.values()}
    return State(
        frozenset(
            (user.external_id, user.user_name, f"{user.given} {user.family}", user.active) for user in now.users.values()
        ),
        frozenset(now.groups.items()),
        frozenset((group, names[user]) for group, user in now.members | more_members),
    )
