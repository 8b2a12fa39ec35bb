"""What a prefix cache saved, told from a run."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.bench.samples import sample

from sparkwell.bench.expected_tables import saved_table
from sparkwell.bench.figures import figures
from sparkwell.bench.report import About, Beside, document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.saved import saved
from sparkwell.bench.suites import SUITES
from sparkwell.bench.tables import title

CASES = SUITES["prefix"].cases
TTFT_S = ((0.1, 0.11, 0.1), (0.4, 0.41, 0.4), (0.4, 0.4, 0.41))


def repeat(ttft_s: float) -> Repeat:
    samples = [sample(ttft_s), sample(ttft_s)]
    return Repeat(figures(samples, began_s=100.0, ended_s=100 + 10 * ttft_s), samples, 100.0)


def run(ttft_s: Sequence[Sequence[float]] = TTFT_S, **about: Any) -> dict[str, Any]:
    known = About("r", 1.0, "m", "prefix", "u", "c", "1", {"name": "x"}, {}, **about)
    measured = Measured({at: [repeat(each) for each in of] for at, of in enumerate(ttft_s)})
    return document(known, CASES[: len(ttft_s)], measured, lambda _case: Beside())


def test_it_is_the_ratio_to_nothing_shared_with_its_interval() -> None:
    first, rate = saved(run()["cases"])
    assert (first.case, first.beside) == ("document first", "nothing shared")
    assert (first.figure, rate.figure) == ("ttft_p50_s", "output_tokens_per_s")
    assert first.ratio.value == pytest.approx(0.256, abs=0.002)
    assert (first.ratio.verdict, rate.ratio.verdict) == ("less", "more")
    assert first.ratio.low is not None
    assert first.ratio.low < first.ratio.value
    assert rate.nothing < rate.shared


def test_it_stands_in_the_document() -> None:
    first, rate = run()["saved"]
    assert first["figure"] == "ttft_p50_s"
    assert first["document_first"] == pytest.approx(0.1033, abs=1e-4)
    assert rate["low"] < rate["ratio"] < rate["high"]


def test_a_table_says_it() -> None:
    head, first, rate = saved_table(run())
    assert head[1:4] == ["NOTHING SHARED", "DOCUMENT FIRST", "RATIO"]
    assert first[:4] == ["TTFT p50", "403 ms", "103 ms", "0.256"]
    assert first[-1] == "74% less"
    assert rate[0] == "output tokens/s"
    assert rate[-1].endswith("% more")


def test_the_guides_claim_stands_beside_the_first_token() -> None:
    made = run()
    made["cases"][0]["guide_saved"] = {"claim": "g.gain", "says": "…", "low": 0.5, "high": 0.8}
    head, first, rate = saved_table(made)
    assert head[-1] == "THE GUIDE (SPARK)"
    assert first[-2:] == ["74% less", "50% to 80% less"]
    assert rate[-1] == "-"


def test_one_repeat_has_no_interval() -> None:
    rows = saved_table(run([[0.1], [0.4], [0.4]]))[1:]
    assert {(row[-2], row[-1]) for row in rows} == {("-", "too few repeats")}


def test_a_run_of_an_earlier_version_tells_it_too() -> None:
    old = run()
    del old["saved"], old["prompts"]
    for case in old["cases"]:
        del case["lengths"], case["measured"]["silence_s"]
    assert saved_table(old) == saved_table(run())


def test_without_the_other_case_there_is_nothing_to_tell() -> None:
    """As in a run that was ended by hand, or with lengths that are not the same."""
    assert run(TTFT_S[:2])["saved"] == []
    other = run()
    other["cases"][2]["workload"]["prompt_tokens"] = 4_225
    assert saved(other["cases"]) == []


@pytest.mark.parametrize("flags", [{"enable_prefix_caching": True}, {}, None])
def test_a_cache_that_may_be_on_is_not_said_to_be_off(flags: dict[str, Any] | None) -> None:
    found = run(flags=flags)
    assert "prefix caching off" not in title(found)
    assert not any("caching" in note for case in found["cases"] for note in case["notes"])


def test_a_cache_that_is_off_is_said_to_be() -> None:
    found = run(flags={"enable_prefix_caching": False})
    assert ", prefix caching off, " in title(found)
    first, *others = found["cases"]
    assert "Prefix caching is off: the shared document was read each time." in first["notes"]
    assert not any("caching" in note for case in others for note in case["notes"])
