"""Write docs/flags.md from the texts and the recorded history of vLLM's flags: `make docs`.

With --check nothing is written: the exit status is 1 when the file is not what it should be.
"""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from generated import bring_up_to_date
from sparkwell.engines.environments import environment
from sparkwell.engines.vllm.explain import FlagFacts, facts_of
from sparkwell.engines.vllm.history import history, removed_in
from sparkwell.engines.vllm.texts import instead, texts

FILE = Path(__file__).parent.parent / "docs" / "flags.md"
WIDTH = 100
OBJECT = "an object with defaults of its own"
NOTE = "<!-- Written by tools/flag_docs.py from the code: change that, then run `make docs`. -->"
PAGE = """\
# Flags of vLLM

{note}

`sparkwell flags` prints this for any version of vLLM: `sparkwell flags NAME --engine-version V`.
Which flags a version takes and their defaults were read in its sources, without running them, for
these versions:

{versions}.

Of a version between two of them a flag that only one takes is passed on, with a warning.

Flags are written with underscores or dashes, in `models.NAME.flags` of sparkwell.yaml, in a
recipe's `serve.flags`, or as `--set FLAG=VALUE`. [settings.md](settings.md) lists those that cannot
be set because Sparkwell sets them itself.

The default is what vLLM {version} does when the flag is left out; where the engine chooses when it
starts, it says what it chooses.

{table}

{sections}

## Flags that are gone

A flag that the engine's version no longer takes is refused, with what to do instead. "Gone by" is
the first version read that does not take it.

{removed}
"""


def page(version: str) -> str:
    """The whole page, with the defaults of that version of vLLM."""
    found = [facts_of(name, version) for name in texts().flags]
    present = [facts for facts in found if facts.exists]
    rows = (
        (f"[`{facts.name}`](#{facts.name})", facts.default or OBJECT, facts.text.purpose)
        for facts in present
    )
    gone = sorted(name for name in history().flags if removed_in(name))
    return PAGE.format(
        note=NOTE,
        version=version,
        versions=textwrap.fill(", ".join(str(known) for known in history().versions), WIDTH),
        table=table(("flag", f"default in {version}", "what it is for"), rows),
        sections="\n\n".join(section(facts) for facts in present),
        removed=table(("flag", "last seen in", "gone by", "instead"), map(removed_row, gone)),
    )


def section(facts: FlagFacts) -> str:
    """One flag: what it does, then a line for each thing that is known."""
    lines = "\n".join(f"- **{label}:** {said}" for label, said in points(facts) if said)
    said = textwrap.fill(facts.text.explanation, WIDTH)
    return f"## {facts.name}\n\n{said}\n\n{lines}"


def points(facts: FlagFacts) -> Iterator[tuple[str, str]]:
    """Label and text of every line, empty ones too."""
    yield "Takes", facts.takes
    yield "Default", facts.default or OBJECT
    yield (
        "Default by version",
        "; ".join(f"{value} from {since} on" for since, value in facts.changes),
    )
    yield "Gains", facts.text.gains
    yield "Costs", facts.text.costs
    yield "Advice", facts.text.advice
    yield "Seen in", f"{facts.first} to {facts.last}"


def removed_row(name: str) -> tuple[str, ...]:
    """A row of the last table."""
    record = history().flags[name]
    return f"`{name}`", str(record.last), removed_in(name) or "", instead(name) or ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(escape(part) for part in line)} |" for line in lines)


def escape(text: str) -> str:
    """A cell's text with what would end the cell made harmless."""
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(bring_up_to_date({FILE: page(environment("vllm").version)}, sys.argv[1:]))
