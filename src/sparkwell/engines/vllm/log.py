"""vLLM's log, read: which phase of a start a line tells of, and the figures that it carries.

The wordings are those of vLLM 0.10 to 0.33 (``log_wordings``). A line that is not understood says
nothing, and never something wrong: who shows it can say "working" and the line itself.
"""

import re
from dataclasses import replace

from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.vllm.log_wordings import ANCHORS, Facts

__all__ = ["Facts", "StartReader", "read_error", "read_line"]


def read_line(line: str) -> PhaseMark | None:
    """What ``line`` alone says about the way of a start, or None."""
    for word, anchors in _GROUPS:
        if word in line:
            for anchor in anchors:
                if anchor.needle in line:
                    return None if _is_quoted(line) else anchor.read(line)
    return None


_GROUPS = tuple(ANCHORS.items())


def _is_quoted(line: str) -> bool:
    """Whether it repeats what somebody asked or was answered, who may write what vLLM would."""
    return "Received request " in line or "Generated response " in line


class StartReader:
    """Reads the log of one start in order; knows what went before, which a line does not say.

    A line that vLLM wrapped (its end is a backslash) is read with what follows it. The share of a
    phase never falls: there is a bar for each kind of CUDA graph, and one for files that are read
    ahead of those that load. Lines are taken as they come, so nothing is ever held back.
    """

    def __init__(self) -> None:
        self._wrapped = ""
        self._highest: dict[Phase, float] = {}

    def read(self, line: str) -> PhaseMark | None:
        """What ``line`` says, or None; to be called with every line of the log."""
        if self._wrapped or line.endswith("\\"):
            line = _joined(self._wrapped, line)
            self._wrapped = line[:-1] if _goes_on(line) else ""
        mark = read_line(line)
        return self._remembered(mark) if mark else None

    def _remembered(self, mark: PhaseMark) -> PhaseMark:
        """The mark with the highest share that its phase had so far."""
        before = self._highest.get(mark.phase)
        if mark.fraction is not None and (before is None or mark.fraction >= before):
            self._highest[mark.phase] = mark.fraction
            return mark
        return mark if before is None else replace(mark, fraction=before)


_LONGEST_LINE = 16 * 1024


def _joined(wrapped: str, line: str) -> str:
    return wrapped + _PREFIX.sub("", line, count=1).lstrip() if wrapped else line


def _goes_on(line: str) -> bool:
    return line.endswith("\\") and len(line) < _LONGEST_LINE


def read_error(line: str) -> str | None:
    """The error that ``line`` ends a traceback with ("ValueError: …"), or None.

    vLLM's processes hand an error on to each other and each prints its own; those that only
    say that somebody else failed are None, so that the first one read is the cause.
    """
    if "rror: " not in line and "xception: " not in line:
        return None
    found = _ERROR.match(line)
    if found is None or any(words in found[2] for words in _HANDED_ON):
        return None
    return f"{found[1]}: {found[2]}"


# Who says a line; coloured on a terminal, without a process up to 0.10.0.
_COLOUR = r"(?:\x1b\[[\d;]*m)*"
_PROCESS = rf"{_COLOUR}(?:\([\w-]+ pid=\d+\){_COLOUR} ?)?"
_LEVEL = rf"{_COLOUR} {_COLOUR}[\d-]+ [\d:]+{_COLOUR} {_COLOUR}\[[^\]]+\]{_COLOUR} ?"
_PREFIX = re.compile(rf"{_PROCESS}(?:{_COLOUR}[A-Z]+{_LEVEL})?")
_ERROR = re.compile(
    rf"{_PROCESS}(?:{_COLOUR}ERROR{_LEVEL})?(?:[\w.]+\.)?(\w*(?:Error|Exception)): (\S.*)$"
)
_HANDED_ON = (
    "Engine core initialization failed",
    "WorkerProc initialization failed",
    "See root cause above",
    "EngineCore encountered an issue",
)
