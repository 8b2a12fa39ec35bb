"""The words of `top`, and what `status` and `ps` say of switch, queue and memory."""

from typing import Any

import pytest
from tests.unit.cli.top import documents

from sparkwell.cli import ps, status
from sparkwell.cli.table import table
from sparkwell.cli.top.words import brief, gib, queue_words, serving, stopwatch, switch_title

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")],
)
def test_brief_times_keep_two_figures_at_least(seconds: float | None, words: str) -> None:
    assert brief(seconds) == words
    assert brief(200_000) == "2 d"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (65, "1 min 05 s"), (-1, "0.0 s")],
)
def test_short_steps_have_tenths(seconds: float, words: str) -> None:
    assert stopwatch(seconds) == words


def test_unknown_bytes_are_not_zero() -> None:
    assert gib(None) == "?"
    assert gib(0) == "0.0"


@pytest.mark.parametrize(
    ("state", "keys", "count"),
    [
        ("ready", {"serving": 2, "requests_running": 5}, 2),
        ("draining", {"requests_running": 5}, 5),
        ("ready", {}, None),
        ("starting", {"serving": 0}, None),
    ],
)
def test_requests_of_what_can_serve(state: str, keys: Json, count: int | None) -> None:
    assert serving({"state": state, **keys}) == count


def test_a_switch_that_replaces_nothing_names_what_comes() -> None:
    assert switch_title({"from": [], "to": "b"}) == "b"
    assert switch_title({"from": ["a", "c"], "to": "b"}) == "a, c → b"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (documents.QUEUE[0], "4 waiting, the oldest for 47 s, about 41 s left"),
        (documents.QUEUE[1], "1 waiting, the oldest for 12 s, priority 5, about 2 min 10 s left"),
        ({"model": "a", "waiting": 1}, "1 waiting, time left not known"),
    ],
)
def test_the_queue_in_words(entry: Json, words: str) -> None:
    assert queue_words(entry) == words


# ── status ──────────────────────────────────────────────────────────────────────────────────


def test_status_says_switch_queue_and_memory() -> None:
    current = documents.status(machine=None, findings=[])
    assert status._text(current).splitlines()[-4:] == [
        "Switch   qwen3-32b-fp8 → qwen3-8b-fp8, 47 s so far, starting: "
        "loading weights, 43 %, about 41 s left",
        "Queue    qwen3-8b-fp8: 4 waiting, the oldest for 47 s, about 41 s left",
        "Queue    qwen3-30b-a3b-fp8: 1 waiting, the oldest for 12 s, priority 5, "
        "about 2 min 10 s left",
        "Memory   available 71.3 of 119.7 GiB, promised 54.1 of 108.0, floor 8.0, guard watching",
    ]


def test_status_says_only_what_there_is_to_say() -> None:
    nothing = dict.fromkeys(("switch", "memory", "guard", "machine", "findings"))
    quiet = documents.status(queue=[], instances=[], **nothing)
    for current in (quiet, {**documents.old(), "instances": []}):
        assert status._text(current).splitlines() == [
            "Sparkwell 0.1.0, process 4711, up for 3 h 12 min",
            "Gateway  http://127.0.0.1:8000/v1",
            "Model    none; `sparkwell up MODEL` starts one",
        ]


def test_status_of_each_model() -> None:
    text = status._text(documents.status(instances=[documents.NEMO, documents.GIANT]))
    assert "Model    mistral-nemo-12b-fp8: ready, pinned" in text
    assert "Model    qwen3-32b-fp8: draining\n" in text
    assert "Requests 2 running" in text
    waking = {**documents.QWEN, "state": "waking", "phase_title": "waking"}
    assert "waking (waking, 43 %, about 41 s left)" in status._state(waking)
    assert "Memory" not in status._text(documents.old())


# ── ps ──────────────────────────────────────────────────────────────────────────────────────


def test_ps_counts_requests_and_fits_a_hundred_columns() -> None:
    usual = documents.instance("qwen3-8b-fp8", "ready", serving=3, container=None)
    rows = [ps._row(usual), ps._row({**usual, **documents.STARTING, "state": "starting"})]
    assert [row[2] for row in rows] == ["3", "-"]
    heads = ("MODEL", "STATE", "SERVING", "ENGINE", "RUNS AS", "HOLDS", "AGE", "INSTANCE")
    assert max(map(len, table(heads, [ps._row(usual)]).splitlines())) <= 100


def test_ps_takes_the_document_of_an_older_daemon() -> None:
    rows = [ps._row(entry) for entry in documents.old()["instances"]]
    assert [row[2] for row in rows] == ["-", "3"]
