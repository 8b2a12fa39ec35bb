"""One line as it is kept: without colours, what others put before it, and secrets. Pure."""

import re
import unicodedata

from sparkwell.checks.logs.chunks import last_state
from sparkwell.checks.logs.parts import Level, LogLine
from sparkwell.checks.logs.redact import redact

LONGEST = 2_000
"""Characters that are kept of a line."""

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|[()*+][0-9A-Za-z]"
    r"|[@-Z\\^_78=>c])"
)
_ODD = re.compile(r"[^\t -~]")
# What Compose, Docker, a kubelet and journald put before a line: whose it is, and when it came.
_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d) "
_BY = r"[\w.-]{1,64} [\w./@-]{1,64}(?:\[\d{1,10}\])?: "
_CARRIER = re.compile(
    rf"(?:[\w][\w.-]{{0,80}} +\|(?: |$))?"
    rf"(?:{_ISO}(?:stdout [FP] |stderr [FP] |{_BY})?|\S{{2,8}} +\d{{1,2}} \d\d:\d\d:\d\d {_BY})?"
)
_SPEAKER = re.compile(
    r"(?:\((?P<process>[\w-]{1,64})(?: rank=\d{1,6})? pid=(?P<pid>\d{1,10})"
    r"(?:, ip=[^)]{1,45})?\) ?){0,2}"
    r"(?:(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) [\d-]{5,10} [\d:.,]{8,16} "
    r"\[?[^\]\s]{1,100}\] ?"
    r"|(?P<uvicorn>DEBUG|INFO|WARNING|ERROR|CRITICAL): {1,8}"
    r"|(?:time=\S{1,40} )?level=(?P<ollama>[A-Z]{4,8}) ?)?"
)
_LEVELS: dict[str, Level] = {
    "DEBUG": "debug",
    "TRACE": "debug",
    "INFO": "info",
    "WARN": "warning",
    "WARNING": "warning",
    "ERROR": "error",
    "FATAL": "error",
    "CRITICAL": "error",
}


def bare(raw: bytes) -> str:
    """The line as its program wrote it; secrets are still in it."""
    text = last_state(raw).decode(errors="replace")
    if "\x1b" in text:  # what looks like a colour may be part of a secret, or within it
        text = _ESCAPE.sub("", redact(text))
    if not text.isprintable():
        text = _ODD.sub(_shown, text)
    carrier = _CARRIER.match(text)
    return text[carrier.end() :] if carrier else text


def written(number: int, text: str, longest: int = LONGEST) -> LogLine:
    """The line to keep of what ``bare`` gave."""
    text = redact(text)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    match = _SPEAKER.match(text)
    if match is None:
        return LogLine(number, text)
    level = match["level"] or match["uvicorn"] or match["ollama"] or ""
    return LogLine(
        number,
        text,
        begins=match.end(),
        process=match["process"],
        pid=int(match["pid"]) if match["pid"] else None,
        level=_LEVELS.get(level),
    )


def begin(text: str) -> int:
    """Where the words begin in what ``bare`` gave."""
    match = _SPEAKER.match(text)
    return match.end() if match else 0


def _shown(odd: re.Match[str]) -> str:
    """A sign as it may be shown: control characters as pictures, others that do not print as �."""
    sign = odd[0]
    if sign.isprintable():
        return sign
    code = ord(sign)
    if code in {0x7F, *range(0x20)}:
        return "␡" if code == 0x7F else chr(0x2400 + code)
    return " " if unicodedata.category(sign) == "Zs" else "\ufffd"


def joined(wrapped: str, text: str) -> str | None:
    """A line that ended in a backslash with what follows it; None where another one speaks."""
    before, after = _SPEAKER.match(wrapped), _SPEAKER.match(text)
    if after and before and after["pid"] not in (None, before["pid"]):
        return None
    return wrapped[:-1] + text[after.end() if after else 0 :].lstrip()
