"""Which lines of a log are shown."""

import pytest

from sparkwell.core.errors import UsageError
from sparkwell.monitor.log_lines import ErrorLines, containing, harmless, kept, matching

LOG = """\
(APIServer pid=1) INFO 11-21 00:43:40 [api_server.py:1] starting
(EngineCore pid=2) ERROR 11-21 00:43:43 [core.py:1231] Traceback (most recent call last):
(EngineCore pid=2) ERROR 11-21 00:43:43 [core.py:1231]   File "core.py", line 1, in run
(EngineCore pid=2) ERROR 11-21 00:43:43 [core.py:1231] ValueError: too little memory
(EngineCore pid=2) Process EngineCore:
(EngineCore pid=2) Traceback (most recent call last):
(EngineCore pid=2)   File "process.py", line 314, in _bootstrap
(APIServer pid=1) INFO 11-21 00:43:44 [api_server.py:1] still here, says another process
(EngineCore pid=2)     self.run()
(EngineCore pid=2) ValueError: too little memory
(EngineCore pid=2) INFO 11-21 00:43:44 [core.py:1] after it
INFO:     Shutting down
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "a.py", line 1, in <module>
torch.OutOfMemoryError: CUDA out of memory.
no error: 0 of them
error: the model is not on this server
time=2026-11-21T00:43:44Z level=ERROR source=sched.go:1 msg="cannot load"
""".splitlines()


def test_errors_are_lines_of_that_level_and_whole_tracebacks() -> None:
    left_out = {0, 4, 7, 10, 11, 16}
    wanted = [line for number, line in enumerate(LOG) if number not in left_out]
    assert list(kept(LOG, [ErrorLines()])) == wanted


def test_a_filter_beside_another_still_sees_every_line() -> None:
    """A traceback begins in a line that does not match; its last line is an error all the same."""
    found = list(kept(LOG, [matching("OutOfMemory"), ErrorLines()]))
    assert found == ["torch.OutOfMemoryError: CUDA out of memory."]


def test_matching_is_searching_anywhere() -> None:
    assert list(kept(["abc", "xbx", "zzz"], [matching("b")])) == ["abc", "xbx"]
    assert list(kept(["abc"], [])) == ["abc"]


def test_containing_is_any_text_in_any_case() -> None:
    assert list(kept(["Loading (1/7)", "ready"], [containing("LOADING (")])) == ["Loading (1/7)"]


def test_a_pattern_that_is_none_says_where() -> None:
    with pytest.raises(UsageError, match=r"'a\(b' is no regular expression: .* at character 2"):
        matching("a(b")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[0;36mINFO\x1b[0m one\ttwo é", "\x1b[0;36mINFO\x1b[0m one\ttwo é"),
        ("\x1b]0;a title\x07", "␛]0;a title␇"),
        ("\x1b[2J\x1b[H gone", "␛[2J␛[H gone"),
        ("abc\rxyz", "abc␍xyz"),
        ("\x9b2J \u202egnp.exe", "\ufffd2J \ufffdgnp.exe"),
    ],
)
def test_a_terminal_obeys_no_engine(line: str, shown: str) -> None:
    assert harmless(line) == shown
