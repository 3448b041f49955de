"""The reference model: what the directory must hold after each request. It shares nothing with the product, and knows no JSON paths."""

from dataclasses import dataclass, field

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

# Attributes that the requests name, beside userName, externalId and active. E-mails are known by their type.
SIMPLE = ("displayName", "title", "nickName", "userType", "locale")
NAME = ("name.givenName", "name.familyName")
EMAILS = ("emails.work", "emails.home")
EXTENSION = ("department", "employeeNumber", "costCenter")
ATTRIBUTES = (*SIMPLE, *NAME, *EMAILS, *EXTENSION, "manager")


@dataclass
class User:
    """One user; `values` holds what is assigned, and nothing else."""

    user_name: str
    external_id: str | None
    active: bool
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class Group:
    """One group; members are ids of users and groups."""

    display_name: str
    external_id: str | None
    members: set[str] = field(default_factory=set)


class Refused(Exception):
    """The request must be refused with one of these statuses, and change nothing."""

    def __init__(self, *statuses: int):
        super().__init__(statuses)
        self.statuses = statuses


class Model:
    """All resources by id."""

    def __init__(self):
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.gone: set[str] = set()

    def check_name(self, name: str, own: str | None = None) -> None:
        """User names are unique whatever their case."""
        if any(user.user_name.lower() == name.lower() for id, user in self.users.items() if id != own):
            raise Refused(409)

    def check_manager(self, values: dict, own: str | None = None) -> None:
        """Nothing is required of a manager; the model only keeps the id."""

    def member_ids(self, ids: set[str]) -> set[str]:
        """Members that can be added: an id that was never issued refuses the request, one that is gone is left out."""
        if any(id not in self.users and id not in self.groups and id not in self.gone for id in ids):
            raise Refused(400, 404)
        return {id for id in ids if id not in self.gone}

    def add_members(self, group: str, ids: set[str]) -> None:
        """Adding is a union; a group that would contain itself is refused."""
        found = self.member_ids(ids)
        if any(id == group or group in self.inside(id) for id in found):
            raise Refused(400)
        self.groups[group].members |= found

    def inside(self, id: str) -> set[str]:
        """The groups below a group, at any depth."""
        found, todo = set(), [id]
        while todo:
            below = {member for member in getattr(self.groups.get(todo.pop()), "members", ()) if member in self.groups}
            todo.extend(below - found)
            found |= below
        return found

    def groups_of(self, user: str) -> dict[str, str]:
        """The groups of a user, and whether the membership is direct."""
        found = {id: "direct" for id, group in self.groups.items() if user in group.members}
        todo = list(found)
        while todo:
            below = todo.pop()
            for id, group in self.groups.items():
                if below in group.members and id not in found:
                    found[id] = "indirect"
                    todo.append(id)
        return found

    def delete(self, id: str) -> None:
        """A deleted object is no member of anything any more."""
        self.users.pop(id, None)
        self.groups.pop(id, None)
        self.gone.add(id)
        for group in self.groups.values():
            group.members.discard(id)

    # ---- how a resource must look ----------------------------------------------------------------------------------

    def user_view(self, id: str) -> dict:
        """A user as `seen_user` sees one."""
        user = self.users[id]
        return {
            "userName": user.user_name, "externalId": user.external_id, "active": user.active,
            "groups": self.groups_of(id), **{name: user.values.get(name) for name in ATTRIBUTES},
        }

    def group_view(self, id: str) -> dict:
        """A group as `seen_group` sees one."""
        group = self.groups[id]
        return {"displayName": group.display_name, "externalId": group.external_id, "members": sorted(group.members)}


def seen_user(body: dict) -> dict:
    """What a user resource says, in the words of the model."""
    found = {"userName": body.get("userName"), "externalId": body.get("externalId"), "active": body.get("active")}
    found["groups"] = {group["value"]: group.get("type", "direct") for group in body.get("groups") or []}
    found.update({name: body.get(name) for name in SIMPLE})
    found.update({name: (body.get("name") or {}).get(name.partition(".")[2]) for name in NAME})
    for name in EMAILS:
        of_type = [email.get("value") for email in body.get("emails") or [] if email.get("type") == name.partition(".")[2]]
        found[name] = of_type[0] if len(of_type) < 2 and of_type else of_type or None
    extension = body.get(ENTERPRISE) or {}
    found.update({name: extension.get(name) for name in EXTENSION})
    found["manager"] = (extension.get("manager") or {}).get("value")
    return found


def seen_group(body: dict) -> dict:
    """What a group resource says, in the words of the model."""
    members = sorted(member["value"] for member in body.get("members") or [])
    return {"displayName": body.get("displayName"), "externalId": body.get("externalId"), "members": members}
