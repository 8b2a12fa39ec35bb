"""Which of several starts this is, for an engine that fails a few times and then works."""

from dataclasses import replace
from pathlib import Path

from sparkwell.testing.fake_engine.script import Script

_FAILURES = (
    "exit_code_at_once",
    "fail_at_phase",
    "die_at_phase",
    "never_ready",
    "health_ok_but_no_tokens",
    "hang_after_s",
    "hang_after_requests",
    "health_hangs_after_s",
    "die_after_s",
    "die_after_requests",
)


def this_start(script: Script) -> Script:
    """The script for this start, which is counted: without its failures when it has had enough."""
    number = _count(Path(script.counter)) if script.counter else 1
    if script.fail_first is None:
        return script
    usual = {name: getattr(Script(), name) for name in _FAILURES}
    if number > script.fail_first:
        return replace(script, **usual)
    fails = any(getattr(script, name) != usual[name] for name in _FAILURES)
    return script if fails else replace(script, fail_at_phase="init")


def _count(file: Path) -> int:
    """Add a byte; the file's length is the number of starts, also when several come at once."""
    with file.open("ab", buffering=0) as counter:
        counter.write(b".")
        return counter.tell()
