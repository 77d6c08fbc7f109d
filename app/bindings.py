"""Whose a session hash or an event of Gradio's is: who used it first.

Gradio takes anybody who knows one for its owner. Kept in memory, as Gradio keeps what they name;
for one event loop. Knows nothing of what they are names of: Gradio itself takes an event's id for a
session hash where there is none, so they share one space.
"""

from collections import OrderedDict
from uuid import UUID

EACH = 2_000
"""Names that one user has at most: nobody can push out the names of others."""

ALL = 50_000
"""Names in all. Gradio forgets sessions beyond 10,000, earlier than they are forgotten here."""


class Bindings:
    """One per web process. The names used longest ago are forgotten first."""

    def __init__(self, each: int = EACH, in_all: int = ALL) -> None:
        self._each = each
        self._all = in_all
        self._owners: OrderedDict[str, UUID] = OrderedDict()
        self._names: dict[UUID, OrderedDict[str, None]] = {}

    def claim(self, name: str, user_id: UUID) -> bool:
        """Make it this user's unless it is somebody's. Says whether it is this user's now."""
        owner = self._owners.setdefault(name, user_id)
        if owner != user_id:
            return False
        names = self._names.setdefault(user_id, OrderedDict())
        names[name] = None
        self._owners.move_to_end(name)
        names.move_to_end(name)
        if len(names) > self._each:
            self._forget(next(iter(names)))
        if len(self._owners) > self._all:
            self._forget(next(iter(self._owners)))
        return True

    def owns(self, name: str, user_id: UUID) -> bool:
        """Whether it is this user's; what is nobody's stays so."""
        return self._owners.get(name) == user_id

    def __len__(self) -> int:
        return len(self._owners)

    def _forget(self, name: str) -> None:
        owner = self._owners.pop(name)
        names = self._names[owner]
        del names[name]
        if not names:
            del self._names[owner]
