"""Frames of `sparkwell top`: what they show, and that they fit, whatever screen and daemon."""

import copy
import html
import io
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from tests.docs.documents import DOCS, blocks
from tests.unit.cli.top import documents, pictures
from tests.unit.cli.top.documents import NOW

from sparkwell.cli.top.events import event_style
from sparkwell.cli.top.frame import frame
from sparkwell.cli.top.header import memory_bar
from sparkwell.cli.top.scene import Scene
from sparkwell.core.units import GIB

Json = dict[str, Any]
UNTIMED = settings(deadline=None)
"""For what draws many lines: a busy machine takes long for them, and that is no mistake."""


@pytest.fixture(autouse=True)
def _clock_of_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def scene(status: Json, events: list[Json] | None = None) -> Scene:
    made = Scene(status, NOW)
    for event in documents.EVENTS if events is None else events:
        made = made.with_event(event)
    return made


def drawn(
    made: Scene, width: int = 80, height: int = 24, *, at: float = NOW, **options: Any
) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    options = {"silent_s": 1000.0, **options}
    with console.capture() as captured:
        console.print(frame(made, at, width, height, **options))
    return captured.get().splitlines()


def shown(made: Scene, width: int = 80, height: int = 24, **options: Any) -> str:
    return "\n".join(drawn(made, width, height, **options))


# ── what a switch looks like ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "words",
    [
        "Sparkwell 0.1.0 · up 3 h 12 min · http://127.0.0.1:8000/v1",
        "3 requests running · 5 waiting · guard watching · 0.8 requests/s",
        "Machine GPU 88 % · 38 W · 61 °C · CPU 14 %",
        "48.4 GiB used",
        "░ available 71.3 of 119.7 GiB · ▒ promised 54.1 of 108.0 · ▞ floor 8.0",
        "MODEL                 STATE     REQ  TOK/S  TTFT P95     KV     IDLE      HOLDS",
        "mistral-nemo-12b-fp8  ready       3   84.2    1.84 s   97 %   pinned   22.6 GiB",
        "qwen3-8b-fp8          starting",
        "▸ loading weights  ━━━━━━━━━─────────────  43 %  about 41 s left, 31 s so far",
        "Switch  qwen3-32b-fp8 → qwen3-8b-fp8  47 s so far",
        "✓ draining 9.1 s  ✓ stopping 4.1 s  ✓ verifying 2.7 s  ● starting 31 s",
        "Queue  5 requests for 2 models",
        "qwen3-30b-a3b-fp8        1    12 s         5  about 2 min 10 s",
        "Findings  1 warning",
        "! mistral-nemo-12b-fp8: The KV cache is full: requests queue, or are set back",
        "qwen3-8b-fp8: loading weights",
        "q quits",
    ],
)
def test_a_switch_on_a_small_screen(words: str) -> None:
    assert words in shown(scene(documents.status()), live=True)


def test_no_key_is_named_where_none_is_heard() -> None:
    assert "q quits" not in shown(scene(documents.status()))


def test_the_newest_events_are_last_and_as_many_as_fit() -> None:
    small, large = (drawn(scene(documents.status()), 80, height) for height in (24, 50))
    assert len(small) == 24
    for lines in (small, large):
        assert lines[-1].endswith("qwen3-8b-fp8: loading weights")
    said = [event["message"] for event in documents.EVENTS]
    assert [words for words in said if words in "\n".join(large)] == said
    assert not any(said[0] in words for words in small)


def test_a_wide_screen_shows_more_of_each_model() -> None:
    narrow, usual, wide = (shown(scene(documents.status()), width) for width in (80, 100, 170))
    assert "82 %" not in narrow
    assert "   97 %   82 %   pinned   68 min" in usual
    assert re.search(r"3     1   84.2 .* 1,312 .* vllm 0.10.1.1  yes     sparkwell-mistral", wide)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("draining", "2 requests of qwen3-32b-fp8 left"),
        ("stopping", "waiting until every process of qwen3-32b-fp8 is gone"),
        ("verifying", "waiting until the memory is back: available 71.3 of 119.7 GiB"),
        ("starting", "loading weights, 43 %, about 41 s left"),
    ],
)
def test_each_step_says_what_it_waits_for(step: str, words: str) -> None:
    switch = {**documents.SWITCH, "step": step}
    status = documents.status(switch=switch, instances=[documents.GIANT, documents.QWEN])
    text = shown(scene(status))
    assert f"● {step}" in text
    assert words in text


def test_a_switch_that_is_over_is_told_with_its_times() -> None:
    status = documents.status(switch=None, queue=[], instances=[documents.NEMO])
    text = shown(scene(status, [*documents.EVENTS, documents.DONE]), at=NOW + 100)
    assert "Last switch  qwen3-32b-fp8 → qwen3-8b-fp8  done in 1 min 29 s, 58 s ago" in text
    assert "draining 9.1 s  stopping 4.1 s  verifying 2.7 s  starting 1 min 13 s" in text
    assert "Queue" not in text


def test_a_switch_that_failed_says_why() -> None:
    failed = documents.event(12, -5, "switch.failed", "qwen3-8b-fp8 ran out of memory", None)
    text = shown(scene(documents.status(switch=None), [*documents.EVENTS, failed]), at=NOW + 10)
    assert "failed in 52 s, 5 s ago" in text
    assert "✗ qwen3-8b-fp8 ran out of memory" in text


# ── models ──────────────────────────────────────────────────────────────────────────────────


def test_what_failed_says_why_and_with_room_what_to_do() -> None:
    status = documents.status(instances=[documents.FAILED, documents.ASLEEP])
    low, high = shown(scene(status), 80, 24), shown(scene(status), 100, 50)
    assert "✗ the engine ended by itself while starting (exit code 1): CUDA" in low
    assert "says what would fit" not in low
    assert "`sparkwell plan qwen3-32b` says what would fit." in high
    assert re.search(r"asleep +33 min +4 h +1\.0 GiB", high)
    assert "not known" in low


def test_a_start_that_nobody_can_estimate_has_no_bar() -> None:
    lost = {**documents.QWEN, "percent": None, "left_s": None, "elapsed_s": 12.0}
    text = shown(scene(documents.status(instances=[lost], switch=None)))
    assert "▸ loading weights, 12 s so far" in text
    assert "━" not in text
    late = {**documents.QWEN, "left_s": None}
    assert "longer than expected" in shown(scene(documents.status(instances=[late])))


def test_more_models_than_lines_are_counted() -> None:
    models = [documents.instance(f"model-{number}", "ready") for number in range(40)]
    lines = drawn(scene(documents.status(instances=models)))
    assert len(lines) == 24
    assert any(line.startswith(" … ") and line.endswith(" more lines") for line in lines)
    assert "Events" in "\n".join(lines)


def test_nothing_loaded_and_nothing_happened() -> None:
    text = shown(scene(documents.status(instances=[], queue=[], switch=None), []))
    assert "Nothing is loaded; `sparkwell up MODEL` starts a model." in text
    assert "Nothing has happened yet." in text


def test_a_daemon_that_knows_nothing_of_switching() -> None:
    ready = {**documents.NEMO, "phases": {"ready": NOW - 200}}
    old = documents.old()
    for name in ("resident_s", "figures", "figures_problem", "expectation"):
        del ready[name]
    text = shown(scene({**old, "instances": [*old["instances"], ready]}))
    assert "guard not reported" in text
    assert "Memory  not reported" in text
    assert "waiting" not in text.split("Events")[0]
    assert re.search(r"pinned +3 min +22\.6 GiB  vllm", text)  # loaded since its last phase
    assert not re.search("TOK/S|KV|Machine|Findings|requests/s", text)


# ── memory and guard ────────────────────────────────────────────────────────────────────────


def test_the_bar_of_memory_shows_use_promise_and_floor() -> None:
    memory = {"total_bytes": 100, "available_bytes": 60, "promised_bytes": 50, "floor_bytes": 10}
    assert memory_bar(memory, 10).plain == "████▒░░░░▞"
    assert memory_bar({**memory, "available_bytes": 2}, 10).plain == "█" * 10
    assert memory_bar({**memory, "promised_bytes": None, "floor_bytes": None}, 5).plain == "██░░░"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"available_bytes": None}, "available not reported (of 119.7 GiB) · promised 54.1"),
        ({"total_bytes": None}, "available 71.3 GiB · promised 54.1 of 108.0"),
        ({"promised_bytes": None}, "promised not reported"),
        ({"budget_bytes": None}, "promised 54.1 ·"),
        ({"floor_bytes": None}, "floor not reported"),
        (dict.fromkeys(documents.MEMORY), "Memory  not reported"),
    ],
)
def test_memory_that_is_not_reported_is_never_zero(changed: Json, words: str) -> None:
    status = documents.status(memory={**documents.MEMORY, **changed})
    text = shown(scene(status), 120)
    assert words in text
    assert "0.0" not in text.split("Models")[0].replace("108.0", "").replace("127.0.0.1", "")


@pytest.mark.parametrize(
    ("guard", "words"),
    [
        ({"running": True, "protected": True}, "guard watching ·"),
        ({"running": True, "protected": False}, "guard not protected from the OOM killer"),
        ({"running": False}, "guard not running"),
        ({"running": False, "enabled": False}, "guard off"),
        ({}, "guard not reported"),
        (None, "guard not reported"),
    ],
)
def test_the_guard_in_words(guard: Json | None, words: str) -> None:
    assert words in shown(scene(documents.status(guard=guard)))


# ── the daemon goes away ────────────────────────────────────────────────────────────────────


def test_a_daemon_that_has_gone_is_said_above_what_it_last_said() -> None:
    lines = drawn(scene(documents.status()).without_daemon(NOW + 1), at=NOW + 13)
    assert lines[0] == " The daemon ended 12 s ago: waiting for it. Below is what it last said."
    assert len(lines) == 24
    assert "47 s so far" in "\n".join(lines)  # time stands still with what is known
    back = scene(documents.status()).without_daemon(NOW).with_status(documents.status(), NOW)
    assert "ended" not in drawn(back)[0]


def test_a_daemon_that_does_not_answer_is_said_to_be_silent() -> None:
    made = scene(documents.status())
    assert "has not answered for 5 s" in drawn(made, at=NOW + 5, silent_s=4)[0]
    assert "has not answered" not in drawn(made, at=NOW + 5, silent_s=40)[0]


def all_documents_with_findings() -> list[Json]:
    amiss = [documents.SLOW, documents.FULL, documents.ROOMY, documents.SLOW]
    alone = documents.status(instances=[documents.NEMO], switch=None, queue=[], findings=amiss)
    return [alone, documents.status(findings=amiss)]


# ── how it goes ─────────────────────────────────────────────────────────────────────────────


def test_what_is_expected_of_a_start_is_said_where_there_is_room() -> None:
    words = "     the guide says 2.0 min, this machine took 73 s last time"
    alone = documents.status(instances=[documents.QWEN], switch=None, queue=[], findings=[])
    assert words in drawn(scene(alone), 80, 24)
    assert words not in drawn(scene(alone), 80, 16)
    ready = {**documents.NEMO, "expectation": "x"}
    assert "     x" not in drawn(scene({**alone, "instances": [ready]}), 80, 50)


def test_an_engine_that_could_not_be_read_says_why() -> None:
    mute = {**documents.NEMO, "figures": None, "figures_problem": "it did not answer within 2 s"}
    text = shown(scene(documents.status(instances=[mute])))
    assert "   ! not measured: it did not answer within 2 s" in text
    assert re.search(r"ready +3 +pinned", text)
    assert "not measured" not in shown(
        scene(documents.status(instances=[{**mute, "state": "stopping"}]))
    )


def test_figures_that_are_unknown_are_left_empty_and_zero_is_said() -> None:
    unknown = {**documents.NEMO, "figures": documents.UNKNOWN}
    assert re.search(r"ready +3 +pinned", shown(scene(documents.status(instances=[unknown]))))
    idle = {**documents.UNKNOWN, "output_tokens_per_s": 0.0, "kv_used": 0.0}
    status = documents.status(instances=[{**documents.NEMO, "figures": idle}])
    assert re.search(r"ready +3 +0 +0 % +pinned", shown(scene(status)))


def test_columns_stay_where_they_are_while_figures_come_and_go() -> None:
    heads = set()
    for figures in (documents.FIGURES, documents.UNKNOWN, None):
        instances = [{**documents.NEMO, "figures": figures}, documents.QWEN]
        lines = drawn(scene(documents.status(instances=instances)), 120)
        heads.add(next(line for line in lines if line.startswith(" MODEL")))
    assert len(heads) == 1


@UNTIMED
@given(st.integers(40, 200), st.integers(1, 40), st.booleans())
def test_no_cell_but_a_name_is_ever_cut(width: int, letters: int, measured: bool) -> None:
    model = {**documents.NEMO, "model": "m" * letters}
    other = {**documents.ASLEEP, "model": "o" * letters}
    if not measured:
        model, other = (
            {key: value for key, value in each.items() if key != "figures"}
            for each in (model, other)
        )
    lines = drawn(scene(documents.status(instances=[model, other])), width, 60)
    head = next(place for place, line in enumerate(lines) if line.startswith(" MODEL"))
    for line in lines[head : head + 3]:
        rest = re.sub(r"^ [mo]*…?|(sparkwell|comp)[^ ]*…?$", "", line)
        assert "…" not in rest
        shortened = re.search(r"sparkwell\S*…$", line)
        assert shortened is None or len(shortened[0]) >= 16
    assert re.search("REQ|STATE", lines[head])


def test_a_long_name_leaves_room_for_the_figures() -> None:
    named = {**documents.NEMO, "model": "deepseek-r1-distill-llama-70b-fp8-of-somebody-else"}
    text = shown(scene(documents.status(instances=[named])))
    assert re.search(r"deepseek-r1-distill-l\S*… +ready +3 +84\.2 +1\.84 s +97 %", text)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (79, "43 %  about 41 s left, 31 s so far"),
        (60, "43 %  about 41 s left"),
        (44, "43 %"),
    ],
)
def test_a_narrow_screen_keeps_the_bar_whole(width: int, words: str) -> None:
    lines = drawn(scene(documents.status()), width, 40)
    assert any(line.endswith(words) and "━" in line for line in lines)


def test_a_narrow_screen_shows_the_step_that_is_under_way() -> None:
    lines = drawn(scene(documents.status()), 44, 40)
    assert "   ✓ verifying 2.7 s  ● starting 31 s" in lines


def test_a_narrow_screen_says_how_long_a_model_is_waited_for() -> None:
    text = shown(scene(documents.status()), 44, 40)
    assert re.search(r"qwen3-30b\S* +1 +about 2 min 10 s\n", text)
    assert "OLDEST" not in text


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"gpu_used": None}, "Machine 38 W · 61 °C · CPU 14 %\n"),
        ({"power_w": None, "temperature_c": None}, "Machine GPU 88 % · CPU 14 %\n"),
        ({"swap_used_bytes": 3.0 * GIB}, "CPU 14 % · swap 3.0 GiB\n"),
        ({"memory_stalled": 0.07}, "CPU 14 % · 7 % stalled for memory\n"),
        ({"gpu_used_bytes": 21.5 * GIB}, "61 °C · GPU memory 21.5 GiB · CPU 14 %\n"),
    ],
)
def test_the_machine_in_one_line(machine: Json, words: str) -> None:
    status = documents.status(machine={**documents.MACHINE, **machine})
    assert words in shown(scene(status))


@pytest.mark.parametrize("machine", [None, {}, dict.fromkeys(documents.MACHINE)])
def test_of_an_unknown_machine_nothing_is_said(machine: Json | None) -> None:
    lines = drawn(scene(documents.status(machine=machine)))
    assert lines[1] == " 3 requests running · 5 waiting · guard watching"
    assert lines[2].startswith(" Memory")


# ── findings ────────────────────────────────────────────────────────────────────────────────


def test_the_worst_finding_is_first_and_good_news_is_none() -> None:
    found = [documents.WELL, documents.ROOMY, documents.FULL, documents.SLOW]
    text = shown(scene(documents.status(findings=found)), 80, 30)
    assert "Findings  1 error · 1 warning" in text
    assert " ✗ One request alone is slower" in text.split("Findings")[1].splitlines()[1]
    assert " ! mistral-nemo-12b-fp8: The KV cache" in text.split("Findings")[1].splitlines()[2]
    assert "room for more" not in text
    assert "1 error · 1 warning · 1 note ──" in shown(
        scene(documents.status(findings=found)), 80, 70
    )
    assert "comes in time" not in shown(scene(documents.status(findings=found)), 80, 70)


@pytest.mark.parametrize("found", [None, [], [documents.WELL]])
def test_without_findings_there_is_no_section_for_them(found: list[Json] | None) -> None:
    assert "Findings" not in shown(scene(documents.status(findings=found)), 80, 60)


def test_a_tall_screen_says_why_and_what_to_type() -> None:
    found = [documents.ROOMY, documents.FULL, documents.SLOW]
    lines = drawn(scene(documents.status(findings=found)), 80, 60)
    begin = next(place for place, line in enumerate(lines) if "Findings" in line)
    assert lines[begin + 1 : begin + 10] == [
        " ✗ One request alone is slower than it should be",
        "   Something else uses the machine.",
        "   ▸ See what the engine chose.",
        " ! mistral-nemo-12b-fp8: The KV cache is full: requests queue, or are set back",
        "   Each token of a running request keeps its place in the cache. When none is",
        "   left the engine sets a request back and computes it again later; memory …",
        "   ▸ sparkwell down mistral-nemo-12b-fp8 && sparkwell up mistral-nemo-12b-fp8",
        "     --set kv_cache_dtype=fp8",
        " - The KV cache has room for more requests at once",
    ]
    wider = shown(scene(documents.status(findings=found)), 84, 60)
    assert "sparkwell up mistral-nemo-12b-fp8\n     --set kv_cache_dtype=fp8" in wider


def test_a_cause_that_stands_below_its_model_is_not_said_again() -> None:
    failed = {**documents.SLOW, "title": "x failed", "cause": documents.FAILED["error"]}
    status = documents.status(instances=[documents.FAILED], findings=[failed])
    assert shown(scene(status), 130, 60).count("CUDA out of memory") == 1
    assert "CUDA" in shown(scene({**status, "instances": []}), 130, 60)


def test_on_a_low_screen_findings_are_counted_in_the_second_line() -> None:
    status = documents.status(findings=[documents.FULL, documents.SLOW, documents.FULL])
    status["findings"].append(documents.ROOMY)
    low, high = drawn(scene(status), 60, 12), drawn(scene(status), 60, 40)
    assert low[1].startswith(" 1 error · 2 warnings · 3 requests running")
    assert "Findings" not in "\n".join(low)
    assert high[1].startswith(" 3 requests running")


@UNTIMED
@given(st.integers(40, 200), st.integers(8, 60), st.sampled_from(all_documents_with_findings()))
def test_what_is_amiss_is_said_on_every_screen(width: int, height: int, status: Json) -> None:
    lines = drawn(scene(status), width, height)
    counted = [line for line in lines if re.search(r"\b2 errors\b", line)]
    assert len(counted) == 1
    assert any("░ available 71.3" in line for line in lines[3:5])  # the header is whole


# ── any screen, any document ────────────────────────────────────────────────────────────────


def all_documents() -> list[Json]:
    many = [documents.NEMO, documents.GIANT, documents.ASLEEP, documents.FAILED, documents.QWEN]
    nothing = documents.status(instances=[], queue=[], switch=None, memory=None, guard=None)
    amiss = [documents.SLOW, documents.ROOMY, documents.FULL, {"title": "模" * 99}] * 2
    return [
        documents.status(),
        documents.status(instances=many * 4),
        documents.status(findings=amiss),
        documents.status(findings=amiss, instances=[documents.NEMO], switch=None, queue=[]),
        documents.two_that_serve(),
        documents.old(),
        nothing,
    ]


@UNTIMED
@given(
    st.sampled_from(all_documents()),
    st.integers(1, 200),
    st.integers(1, 60),
    st.booleans(),
)
def test_every_frame_fits_its_screen(status: Json, width: int, height: int, gone: bool) -> None:
    made = scene(status)
    lines = drawn(made.without_daemon(NOW) if gone else made, width, height)
    assert len(lines) <= height
    assert max(map(cell_len, lines), default=0) <= width


def without(document: Json, path: tuple[str, ...]) -> Json:
    """The document without one key, or with null there."""
    made: Json = copy.deepcopy(document)
    places = [made]
    for step in path[:-1]:
        below = [place.get(step) for place in places]
        flat = [one for each in below for one in (each if isinstance(each, list) else [each])]
        places = [one for one in flat if isinstance(one, dict)]
    for place in places:
        place.pop(path[-1], None)
    return made


def paths(document: Json) -> list[tuple[str, ...]]:
    parts = ("memory", "machine", "guard", "switch")
    inside = [(part, key) for part in parts for key in document.get(part) or {}]
    lists = ("instances", "queue", "findings")
    rows = [(part, key) for part in lists for row in document[part] for key in row]
    figures = [("instances", "figures", key) for key in documents.FIGURES]
    remedies = [("findings", "remedies", key) for key in ("text", "command", "fix")]
    return sorted({*((key,) for key in document), *inside, *rows, *figures, *remedies})


@pytest.mark.parametrize("path", paths(documents.status()), ids=".".join)
def test_any_key_may_be_missing(path: tuple[str, ...]) -> None:
    many = [documents.NEMO, documents.GIANT, documents.FAILED, documents.QWEN]
    status = without(documents.status(instances=many), path)
    lines = drawn(scene(status), 120, 70)
    assert lines[0].startswith(" Sparkwell")


def test_control_characters_and_markup_stay_harmless() -> None:
    nasty = "[bold]x[/bold] \x1b[2J\x1b]0;title\x07 a\nb\rc \u202e"
    event = documents.event(20, 1, "instance.failed", nasty, "m\x1b[31m")
    failed = {**documents.FAILED, "error": nasty, "model": "m\x1b[31m"}
    ready = {**documents.NEMO, "figures_problem": nasty}
    loading = {**documents.QWEN, "expectation": nasty}
    amiss = {"severity": nasty, "title": nasty, "cause": nasty, "remedies": [{"command": nasty}]}
    instances = [failed, ready, loading]
    text = shown(scene(documents.status(instances=instances, findings=[amiss]), [event]), 80, 50)
    assert "[bold]x[/bold]" in text
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(text)
    assert len(text.splitlines()) <= 50


def test_wide_characters_are_counted_as_the_terminal_does() -> None:
    wide = documents.instance("模型" * 30, "ready")
    lines = drawn(scene(documents.status(instances=[wide])))
    assert max(map(cell_len, lines)) <= 80


def coloured(environ: dict[str, str]) -> str:
    console = Console(
        file=io.StringIO(), width=80, force_terminal=True, _environ={"TERM": "xterm", **environ}
    )
    with console.capture() as captured:
        console.print(frame(scene(documents.status()), NOW, 80, 24))
    return captured.get()


def test_colours_are_left_out_where_nobody_wants_them() -> None:
    assert "\x1b[32m" in coloured({})
    assert "\x1b[3" not in coloured({"NO_COLOR": "1"}).replace("\x1b[3m", "")


@pytest.mark.parametrize(
    ("kind", "style"),
    [
        ("guard.tripped", "red"),
        ("breaker.open", "red"),
        ("switch.rolled_back", "yellow"),
        ("memory.waiting", "yellow"),
        ("breaker.closed", "green"),
        ("instance.phase", ""),
        ("something", ""),
    ],
)
def test_events_are_coloured_by_their_kind(kind: str, style: str) -> None:
    assert event_style({"kind": kind}) == style


def test_the_page_shows_the_frame_as_it_is_drawn_now() -> None:
    """If not: `python -m tests.unit.cli.top.pictures` draws it again."""
    texts = [block.text.rstrip("\n") for block in blocks(DOCS / "top.md")]
    assert pictures.text() in texts


@pytest.mark.parametrize("picture", pictures.PICTURES, ids=lambda each: each.path.stem)
def test_a_picture_shows_every_word_of_its_frame(picture: pictures.Picture) -> None:
    svg = html.unescape(picture.path.read_text(encoding="utf-8"))
    words = re.findall(r"[\w.:/-]+", picture.drawn().export_text())
    assert [word for word in words if word not in svg] == []


def test_air_between_the_sections_where_there_is_room_for_enough_events() -> None:
    many = [documents.event(number, 1, "a.b", "x") for number in range(200)]
    low, high = (drawn(scene(documents.status(), many), 80, height) for height in (24, 50))
    assert "" not in low
    assert high.count("") == 5
    assert len(high) == 50


@pytest.mark.parametrize("status", [documents.status(), documents.two_that_serve()])
def test_the_documents_are_of_one_piece(status: Json) -> None:
    """The figures of the hand-written documents do not contradict each other."""
    memory, instances = status["memory"], status["instances"]
    held = sum(each["held_bytes"] for each in instances)
    assert abs(held - memory["promised_bytes"]) < GIB / 10
    assert memory["promised_bytes"] < memory["budget_bytes"] < memory["total_bytes"]
    assert sum(each["serving"] for each in instances) == status["requests_running"]
    waiting = sum(entry["waiting"] for entry in status["queue"])
    assert status["machine"]["gateway_waiting"] == waiting
