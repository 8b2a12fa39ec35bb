"""Figures beside the plan: what holds, what does not, and what nobody measured."""

from typing import Any

import pytest
from tests.unit.app.verifying.parts import bench, plan, started

from sparkwell.app.verifying.figures import Figure, figures, planned_phases
from sparkwell.app.verifying.gathered import Started
from sparkwell.app.verifying.verdicts import of_plan, off_by
from sparkwell.planner.plan import Plan


def by_key(rows: list[Figure]) -> dict[str, Figure]:
    found = {row.key: row for row in rows}
    assert len(found) == len(rows), "keys tell figures apart"
    return found


@pytest.mark.parametrize(
    ("planned", "measured", "verdict"),
    [
        (100.0, 100.0, "holds"),
        (115.0, 100.0, "holds"),
        (116.0, 100.0, "does not hold"),
        (84.0, 100.0, "does not hold"),
        (100.0, None, "not measured"),
        (None, 100.0, None),
        (100.0, 0.0, "does not hold"),
    ],
)
def test_a_plan_holds_within_its_tolerance(
    planned: float | None, measured: float | None, verdict: str | None
) -> None:
    assert of_plan(planned, measured, 0.15) == verdict


def test_the_error_is_a_share_of_what_was_measured() -> None:
    assert off_by(50, 100) == -0.5
    assert off_by(50, 0) is None


def test_a_machine_that_is_as_planned_confirms_all() -> None:
    p = plan()
    rows = by_key(figures(p, started(p), bench(p)))
    assert {row.verdict for row in rows.values()} == {"holds"}
    assert [row.off for row in rows.values()] == pytest.approx([0.0] * len(rows))
    assert {"kv_cache_tokens", "weights_bytes", "held_bytes", "start_s", "load_s"} < rows.keys()
    assert "output_tokens_per_s, 64 at once" in rows
    assert rows["tpot_p50_s, 1 at once"].unit == "s"


def test_one_stream_may_be_off_by_15_percent_and_many_by_25() -> None:
    p = plan()
    rows = by_key(figures(p, started(p), bench(p, slower=1.2)))
    assert rows["output_tokens_per_s, 1 at once"].verdict == "does not hold"
    assert rows["output_tokens_per_s, 1 at once"].tolerance == 0.15
    assert rows["tpot_p50_s, 1 at once"].verdict == "does not hold"
    assert rows["output_tokens_per_s, 64 at once"].verdict == "holds"
    assert rows["output_tokens_per_s, 64 at once"].tolerance == 0.25
    assert rows["ttft_p50_s, 1 at once"].verdict == "holds"


def test_what_was_not_reached_is_not_measured_and_says_why() -> None:
    rows = by_key(figures(plan(), Started(), None))
    assert {row.verdict for row in rows.values()} == {"not measured"}
    assert rows["start_s"].why == "the start was not seen from its beginning"
    assert rows["kv_cache_tokens"].why == "the engine did not say"
    assert not [key for key in rows if "at once" in key]


def test_requests_that_failed_make_their_case_no_measurement() -> None:
    p = plan()
    rows = by_key(figures(p, started(p), bench(p, failed=2)))
    row = rows["output_tokens_per_s, 16 at once"]
    assert (row.measured, row.verdict, row.why) == (None, "not measured", "2 requests failed")


STALL = "In repeat 1 no token came for 30.0 s: the engine stood still, and the figures have that."


def test_a_case_in_doubt_is_shown_and_not_judged() -> None:
    p, stood = plan(), bench(plan(), slower=3)
    stood["cases"][1]["notes"] = ["Shortened: this model takes 2,048 tokens at most.", STALL]
    rows = by_key(figures(p, started(p), stood))
    row = rows["output_tokens_per_s, 16 at once"]
    assert row.measured is not None
    assert (row.off, row.verdict, row.why) == (None, "not measured", STALL)
    assert rows["output_tokens_per_s, 32 at once"].verdict == "does not hold"


def test_that_it_was_shortened_is_no_doubt() -> None:
    p, short = plan(), bench(plan())
    short["cases"][1]["notes"] = ["Shortened: this model takes 2,048 tokens at most."]
    assert (
        by_key(figures(p, started(p), short))["output_tokens_per_s, 16 at once"].verdict == "holds"
    )


def test_a_start_of_unknown_warmth_is_not_judged_where_it_matters() -> None:
    p = plan()
    rows = by_key(figures(p, started(p, warm=None), None))
    said = "the engine did not say whether it found compiled code"
    assert (rows["start_s"].verdict, rows["start_s"].why) == ("not measured", said)
    assert rows["load_s"].verdict == "holds", "planned alike, cold or warm"


def test_a_case_that_broke_off_is_no_measurement() -> None:
    p, cut = plan(), bench(plan(), broken="it died")
    cut["cases"][3]["repeats"][0]["broken"] = "it died"
    row = by_key(figures(p, started(p), cut))["output_tokens_per_s, 64 at once"]
    assert (row.measured, row.why) == (None, "it died")


def test_without_a_plan_there_are_figures_and_no_verdicts() -> None:
    p = plan()
    rows = by_key(figures(None, started(p), bench(p)))
    assert {row.verdict for row in rows.values()} == {None}
    assert rows["kv_cache_tokens"].measured == p.memory.kv_tokens


@pytest.mark.parametrize(("warm", "name"), [(True, "warm_s"), (False, "cold_s"), (None, "cold_s")])
def test_a_start_is_held_against_one_of_its_kind(warm: bool | None, name: str) -> None:
    p: Plan = plan()
    took = {each.name.value: getattr(each, name) for each in p.startup.phases}
    took.pop("download", None)
    told: Any = started(p, warm=warm, seconds=sum(took.values()), phases=took)
    row = by_key(figures(p, told, None))["start_s"]
    assert row.planned == pytest.approx(row.measured)
    assert planned_phases(p, warm=warm is True) == took
