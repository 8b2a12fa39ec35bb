"""How the machine's memory was before each start: what must be there again after its end."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sparkwell.store import Runs
from sparkwell.supervisor.release import Look


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What was seen before a launch, and who lived then, with the bytes that each held."""

    look: Look
    held: Mapping[str, int | None]


class FirstLooks:
    """By instance id. ``runs`` is where the next daemon finds them; None: nowhere."""

    def __init__(self, runs: Runs | None = None) -> None:
        self._runs = runs
        self._known: dict[str, FirstLook] = {}

    def keep(self, instance: str, first: FirstLook) -> None:
        """Remember one, before the launch; those of instances that live no more are forgotten."""
        self._known = {name: one for name, one in self._known.items() if name in first.held}
        self._known[instance] = first
        if self._runs:
            self._runs.saw(instance, json.dumps(asdict(first)))

    def take(self, instance: str) -> FirstLook | None:
        """That of an instance that has ended; None where nobody took one."""
        found = self._known.pop(instance, None)
        written = self._runs.before(instance) if self._runs and found is None else None
        return found if written is None else _read(written)


def _read(written: str) -> FirstLook:
    fields = json.loads(written)
    return FirstLook(Look(**fields["look"]), fields["held"])
