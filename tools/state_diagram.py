"""Write the state diagram into docs/supervisor.md from a walk of the machine: `make docs`.

With --check nothing is written: the exit status is 1 when the page is not what it should be.
"""

import sys
from collections import Counter
from pathlib import Path

from generated import bring_up_to_date
from state_walk import NOTHING, SEED, STEPS, Seen, Transitions, transitions

FILE = Path(__file__).parent.parent / "docs" / "supervisor.md"
BEGIN = "<!-- begin: written by tools/state_diagram.py, run `make docs` -->"
END = "<!-- end -->"
ORDER = (
    NOTHING,
    "preparing",
    "queued",
    "starting",
    "ready",
    "draining",
    "sleeping",
    "asleep",
    "waking",
    "stopping",
    "failed",
    "lost",
)
FAULTS = frozenset(("failed", "lost"))
"""Left out of the picture unless one of them is left: they can be reached from nearly anywhere."""


def ordered(found: Transitions) -> list[tuple[str, str, Seen]]:
    """The changes in the order of a life."""
    keys = sorted(found, key=lambda key: (ORDER.index(key[0]), ORDER.index(key[1])))
    return [(old, new, found[old, new]) for old, new in keys]


def diagram(found: Transitions) -> str:
    """A Mermaid picture; an edge has the events that the walk saw most, three at most."""
    lines = ["```mermaid", "stateDiagram-v2"]
    for old, new, seen in ordered(found):
        if new in FAULTS and old not in ("starting", "ready", "stopping"):
            continue
        causes = ", ".join(plain(cause) for cause, _ in most(seen.causes)[:3])
        lines.append(f"    {node(old)} --> {node(new)}: {causes}")
    return "\n".join([*lines, "```"])


def table(found: Transitions) -> str:
    """Every change that the walk saw."""
    rows = ["| from | to | by | what is done and told |", "|---|---|---|---|"]
    for old, new, seen in ordered(found):
        causes = ", ".join(cause for cause, _ in most(seen.causes))
        rows.append(f"| {old} | {new} | {causes} | {effects(seen)} |")
    return "\n".join(rows)


def effects(seen: Seen) -> str:
    """What was always done, and in brackets what sometimes."""
    always = sorted(name for name, times in seen.effects.items() if times == seen.times)
    sometimes = sorted(name for name, times in seen.effects.items() if times < seen.times)
    return ", ".join(always + [f"({name})" for name in sometimes])


def most(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, equals by name."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def node(state: str) -> str:
    """A state as Mermaid names it."""
    return "[*]" if state == NOTHING else state


def plain(cause: str) -> str:
    """Without what Mermaid would show as it is."""
    return cause.replace("`", "")


def page() -> str:
    """The whole page, with its generated part new."""
    text = FILE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    found = transitions()
    told = (
        f"Seen in a walk of {STEPS:,} steps with the seed {SEED}. **Bold** are effects, which the "
        "actor carries out; in brackets what happens only sometimes."
    )
    part = "\n\n".join((BEGIN, diagram(found), told, table(found), END))
    return before + part + after


if __name__ == "__main__":
    sys.exit(bring_up_to_date({FILE: page()}, sys.argv[1:]))
