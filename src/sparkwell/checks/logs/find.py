"""Finding something in a log, and saying where it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.snapshot import Snapshot

LONGEST = 300
"""Characters of a line that evidence shows."""
_QUOTES = ("Received request ", "Generated response ", "Error with model ")
# uvicorn's and Ollama's line about one request: its path is whatever somebody asked for.
_ACCESS = re.compile(r'\S{1,80} - (?="[A-Z]{3,8} )|\[GIN\] [^"]{0,120}(?=")')


@dataclass(frozen=True, slots=True)
class Found:
    """A line and what of it matched."""

    line: LogLine
    match: re.Match[str]

    def __getitem__(self, group: str | int) -> str:
        """A group of the pattern; empty where it did not take part."""
        return self.match[group] or ""


def logs(snapshot: Snapshot) -> tuple[LogDigest, ...]:
    """The logs of a snapshot; none where none were collected."""
    return snapshot.logs or ()


def find_all(log: LogDigest, pattern: re.Pattern[str]) -> Iterator[Found]:
    """The lines in whose words the pattern is found.

    What repeats somebody's question, its path or an answer is left out: who sends requests may
    write there what an engine would.
    """
    for line in log.lines:
        words = line.words
        if (match := pattern.search(words)) and not _is_asked(words, match.start()):
            yield Found(line, match)


def is_access(line: LogLine) -> bool:
    """Whether the line tells of one request at uvicorn or Ollama."""
    return _ACCESS.match(line.words) is not None


def _is_asked(words: str, at: int) -> bool:
    """Whether what stands there are words of a request."""
    access = _ACCESS.match(words)
    return words.startswith(_QUOTES) or (access is not None and at > access.end())


def find(log: LogDigest, *patterns: re.Pattern[str]) -> Found | None:
    """The first line in which the first of the patterns that stands anywhere is found."""
    return next((found for pattern in patterns for found in find_all(log, pattern)), None)


def find_last(log: LogDigest, pattern: re.Pattern[str]) -> Found | None:
    """The last line in which the pattern is found."""
    return next(reversed(tuple(find_all(log, pattern))), None)


def quoted(log: LogDigest, *lines: LogLine) -> tuple[str, ...]:
    """The lines as evidence: where each stands, and what it says."""
    return tuple(f"{log.source}, line {line.number}: {_cut(line.text)}" for line in lines)


def name_of(log: LogDigest) -> str:
    """What a finding about this log is about: the model where it is known, else the source."""
    return log.model or log.source


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
