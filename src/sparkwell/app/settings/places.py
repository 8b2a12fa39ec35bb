"""Where a setting stands, for checks that come after reading: file, line, field."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.core.documents import dotted

Step = str | int


@dataclass(frozen=True, slots=True)
class Places:
    """The lines of one file. All are equal: settings do not differ by where they stand."""

    file: str = field(default="sparkwell.yaml", compare=False)
    lines: Mapping[tuple[Step, ...], int] = field(default_factory=dict, compare=False)

    def where(self, *path: Step) -> str:
        """``FILE:LINE: FIELD``, without the line for what was not read from a file."""
        line = self.lines.get(path)
        return f"{self.file}{f':{line}' if line else ''}: {dotted(path)}"
