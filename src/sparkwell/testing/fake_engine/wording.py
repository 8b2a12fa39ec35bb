"""vLLM's log lines by version, read from ``styles/NAME.txt``.

Such a file names the version and the engine core's name in a line's prefix, then the lines of
each phase under ``== phase``: those printed when it begins, ``...`` or a ``tqdm`` line for the
time it takes, those printed when it ends. A line's first word is who says it: ``api``, ``core``
and ``worker`` log through vLLM's logger, ``uvicorn`` through its own, ``bare`` has no prefix.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkwell.core.phases import Phase

_FOLDER = Path(__file__).parent / "styles"
STYLES = tuple(sorted(path.stem for path in _FOLDER.glob("*.txt")))


@dataclass(frozen=True, slots=True)
class PhaseLines:
    """What is logged when a phase begins, while it goes on (tqdm), when it ends."""

    opening: tuple[str, ...] = ()
    progress: str | None = None
    closing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Style:
    """How one version of vLLM words its start."""

    version: str
    core: str
    prefixed_output: bool  # whether uvicorn's and tqdm's lines have the prefix too
    phases: Mapping[Phase, PhaseLines]

    def lines(self, phase: Phase) -> PhaseLines:
        """Find the lines of a phase; a version without that phase has none."""
        return self.phases.get(phase, PhaseLines())


def load_style(name: str) -> Style:
    """Read the wording of one version from the file that ships with the package."""
    return parse_style((_FOLDER / f"{name}.txt").read_text(encoding="utf-8"))


def parse_style(text: str) -> Style:
    """Take a style file apart."""
    head, *sections = text.split("\n== ")
    facts = dict(line.split(" ", 1) for line in _lines(head))
    return Style(
        version=facts["version"],
        core=facts["core"],
        prefixed_output=facts["prefixed_output"] == "yes",
        phases=dict(_section(section) for section in sections),
    )


def _section(text: str) -> tuple[Phase, PhaseLines]:
    name, *lines = _lines(text)
    middle = next((at for at, line in enumerate(lines) if _is_middle(line)), len(lines))
    progress = next((line.removeprefix("tqdm ") for line in lines if _is_tqdm(line)), None)
    return Phase(name), PhaseLines(
        opening=tuple(lines[:middle]),
        progress=progress.replace("\\r", "\r") if progress else None,
        closing=tuple(lines[middle + 1 :]),
    )


def _lines(text: str) -> Iterable[str]:
    return (line for line in text.splitlines() if line and not line.startswith("#"))


def _is_middle(line: str) -> bool:
    return line == "..." or _is_tqdm(line)


def _is_tqdm(line: str) -> bool:
    return line.startswith("tqdm ")
