"""What is kept of a log, and what is not."""

import time
from collections.abc import Callable

import pytest

from sparkwell.checks.logs.digest import MOST_CHARACTERS, MOST_LINES, digest, digest_bytes
from sparkwell.checks.logs.parts import LogDigest, LogLine

ACCESS = '(APIServer pid=1) INFO:     10.0.0.1:51408 - "POST /v1/completions HTTP/1.1" 200 OK'
CONFIG = (
    "(EngineCore pid=7) INFO 11-21 10:00:00 [core.py:77] "
    "Initializing a V1 LLM engine (v0.32.0) with"
)
OOM = "(EngineCore pid=7) ERROR 11-21 10:00:0{0} [core.py:7] OutOfMemoryError: tried {0} MiB"
FIGURES = (
    "(APIServer pid=1) INFO 11-21 10:00:00 [loggers.py:257] Engine 000: Avg prompt throughput: "
    "{0}.0 tokens/s, Running: 3 reqs, Waiting: {1} reqs, Prefix cache hit rate: 3.0%"
)


def within(*lines: str, around: int = 400) -> list[str]:
    """Lines in the middle of a healthy log."""
    return [ACCESS] * around + list(lines) + [ACCESS] * around


def told(log: LogDigest) -> list[LogLine]:
    """What is kept, but for healthy requests."""
    return [line for line in log.lines if not line.text.endswith("200 OK")]


def test_a_short_log_is_kept_whole() -> None:
    lines = [f"line {number} of nothing" for number in range(1, 301)]
    log = digest(lines, "a.log")
    assert [line.text for line in log.lines] == lines
    assert [line.number for line in log.lines] == list(range(1, 301))
    assert (log.total_lines, log.left_out) == (300, 0)
    assert {line.times for line in log.lines} == {1}


def test_of_a_long_log_the_ends_are_kept_and_what_matters_between() -> None:
    log = digest(within(CONFIG, OOM.format(1)), "a.log")
    assert len(log.lines) == 302
    assert [line.number for line in told(log)] == [401, 402]
    assert (log.lines[0].number, log.lines[-1].number) == (1, 802)
    assert log.total_bytes == sum(len(line) + 1 for line in within(CONFIG, OOM.format(1)))


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: CUDA error: no kernel image is available for execution on the device",
        "Killed",
        "OSError: [Errno 28] No space left on device",
        "(Worker_TP0 pid=3) WARNING 11-21 10:00:00 [f.py:1] Using default MoE config.",
        "INFO 11-21 10:00:00 [u.py:1] non-default args: {'model': 'm'}",
        "INFO 11-21 10:00:00 [w.py:1] Available KV cache memory: 35.31 GiB",
        "GPU KV cache size: 271,360 tokens",
        'time=2026-11-21T10:00:00Z level=WARN source=server.go:1 msg="odd"',
        'time=2026-11-21T10:00:00Z level=INFO source=ggml.go:4 msg="offloaded 0/25 layers to GPU"',
        '10.0.0.1:1 - "POST /v1/completions HTTP/1.1" 500 Internal Server Error',
        '[GIN] 2026/11/21 - 10:00:00 | 500 |  1.2s | 127.0.0.1 | POST     "/api/chat"',
        "vllm serve: error: unrecognized arguments: --swap-space",
        "curl: (22) The requested URL returned error: 403",
        "gated repo: access to model m is restricted",
        "ptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",
        "address already in use",
    ],
)
def test_it_matters(line: str) -> None:
    assert [kept.text for kept in told(digest(within(line), "a.log"))] == [line]


@pytest.mark.parametrize(
    "line",
    [
        "Hello there.",
        '[GIN] 2026/11/21 - 10:00:00 | 200 |  1.2s | 127.0.0.1 | POST     "/api/chat"',
    ],
)
def test_it_does_not_matter(line: str) -> None:
    assert told(digest(within(line), "a.log")) == []


def test_lines_of_one_shape_are_kept_a_few_times_and_counted() -> None:
    log = digest(within(*(OOM.format(number % 10) for number in range(1_000))), "a.log")
    kept = told(log)
    assert [line.number for line in kept] == [401, 402, 403, 404, 405, 1399, 1400]
    assert [line.times for line in kept] == [1, 1, 1, 1, 994, 1, 1]
    assert log.left_out == 0


def test_what_stands_at_the_ends_is_not_counted_twice() -> None:
    log = digest([OOM.format(number % 10) for number in range(1_000)], "a.log")
    assert len(log.lines) == 300
    assert sum(line.times for line in log.lines) == 1_000


def test_a_traceback_in_the_middle_is_whole_and_the_same_again_is_counted() -> None:
    one = [
        "Traceback (most recent call last):",
        *(f'  File "/x/f_{name}.py", line 3, in g\n    return h()' for name in "klmnopqrstu"),
        "ValueError: odd",
    ]
    prefix = "(EngineCore pid=7) ERROR 11-21 10:00:00 [core.py:7] "
    lines = [prefix + line for text in one for line in text.split("\n")]
    log = digest(within(*lines * 20), "a.log")
    first = [line.words for line in told(log)][: len(lines)]
    assert first == [line.removeprefix(prefix) for line in lines]
    assert sum(line.times for line in told(log)) == 20 * len(lines)
    assert len(told(log)) < 6 * len(lines)


def test_two_processes_that_write_at_once_do_not_break_each_others_tracebacks() -> None:
    def written_by(process: str, error: str) -> list[str]:
        lines = ["Traceback (most recent call last):", '  File "/x/f.py", line 3', "    h()", error]
        return [f"({process} pid={len(process)}) {line}" for line in lines]

    worker, server = written_by("Worker_TP0", "ValueError: a"), written_by("APIServer", "KeyError")
    both = zip(worker, server, strict=True)
    log = digest(within(*(line for pair in both for line in pair)), "a.log")
    assert [line.words for line in told(log) if line.process == "Worker_TP0"][-2:] == [
        "    h()",
        "ValueError: a",
    ]
    assert len(told(log)) == 8


def test_steady_lines_are_a_sample_that_has_those_that_wait() -> None:
    lines = [FIGURES.format(number, int(number % 1_000 == 500)) for number in range(5_000)]
    kept = told(digest(within(*lines), "a.log"))
    assert len(kept) == 20 + 5 + 60
    assert sum("Waiting: 1" in line.text for line in kept) == 5


@pytest.mark.parametrize(
    "line",
    [
        lambda number: f"Error of {chr(0x4E00 + number)} {'x' * 3_000}",
        lambda number: f"WARNING: {chr(0x4E00 + number)}",
        lambda number: f"    indented {chr(0x4E00 + number)}",
        lambda number: FIGURES.format(number, number),
        lambda number: f"{'Error' if number % 2 else 'memory'} {chr(0x4E00 + number)} " + "y" * 900,
    ],
)
def test_however_much_matters_the_digest_is_bounded(line: Callable[[int], str]) -> None:
    log = digest((line(number) for number in range(10_000)), "a.log")
    assert len(log.lines) <= MOST_LINES
    assert sum(len(each.text) for each in log.lines) <= 1.1 * MOST_CHARACTERS
    assert max(len(each.text) for each in log.lines) <= 2_000
    numbers = [each.number for each in log.lines]
    assert numbers == sorted(set(numbers))


def test_what_is_left_out_is_counted() -> None:
    lines = [f"Error {chr(0x4E00 + number)}" for number in range(5_000)]
    log = digest(lines, "a.log")
    assert log.left_out + sum(line.times for line in log.lines) == 5_000
    assert log.left_out > 3_000
    assert "Error 一" in log.lines[0].text


def test_an_error_that_comes_late_is_kept_though_the_shelf_is_full() -> None:
    lines = [f"Error {chr(0x4E00 + number)}" for number in range(5_000)]
    log = digest([*lines, "RuntimeError: late", *[ACCESS] * 400], "a.log")
    assert "RuntimeError: late" in [line.text for line in log.lines]


def test_of_two_starts_in_one_log_the_last_one_names_the_version() -> None:
    log = digest([CONFIG, *[ACCESS] * 500, CONFIG.replace("0.32.0", "0.33.1rc2.dev3+gabc")], "a")
    assert (log.engine, log.version) == ("vllm", "0.33.1rc2.dev3+gabc")


@pytest.mark.parametrize(
    ("line", "engine", "version"),
    [
        ("INFO 11-21 10:00:00 [a.py:1] vLLM API server version 0.10.0", "vllm", "0.10.0"),
        ("Initializing a V1 LLM engine (v0.10.1.1+381074ae.nv25.09) with config: model='m'",
         "vllm", "0.10.1.1+381074ae.nv25.09"),
        ("(APIServer pid=6) INFO 11-20 23:59:55 [api_utils.py:339]  ▄▄ ▄█ █     █     █ ▀▄▀ █  "
         "version 0.25.0", "vllm", "0.25.0"),
        ('time=2026-11-21T10:00:00.000Z level=INFO source=routes.go:1667 msg="Listening on '
         '[::]:11434 (version 0.30.11)"', "ollama", "0.30.11"),
        ("(EngineCore_DP0 pid=7) whatever", "vllm", None),
        ("[GIN] 2026/11/21 - 10:00:00 | 200 | 1s | ::1 | GET \"/\"", "ollama", None),
        ("Received request a: prompt: 'vLLM API server version 9.9.9'", None, None),
        ("hello", None, None),
    ],
)  # fmt: skip
def test_engine_and_version(line: str, engine: str | None, version: str | None) -> None:
    log = digest([line], "a.log")
    assert (log.engine, log.version) == (engine, version)


@pytest.mark.parametrize(
    ("text", "process", "pid", "level", "words"),
    [
        ("(Worker_TP0 pid=31) ERROR 11-21 10:00:00 [w.py:9] odd", "Worker_TP0", 31, "error", "odd"),
        ("ERROR 11-21 10:00:00 [w.py:9] odd", None, None, "error", "odd"),
        ("WARNING 10-01 18:43:27 config.py:36] odd", None, None, "warning", "odd"),
        ("(APIServer pid=1) INFO:     Started", "APIServer", 1, "info", "Started"),
        ("ERROR:    [Errno 98] odd", None, None, "error", "[Errno 98] odd"),
        ("(EngineCore pid=1) (RayWorkerWrapper pid=22, ip=10.0.0.2) INFO 11-21 10:00:00 [w.py:9] x",
         "RayWorkerWrapper", 22, "info", "x"),
        ("(VllmWorker rank=1 pid=5) odd", "VllmWorker", 5, None, "odd"),
        ('time=2026-11-21T10:00:00.000+01:00 level=WARN source=a.go:1 msg="x"',
         None, None, "warning", 'source=a.go:1 msg="x"'),
        ("(in brackets) odd", None, None, None, "(in brackets) odd"),
        ("ValueError: odd", None, None, None, "ValueError: odd"),
        ("9月 02 14:46:47 host ollama[17]: odd", None, None, None, "odd"),
        ("a table | of words", None, None, None, "a table | of words"),
    ],
)  # fmt: skip
def test_who_says_it(
    text: str, process: str | None, pid: int | None, level: str | None, words: str
) -> None:
    [line] = digest([text], "a.log").lines
    assert (line.process, line.pid, line.level, line.words) == (process, pid, level, words)


def test_control_characters_are_made_visible() -> None:
    [line] = digest(["a\x07b\x1b]0;title\x07c\u202ed\te"], "a.log").lines
    assert line.text == "a␇bc\ufffdd\te"


def test_five_megabytes_are_read_quickly() -> None:
    block = "\n".join([ACCESS, OOM.format(3)] * 500).encode() + b"\n"
    began = time.process_time()
    log = digest_bytes([block] * (5_000_000 // len(block)), "a.log")
    assert log.total_bytes > 4_900_000
    assert time.process_time() - began < 1.5  # 0.15 s for 3 s of 100 MB; machines are busy


def test_an_escape_without_an_end_does_not_swallow_the_error_behind_it() -> None:
    line = "\x1b]0;" + "t" * 300 + " ValueError: No available memory for the cache blocks"
    assert "No available memory" in digest([line], "a.log").lines[0].text
