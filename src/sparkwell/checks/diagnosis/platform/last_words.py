"""How a log ends: whether its engine died, and the first error behind that."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sparkwell.checks.logs.find import is_access
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.engines.vllm.log import read_error, read_line

_STARTED = re.compile(r"Application startup complete")
# Whoever ends vLLM: its processes then report each other's death.
_STOPPED = re.compile(
    r"\[shutdown\] (?:API server: shutdown triggered|EngineCore: trigger received)"
    r"|^(?:INFO: {1,5})?Shutting down$|received signal=SIG(?:TERM|INT)|Received KeyboardInterrupt"
)
_DIED = re.compile(
    r"EngineCore(?:_DP\d+)? (?:failed to start|encountered a fatal error|encountered an issue)"
    r"|Engine core initialization failed|Engine core proc\w* \S{1,80} died"
    r"|WorkerProc (?:failed to start|initialization failed)|\bEngineDeadError\b"
    r"|\bdied (?:unexpectedly|with exit code)|engine core exited unexpectedly"
    r"|^Fatal Python error: |^terminate called after throwing|^Segmentation fault|^Aborted \(core"
    r"|^!!!!!!! Segfault encountered|^Killed$|^Bus error"
)
_KILLED = re.compile(
    r"exit code: (?P<code>-\d{1,2})\b|died with exit code (?P<also>-\d{1,2})\b|^(?P<how>Killed)$"
    r"|^(?P<fault>Segmentation fault|Bus error|Aborted \(core dumped\)|Fatal Python error: .{1,80})"
)
_BARE = re.compile(r"^(?:\w+\.){0,8}(\w+(?:Error|Exception))$")
# An exception that is not called one: "triton.runtime.errors.OutOfResources: out of resource".
_OTHER = re.compile(r"^(?:[a-z_]\w*\.){1,8}([A-Z]\w*(?<!Error)(?<!Exception)): (\S.*)$")
_BELOW = 3


@dataclass(frozen=True, slots=True)
class LastWords:
    """A death. ``error`` is the first one behind it, ``killed`` how it was ended from outside.

    ``lines`` are those to show: what went before, the error, and the line that tells of the end.
    """

    error: str | None
    killed: str | None
    lines: tuple[LogLine, ...]


def last_words(log: LogDigest) -> LastWords | None:
    """How the engine died; None where it lives, was asked to end, or nothing can be told.

    An error after which the start went on, or one request's, is none.
    """
    start = _after(log.lines, _is_started)
    tail = [line for line in _after(start, _goes_on) if not is_access(line)]
    stop = next((at for at, line in enumerate(tail) if _STOPPED.search(line.words)), len(tail))
    before = tail[:stop]
    ends = [line for line in before if _DIED.search(line.words)]
    errors = [(line, text) for line in before if (text := _error(line))]
    ready = len(start) < len(log.lines)
    if not ends and (ready or not errors):
        return None
    return _told(log, ends, errors or [(line, text) for line in start if (text := _error(line))])


def _told(
    log: LogDigest, ends: Sequence[LogLine], errors: Sequence[tuple[LogLine, str]]
) -> LastWords:
    cause, error = _said_below(log, *errors[0]) if errors else (ends[0], None)
    found = next((each for line in ends if (each := _KILLED.search(line.words))), None)
    shown = [*_before(log, cause), cause, *ends[-1:]]
    unique = {line.number: line for line in shown}
    return LastWords(error, _how(found) if found else None, tuple(unique.values()))


def _said_below(log: LogDigest, line: LogLine, error: str) -> tuple[LogLine, str]:
    """Pydantic counts the errors, and says on the next lines what they are."""
    if "ValidationError: " not in error:
        return line, error
    below = (each for each in log.lines if 0 < each.number - line.number <= _BELOW)
    found = next((each for each in below if each.words.lstrip().startswith("Value error, ")), None)
    return (found, found.words.strip()) if found else (line, error)


def _before(log: LogDigest, cause: LogLine) -> list[LogLine]:
    """What the engine last said that it does, before it failed."""
    earlier = [line for line in log.lines if line.number < cause.number]
    return [line for line in earlier if line.level in ("info", "warning") and line.words][-1:]


def _how(found: re.Match[str]) -> str:
    code = found["code"] or found["also"]
    if code:
        return f"signal {-int(code)}{' (SIGKILL)' if code == '-9' else ''}"
    return found["fault"] or "SIGKILL"


def _error(line: LogLine) -> str | None:
    """The error that the line ends a traceback with, also one without words (AssertionError)."""
    if line.level in ("info", "debug"):
        return None
    if found := read_error(line.text):
        return found
    if other := _OTHER.match(line.words):
        return f"{other[1]}: {other[2]}"
    bare = _BARE.match(line.words)
    return bare[1] if bare else None


def _is_started(line: LogLine) -> bool:
    return _STARTED.search(line.words) is not None


def _goes_on(line: LogLine) -> bool:
    return line.level != "error" and read_line(line.text) is not None


def _after(lines: Sequence[LogLine], wanted: Callable[[LogLine], bool]) -> Sequence[LogLine]:
    """What comes after the last such line; all where there is none."""
    last = max((at for at, line in enumerate(lines) if wanted(line)), default=-1)
    return lines[last + 1 :]
