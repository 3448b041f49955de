"""How the same change looks when Okta and when Entra send it: fields dropped, odd case, booleans as text, nulls, unknown members."""

from random import Random

from model import EMAILS, ENTERPRISE, EXTENSION, NAME, SIMPLE, User

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Shapes:
    """Draws the shapes; the same seed draws the same ones."""

    def __init__(self, random: Random):
        self.random = random

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def odd(self, name: str) -> str:
        """An attribute name, sometimes in another case."""
        return self.random.choice([name.lower(), name.upper(), name.capitalize()]) if self.chance(0.1) else name

    def boolean(self, value: bool):
        """A boolean as it may come."""
        return self.random.choice([value, value, str(value), str(value).lower()])

    # ---- resources -------------------------------------------------------------------------------------------------

    def user(self, user: User, okta: bool, name_active: bool = True) -> dict:
        """A whole user for POST and PUT."""
        body = {"schemas": [CORE] if okta else [CORE, ENTERPRISE], self.odd("userName"): user.user_name}
        if user.external_id is not None:
            body["externalId"] = user.external_id
        if name_active:
            body["active"] = self.boolean(user.active) if not okta else user.active
        for name in SIMPLE:
            if name in user.values:
                body[self.odd(name)] = user.values[name]
            elif self.chance(0.1):
                body[name] = None
        parts = {name.partition(".")[2]: user.values[name] for name in NAME if name in user.values}
        if parts or self.chance(0.1):
            body["name"] = parts
        emails = [{"type": name.partition(".")[2], "value": user.values[name]} for name in EMAILS if name in user.values]
        if emails or self.chance(0.2):
            body["emails"] = emails
        extension = {name: user.values[name] for name in EXTENSION if name in user.values}
        if "manager" in user.values:
            extension["manager"] = {"value": user.values["manager"]} if self.chance(0.5) else user.values["manager"]
        if extension:
            body[ENTERPRISE] = extension
            if ENTERPRISE not in body["schemas"]:
                body["schemas"].append(ENTERPRISE)
        if okta:
            body.update({"groups": [], "id": "ignored", "meta": {"resourceType": "User"}})
        if self.chance(0.1):
            body["somethingUnknown"] = "x"
        return body

    # ---- PATCH -----------------------------------------------------------------------------------------------------

    def patch(self, operations: list) -> dict:
        """A PATCH body, sometimes without schemas."""
        body = {self.random.choice(["Operations", "Operations", "operations"]): operations}
        if not self.chance(0.1):
            body["schemas"] = [PATCH]
        return body

    def op(self, name: str) -> str:
        return self.random.choice([name, name.capitalize()])

    def path(self, name: str) -> str:
        """Where an attribute of the model stands."""
        if name in EMAILS:
            return f'{self.odd("emails")}[type eq "{name.partition(".")[2]}"].value'
        if name in EXTENSION or name == "manager":
            return f"{ENTERPRISE}:{name}"
        return self.odd(name)

    def set(self, name: str, value: str) -> dict:
        """One operation that assigns an attribute, with a path."""
        if name == "manager" and self.chance(0.5):
            return {"op": self.op("replace"), "path": self.path(name), "value": {"value": value}}
        return {"op": self.op(self.random.choice(["add", "replace"])), "path": self.path(name), "value": value}

    def clear(self, name: str) -> dict:
        """One operation that takes an attribute away."""
        if name in EMAILS:
            return {"op": self.op("remove"), "path": f'emails[type eq "{name.partition(".")[2]}"]'}
        if name == "manager" and self.chance(0.3):
            return {"op": self.op("replace"), "path": self.path(name), "value": ""}
        if self.chance(0.2):
            return {"op": self.op("replace"), "path": self.path(name), "value": None}
        return {"op": self.op("remove"), "path": self.path(name)}

    def pathless(self, values: dict) -> dict:
        """One operation without a path: dotted keys and URN keys, or nested."""
        body = {}
        nested = self.chance(0.5)
        for name, value in values.items():
            if name in EXTENSION or name == "manager":
                value = {"value": value} if name == "manager" else value
                if nested:
                    body.setdefault(ENTERPRISE, {})[name] = value
                else:
                    body[f"{ENTERPRISE}:{name}"] = value
            elif name in NAME and nested:
                body.setdefault("name", {})[name.partition(".")[2]] = value
            else:
                body[name] = value
        return {"op": self.op(self.random.choice(["add", "replace"])), "value": body}

    def active(self, value: bool, okta: bool) -> dict:
        """Switches a user on or off."""
        if okta:
            return {"op": "replace", "value": {"active": value}}
        return {"op": self.op(self.random.choice(["replace", "add"])), "path": self.odd("active"), "value": self.boolean(value)}

    # ---- members ---------------------------------------------------------------------------------------------------

    def add_members(self, ids: list[str], okta: bool) -> list[dict]:
        """Members are added, in one operation or in several."""
        member = (lambda id: {"value": id, "display": "Some Name"}) if okta else (lambda id: {"$ref": None, "value": id})
        if self.chance(0.3):
            return [{"op": self.op("add"), "path": self.odd("members"), "value": [member(id)]} for id in ids]
        return [{"op": self.op("add"), "path": self.odd("members"), "value": [member(id) for id in ids]}]

    def remove_members(self, ids: list[str], okta: bool) -> list[dict]:
        """Members are removed by filter (Okta) or by a list of values (Entra)."""
        if okta:
            return [{"op": "remove", "path": f'members[value eq "{id}"]'} for id in ids]
        return [{"op": self.op("remove"), "path": self.odd("members"), "value": [{"value": id} for id in ids]}]
