"""Which lines of an engine's log are shown: those that match, those that tell of errors. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator

from sparkwell.core.errors import UsageError

Keeps = Callable[[str], bool]
_SAID_BY = re.compile(r"\(\w+ pid=\d+\) ")
"""Which of vLLM's processes says it; their lines come mixed."""
_BEGINNINGS = ("ERROR", "CRITICAL", "FATAL", "error: ")
"""vLLM's and uvicorn's levels; what Sparkwell writes into the log of a model of Ollama's."""
_LEVELS = ("level=ERROR", "level=FATAL")
"""Ollama's own."""
_CONTROL = re.compile(
    r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
_PICTURES = {chr(code): chr(0x2400 + code) for code in range(0x20)}
_TRACEBACK = "Traceback (most recent call last):"


def matching(pattern: str) -> Keeps:
    """Keep the lines in which a regular expression is found; raises UsageError for a bad one."""
    try:
        found = re.compile(pattern).search
    except re.error as error:
        where = f" at character {error.pos + 1}" if error.pos is not None else ""
        raise UsageError(
            f"{pattern!r} is no regular expression: {error.msg}{where}.",
            hint="A backslash before a sign takes it as it is: \\( or \\*.",
        ) from None
    return lambda line: found(line) is not None


def containing(text: str) -> Keeps:
    """Keep the lines that contain a text, in capitals or not."""
    wanted = text.casefold()
    return lambda line: wanted in line.casefold()


class ErrorLines:
    """Keeps what tells of errors, as lines come: those of that level, and tracebacks as a whole.

    A traceback's lines are indented; the first one of the same process that is not names what was
    raised, and ends it.
    """

    def __init__(self) -> None:
        self._inside: set[str] = set()

    def __call__(self, line: str) -> bool:
        """Whether this line, the next one of the log, is kept."""
        by = found[0] if line[:1] == "(" and (found := _SAID_BY.match(line)) else ""
        words = line[len(by) :]
        if words.startswith(_TRACEBACK):
            self._inside.add(by)
            return True
        if by in self._inside:
            if not words.startswith(" "):
                self._inside.discard(by)
            return True
        return words.startswith(_BEGINNINGS) or (
            "level=" in words and any(level in words for level in _LEVELS)
        )


def harmless(line: str) -> str:
    """The line as a terminal may show it: colours stay, other control characters become visible.

    What an engine logs may come from whoever sends requests, and would be obeyed by a terminal.
    """
    return _CONTROL.sub(lambda found: _PICTURES.get(found[0], "\ufffd"), line)


def kept(lines: Iterable[str], keeps: Iterable[Keeps]) -> Iterator[str]:
    """The lines that all filters keep. Each filter sees every line: some remember what was."""
    filters = tuple(keeps)
    for line in lines:
        if all([each(line) for each in filters]):  # noqa: C419 - a list: none may be left out
            yield line
