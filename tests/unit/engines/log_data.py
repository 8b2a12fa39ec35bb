"""The logs that tests read, one or more a version, and what is read from each, as text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sparkwell.core.phases import PhaseMark
from sparkwell.engines.vllm.log import StartReader

TESTS = Path(__file__).parents[2]
WRITTEN = TESTS / "data" / "logs"
RECORDED = TESTS / "fixtures" / "logs"
_NAME = re.compile(r"vllm(?:-cpu)?-(\d+)\.(\d+)\.(\d+)-")


@dataclass(frozen=True, slots=True)
class Log:
    """One log; its name begins with the build and the version."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def version(self) -> tuple[int, ...]:
        found = _NAME.match(self.name)
        assert found, self.name
        return tuple(int(part) for part in found.groups())

    @property
    def is_written(self) -> bool:
        return self.path.parent == WRITTEN

    def lines(self) -> list[str]:
        """As the followers cut them: a carriage return ends a line too."""
        return re.split(r"[\r\n]+", self.path.read_bytes().decode("utf-8", "replace"))

    def marks(self) -> Iterator[PhaseMark]:
        reader = StartReader()
        return (mark for mark in map(reader.read, self.lines()) if mark)

    def read(self) -> str:
        """All marks, one a line: phase, share, figures. Equal ones in a row are said once."""
        said = list(dict.fromkeys(_runs(_words(mark) for mark in self.marks())))
        return "".join(line.partition(" ")[2] + "\n" for line in said)


def _runs(lines: Iterator[str]) -> Iterator[str]:
    """Each line with the number of its run, so that a later return is kept."""
    before, run = "", 0
    for line in lines:
        run += line != before
        before = line
        yield f"{run} {line}"


def _words(mark: PhaseMark) -> str:
    share = "-" if mark.fraction is None else f"{mark.fraction:.2f}"
    return " ".join(
        [mark.phase.value, share, *(f"{name}={value:.10g}" for name, value in mark.facts)]
    )


LOGS = sorted(
    (Log(path) for folder in (WRITTEN, RECORDED) for path in folder.glob("vllm-*.log")),
    key=lambda log: (log.version, log.name),
)
