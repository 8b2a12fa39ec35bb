"""A plan that does not fit, and one remedy for it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sparkwell.catalog.recipe import FlagValue
from sparkwell.hardware.machine import Machine
from sparkwell.planner.fit import UTILIZATION, Case, Flags, largest_safe_utilization

Change = dict[str, FlagValue]


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to know: what is the matter, what to do, and the flags that do it.

    ``flags`` are empty where no flag helps. ``id`` is stable.
    """

    id: str
    message: str
    remedy: str
    flags: dict[str, FlagValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A plan that does not fit: the flags, ``why`` in words, and what there is to turn to.

    ``share_alone`` says that another share mends it; then no other change needs one.
    """

    case: Case
    flags: Flags
    why: str
    siblings: Mapping[str, str]
    others: tuple[Machine, ...]
    share_alone: bool = False

    def advice(self, name: str, remedy: str, change: Change | None = None) -> Advice:
        """A remedy for it."""
        return Advice(name, self.why, remedy, change or {})

    def with_change(self, change: Change) -> Change | None:
        """The change, with a safe share where it takes one; None where it does not help."""
        if self.case.fits({**self.flags, **change}):
            return change
        if self.share_alone:
            return None
        share = largest_safe_utilization(self.case, {**self.flags, **change})
        return None if share is None else {**change, UTILIZATION: share}


def first_that_helps(
    trouble: Trouble, name: str, flag: str, values: Iterable[int]
) -> Iterator[Advice]:
    """The first value of a flag with which it fits."""
    for value in values:
        change = trouble.with_change({flag: value})
        if change:
            yield trouble.advice(name, f"{instruction(change)}.", change)
            return


def instruction(change: Change) -> str:
    """The change as an instruction."""
    return f"Set {_listed(change, 'to')}"


def addition(change: Change, before: str = "and set") -> str:
    """The change as an addition to an instruction, nothing where there is none."""
    return f" {before} {_listed(change, 'at' if before == 'with' else 'to')}" if change else ""


def _listed(change: Change, to: str) -> str:
    parts = [f"{name} {to} {_value(value)}" for name, value in change.items()]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _value(value: FlagValue) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
