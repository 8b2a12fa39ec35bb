"""What is asked of events and logs, and what is told of them, as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which past events: older than ``before`` (a seq), at most ``limit``, the newest ones.

    ``kind`` is how a kind begins, ``text`` a part of the message in any case; "" is all.
    """

    before: int | None = None
    limit: int = 100
    kind: str = ""
    model: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines of a log: the last ``tail`` that contain the text ``grep``, in any case.

    Live lines are those after the position ``after``, None: after the end of now.
    """

    tail: int = 500
    grep: str = ""
    errors: bool = False
    after: int | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; ``number`` counts from 1 where it is known.

    ``position`` is where it ends in the log, in bytes: reading can go on from there.
    """

    text: str
    error: bool = False
    number: int | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """The end of a run's log. ``more`` tells whether older lines match too.

    ``searched_bytes`` is how far from the end was searched where that is not the whole log and
    fewer lines than asked for were found. ``ended`` says how the run ended, None while it lives.
    ``problem`` is why a filter was not used.
    """

    run: str
    lines: tuple[LogLine, ...] = ()
    more: bool = False
    total_bytes: int | None = None
    ended: str | None = None
    problem: str | None = None
    position: int | None = None
    searched_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class FirstFailure:
    """The first failure in a model's row, kept when its log is long gone."""

    instance: str
    reason: str
    failures: int
    lines: tuple[str, ...]
