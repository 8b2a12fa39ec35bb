"""Write docs/guide-check.md: every claim of the guides beside Sparkwell's own figure.

With --check nothing is written: the exit status is 1 when the file is not what it should be.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from generated import bring_up_to_date
from sparkwell.app.guides.check import Checked, check_all
from sparkwell.app.guides.figures import Figures
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.catalog import load_catalog
from sparkwell.catalog.guide_claims import Contradiction, load_contradictions, load_guides

PAGE = Path(__file__).parent.parent / "docs" / "guide-check.md"
VERDICTS = ("right", "wrong", "outdated", "cannot tell")

TEXT = """\
# The guides, checked

<!-- Written by tools/guide_check_docs.py from src/sparkwell/catalog/guides: change those, then run
`make docs`. -->

Five guides, written by hand, describe how to serve Qwen3-32B, Qwen3-8B, Qwen3-30B-A3B, Llama 3.3
70B and Ollama on a DGX Spark. This page has every claim of theirs that can be checked, with the
lines it stands in, Sparkwell's own figure, and a verdict. Figures of memory, speed and time are
computed for a DGX Spark with the guide's flags and vLLM {version} (the guides' image) each time
this page is made; how exact they are is in [accuracy.md](accuracy.md). A claim about a figure is
right when the figure lies within what the claim says; "about" may mean 10 %. {computed} claims are
computed so; the others were judged by reading the source that the claim's entry in
`src/sparkwell/catalog/guides/` names. "Cannot tell" says what would be needed.

{summary}

## Where the guides contradict each other

{contradictions}

{sections}
"""


def planning() -> Planning:
    """A planner with the package's own recipes alone."""
    return Planning(find_paths({"HOME": "/nonexistent"}), load_catalog(), {})


def page() -> str:
    """The whole page."""
    figures = Figures(planning())
    guides = [(guide, check_all(guide.claims, figures)) for guide in load_guides()]
    every = [checked for _, claims in guides for checked in claims]
    sections = "\n\n".join(
        f"## {guide.title} ({guide.document})\n\n{claims_table(claims)}" for guide, claims in guides
    )
    return TEXT.format(
        version="0.10.1.1",
        computed=sum(checked.claim.check is not None for checked in every),
        summary=summary(every),
        contradictions="\n".join(map(contradiction, load_contradictions())),
        sections=sections,
    )


def summary(every: Iterable[Checked]) -> str:
    """How many claims of each topic got which verdict."""
    counts = Counter((checked.claim.topic, checked.verdict) for checked in every)
    topics = sorted({topic for topic, _ in counts})
    rows = [[topic, *(counts[topic, verdict] for verdict in VERDICTS)] for topic in topics]
    totals = [sum(row[column] for row in rows) for column in range(1, len(VERDICTS) + 1)]
    return "\n".join(table(["topic", *VERDICTS], [*rows, ["**all**", *totals]]))


def contradiction(found: Contradiction) -> str:
    """One item of the list."""
    return f"- **{found.about}** {found.resolution} ({', '.join(found.claims)})"


def claims_table(claims: Iterable[Checked]) -> str:
    """The claims of one guide."""
    rows = [
        [
            ", ".join(str(place.line) for place in checked.claim.places),
            said(checked),
            checked.says,
            checked.verdict if checked.verdict == "right" else f"**{checked.verdict}**",
            checked.claim.why,
        ]
        for checked in claims
    ]
    return "\n".join(table(["lines", "the guide says", "Sparkwell says", "verdict", "why"], rows))


def said(checked: Checked) -> str:
    """The claim with the guide's own label, where it has one."""
    claim = checked.claim
    return claim.says if claim.label == "stated" else f"{claim.says} ({claim.label})"


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A Markdown table."""
    cells = list(head)
    yield line(cells)
    yield line(["---"] * len(cells))
    yield from map(line, rows)


def line(cells: Iterable[object]) -> str:
    """One row; a bar within a cell is no border."""
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(bring_up_to_date({PAGE: page()}, sys.argv[1:]))
