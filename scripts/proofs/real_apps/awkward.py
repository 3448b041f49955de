"""The generator of the proof foreign-app, and among its changes users that apps are known to stumble over."""

from generate import EVERYONE, Generator, User

AWKWARD = [
    # What must be quoted in a filter.
    User("A-0", 'jo.o"neil\\x@meridian.example', "Jo", "O'Neil", "jo.oneil@meridian.example", "Engineer", "Care"),
    # No work e-mail, and a userName that is no e-mail either.
    User("A-1", "kiosk-07", "Kiosk", "Seven", "", "Analyst", "Supply"),
    # Letters outside ASCII: comparing without case is not a matter of bytes.
    User("A-2", "Zoë.Ångström@meridian.example", "Zoë", "Ångström", "zoe@meridian.example", "Nurse", "Care"),
]
GROUP = "g-001"


class AwkwardGenerator(Generator):
    """Adds the awkward users, as members of a pushed group, to the first changes."""

    def _move(self, joined: list[str]) -> None:
        super()._move(joined)
        for user in AWKWARD:
            if user.external_id not in self.now.users:
                self._put(user)
                self.now.members |= {(EVERYONE, user.external_id), (GROUP, user.external_id)}
