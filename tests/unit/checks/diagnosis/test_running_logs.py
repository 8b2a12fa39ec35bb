"""What runs, as its log tells it: hung, started again and again, and how well it serves."""

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.running import CHECKS
from sparkwell.checks.diagnosis.running.crash_loop import CHECK as LOOP
from sparkwell.checks.diagnosis.running.engine_hung import CHECK as HUNG
from sparkwell.checks.diagnosis.running.steady import served, steady
from sparkwell.checks.logs.digest import digest
from sparkwell.core.findings import Finding, Severity

BEGAN = "(APIServer pid=1) INFO:     Application startup complete."
ARGS = "(APIServer pid=1) INFO 11-12 10:00:00 [utils.py:1] non-default args: {'max_num_seqs': 16}"
SERVED = '(APIServer pid=1) INFO:     10.0.0.1:4{} - "POST /v1/chat/completions HTTP/1.1" 200 OK'
EAGER = "(EngineCore pid=9) INFO 11-12 10:00:01 [core.py:1] Initializing a V1 LLM engine (v0.28.0)"
BLOCKED = (
    "(EngineCore pid=9) INFO 11-12 10:{}:00 [shm_broadcast.py:1] No available shared memory "
    "broadcast block found in 60 seconds. This typically happens when some processes are hanging"
)


def line(at_s: int, output: float, running: int, waiting: int = 0, hit: float = 30.0,
         prompt: float = 0.0, kv: float = 10.0) -> str:  # fmt: skip
    when = f"11-12 10:{at_s // 60:02}:{at_s % 60:02}"
    return (
        f"(APIServer pid=1) INFO {when} [loggers.py:1] Engine 000: Avg prompt throughput: "
        f"{prompt} tokens/s, Avg generation throughput: {output} tokens/s, Running: {running} "
        f"reqs, Waiting: {waiting} reqs, GPU KV cache usage: {kv}%, Prefix cache hit rate: {hit}%"
    )


def found(*lines: str) -> list[Finding]:
    snapshot = of_log("\n".join(lines))
    return [each for check in CHECKS for each in check.look(snapshot)]


def ids(*lines: str) -> list[str]:
    return [each.id for each in found(*lines)]


def lone(output: float = 6.2, hit: float = 30.0, requests: int = 2) -> list[str]:
    served = [SERVED.format(1000 + number) for number in range(requests)]
    rows = [line(10 * number, output, 1, hit=hit, prompt=50.0) for number in range(1, 9)]
    return [BEGAN, rows[0], *served, *rows[1:]]


# ── the lines, read ─────────────────────────────────────────────────────────────────────────


def test_every_figure_of_a_line() -> None:
    log = digest(
        [line(20, 48.5, 8, 3, 12.5, 210.4, 3.2).replace("GPU KV", "Preemptions: 4, GPU KV")], "a"
    )
    [row] = steady(log)
    assert (row.prompt_tokens_per_s, row.output_tokens_per_s) == (210.4, 48.5)
    assert (row.running, row.waiting, row.preempted) == (8, 3, 4.0)
    assert row.kv_used == pytest.approx(0.032)
    assert row.prefix_hit == pytest.approx(0.125)


def test_the_prefix_cache_of_another_store_is_another_figure() -> None:
    log = digest([line(20, 1.0, 1).replace("Prefix cache", "External prefix cache")], "a")
    assert next(steady(log)).prefix_hit is None


def test_a_log_becomes_the_window_that_the_monitor_would_have() -> None:
    serving = served(digest([ARGS, *lone(requests=3)], "a"))
    assert serving is not None
    assert (serving.window.samples, serving.window.seconds) == (8, 70.0)
    assert serving.window.requests == 3
    assert serving.window.single_tokens_per_s == 6.2
    assert serving.flags == {"max_num_seqs": 16}


def test_lines_without_a_time_are_ten_seconds_apart() -> None:
    rows = [each[each.index("Engine") :] for each in lone() if "Engine" in each]
    serving = served(digest(rows, "a"))
    assert serving is not None
    assert serving.window.seconds == 70.0


def test_a_log_that_says_nothing_of_serving() -> None:
    assert served(digest([BEGAN, ARGS], "a")) is None
    assert ids(BEGAN, ARGS) == []


# ── how well it serves ──────────────────────────────────────────────────────────────────────


def test_one_person_who_chats_is_no_trouble() -> None:
    assert ids(*lone(hit=0.0)) == []


def test_a_row_of_requests_none_beside_another() -> None:
    [finding] = found(*lone(requests=20))
    assert (finding.id, finding.severity) == ("low-batching", Severity.INFO)
    assert finding.evidence[0] == "20 requests in 70 s, never two at once"
    assert "line" in finding.evidence[-1]
    assert ids(*lone(requests=19)) == []


def test_a_cold_prefix_cache_is_worth_knowing_where_many_asked() -> None:
    rows = [each.replace("Running: 1", "Running: 5") for each in lone(hit=0.0, requests=20)]
    assert ids(*rows) == ["prefix-cache-cold"]
    assert ids("enable_prefix_caching=False", *rows) == [
        "prefix-cache-cold"
    ]  # no such line of vLLM's
    assert ids(f"{EAGER} with config: enable_prefix_caching=False", *rows) == []


def test_a_slow_stream_is_told_where_the_log_says_why() -> None:
    slow = lone(output=3.1)
    assert ids(*slow) == []  # a large model may have to be so slow
    [finding] = found(f"{EAGER} with config: enforce_eager=True, device_config=cuda", *slow)
    assert (finding.id, finding.severity) == ("slow-single-stream", Severity.WARNING)
    assert "CUDA graphs are off" in str(finding.cause)
    assert finding.remedies[0].command == (
        "sparkwell down MODEL && sparkwell up MODEL --set enforce_eager=false"
    )
    assert ids(f"{EAGER} with config: enforce_eager=True, device_config=cpu", *slow) == []
    assert ids(f"{EAGER} with config: enforce_eager=False, device_config=cuda", *slow) == []


def test_a_queue_that_grows_and_why() -> None:
    rows = [line(10 * at, 90.0, 16, 3 * at) for at in range(1, 10)]
    [finding] = found(ARGS, *rows)
    assert (finding.id, finding.severity) == ("queue-growing", Severity.WARNING)
    assert "16 run at once" in str(finding.cause)
    assert "max_num_seqs=24" in str(finding.remedies[0].command)
    assert ids(ARGS, *(line(10 * at, 90.0, 16, 40 - 3 * at) for at in range(1, 10))) == []


@pytest.mark.parametrize(
    "waiting", [[0, 0, 0, 0, 0, 0, 30, 30, 30], [9] * 9, [0, 1, 0, 1, 2, 1, 3, 2, 3]]
)
def test_a_queue_that_does_not_grow(waiting: list[int]) -> None:
    assert ids(*(line(10 + 10 * at, 90.0, 16, each) for at, each in enumerate(waiting))) == []


# ── hung ────────────────────────────────────────────────────────────────────────────────────


def test_a_call_that_timed_out() -> None:
    who = "(EngineCore pid=9) ERROR 11-12 10:09:00 [core.py:1] "
    said = who + "TimeoutError: RPC call to {} timed out."
    [finding] = asked(HUNG, said.format("execute_model"))
    assert finding.severity is Severity.ERROR
    assert asked(HUNG, said.format("sample_tokens"))
    assert asked(HUNG, said.format("get_kv_cache_spec")) == []  # while it starts
    assert asked(HUNG, f"INFO 11-12 10:00:00 [logger.py:1] Received request cmpl-1: {said}") == []


def test_a_full_ring_while_it_serves_and_not_while_it_loads() -> None:
    blocked = [BLOCKED.format(f"{minute:02}") for minute in range(20, 24)]
    assert asked(HUNG, "\n".join([BEGAN, line(30, 9.0, 1), *blocked]))
    assert asked(HUNG, "\n".join([BEGAN, *blocked[:2]])) == []
    assert asked(HUNG, "\n".join([*blocked, BEGAN, line(30, 9.0, 1)])) == []
    assert asked(HUNG, "\n".join([BEGAN, *blocked, line(1500, 9.0, 1)])) == []  # it goes on


def test_requests_that_run_without_a_token_and_then_nothing() -> None:
    later = "(APIServer pid=1) INFO 11-12 10:{}:00 [launcher.py:1] Abort request cmpl-1"
    quiet = [line(10, 9.0, 3), line(20, 0.0, 3)]
    [finding] = asked(HUNG, "\n".join([*quiet, later.format("09")]))
    assert finding.evidence[-1] == "no figures for 520 s after that"
    assert asked(HUNG, "\n".join([*quiet, later.format("01")])) == []
    assert asked(HUNG, "\n".join([*quiet, line(90, 9.0, 3), later.format("01")])) == []
    assert asked(HUNG, "\n".join([line(20, 0.0, 0), later.format("09")])) == []  # nobody asks
    ended = "(APIServer pid=1) INFO 11-12 10:00:30 [launcher.py:1] API server: shutdown triggered"
    assert asked(HUNG, "\n".join([*quiet, ended, later.format("09")])) == []


# ── again and again ─────────────────────────────────────────────────────────────────────────

START = "(APIServer pid=1) INFO 11-12 10:00:00 [api_server.py:1] vLLM API server version 0.10.2"
ERROR = "(EngineCore pid=9) ERROR 11-12 10:00:09 [core.py:1] ValueError: first {}"


def test_three_starts_that_never_served_name_the_first_error() -> None:
    tries = [text for number in range(3) for text in (START, ERROR.format(number))]
    [finding] = asked(LOOP, "\n".join(tries))
    assert finding.evidence[0] == "3 starts that never served"
    assert finding.evidence[-1].endswith("first 0")
    assert asked(LOOP, "\n".join(tries[:4])) == []


def test_starts_that_served_are_restarts_and_no_loop() -> None:
    tries = [text for number in range(3) for text in (START, BEGAN, ERROR.format(number))]
    assert asked(LOOP, "\n".join(tries)) == []
