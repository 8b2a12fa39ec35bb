"""Leases of models that serve, counted beside the box until somebody looks into it.

Nearly all that happens is that a request comes for a model that is ready, and goes again. A step of
the whole machine, which makes a new box, would come to the same, and costs thirty times as much.
"""

from sparkwell.supervisor.box import Box
from sparkwell.supervisor.instance import serving_now


class Uses:
    """How the counts of leases have changed since the box was last made up to date."""

    __slots__ = ("_changes", "_ended_at")

    def __init__(self) -> None:
        self._changes: dict[str, int] = {}
        self._ended_at: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether the box is behind."""
        return bool(self._changes)

    def more(self, instance: str) -> None:
        """One more lease of an instance is out."""
        self._changes[instance] = self._changes.get(instance, 0) + 1

    def fewer(self, instance: str, at: float) -> None:
        """One is back, at that time of the box."""
        self._changes[instance] = self._changes.get(instance, 0) - 1
        self._ended_at[instance] = at

    def of(self, instance: str) -> int:
        """By how many its leases are more than the box says."""
        return self._changes.get(instance, 0)

    def into(self, box: Box) -> Box:
        """The box as steps would have made it; nothing is left to be done then."""
        changes, ended_at = self._changes, self._ended_at
        self._changes, self._ended_at = {}, {}
        for name, change in changes.items():
            instance = box.get(name)
            if instance is None:
                continue
            serving = max(0, instance.serving + change)
            idle_since = ended_at.get(name, instance.idle_since) if serving == 0 else None
            box = box.with_(serving_now(instance, serving, idle_since))
        return box
