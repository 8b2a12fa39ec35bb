"""What becomes of the guides' claims."""

from typing import Any

import pytest
from tests.unit.app.verifying.parts import MODEL, bench, plan, started

from sparkwell.app.verifying.claims import Run, with_claims
from sparkwell.app.verifying.figures import Guided, figures
from sparkwell.app.verifying.gathered import Started
from sparkwell.catalog import load_catalog
from sparkwell.catalog.guide_claims import claims_for
from sparkwell.catalog.recipe import FlagValue
from sparkwell.planner.plan import Plan

GUIDE = load_catalog().get(MODEL).guide
FLAGS: dict[str, FlagValue] = dict(GUIDE.flags) if GUIDE else {}


def judged(of: Plan, begun: Started, measured: dict[str, Any] | None) -> dict[str, Guided]:
    rows = with_claims(
        figures(of, begun, measured), claims_for(MODEL), Run(MODEL, of, begun, FLAGS)
    )
    return {each.claim: each for row in rows for each in row.guides}


def of_unit(found: dict[str, Guided], unit: str) -> dict[str, Guided]:
    return {name: each for name, each in found.items() if each.unit == unit}


def test_a_speed_within_the_range_holds_and_one_far_below_does_not() -> None:
    p = plan()
    alone = of_unit(judged(p, started(p), bench(p)), "tokens/s")
    assert len(alone) >= 3, "one, 16 and 64 at once"
    slow = of_unit(judged(p, started(p), bench(p, slower=20)), "tokens/s")
    assert {each.verdict for each in slow.values()} == {"does not hold"}
    assert all(each.why is None and each.measured for each in slow.values())


def test_a_first_token_stands_beside_its_claim() -> None:
    """It was in neither bench nor verify, for the claim had been judged by reading."""
    p = plan()
    first = of_unit(judged(p, started(p), bench(p, slower=1.2)), "s")["qwen3-8b.ttft"]
    assert (first.low, first.high, first.verdict) == (0.1, 0.3, "holds")
    assert first.measured is not None
    assert 0.1 < first.measured < 0.12, "of one at once, not of 16"


def test_verdicts_are_those_of_the_guides_own_ranges() -> None:
    p, measured = plan(), bench(plan())
    for each in judged(p, started(p), measured).values():
        if each.measured is not None and each.why is None:
            least = each.low - abs(each.low) * each.tolerance
            most = each.high + abs(each.high) * each.tolerance
            inside = least <= each.measured <= most
            assert each.verdict == ("holds" if inside else "does not hold"), each.claim


def test_memory_is_told_in_the_claims_own_unit() -> None:
    p = plan()
    found = judged(p, started(p), None)
    gb = next(each for each in found.values() if each.unit == "GB" and "weights" in each.claim)
    assert gb.measured == pytest.approx(p.memory.weights / 1e9)
    tokens = of_unit(found, "tokens")
    assert [each.measured for each in tokens.values()] == [p.memory.kv_tokens]


def test_on_another_machine_no_claim_holds_or_fails() -> None:
    p = plan("h100-80gb")
    found = judged(p, started(p), bench(p))
    assert {each.verdict for each in found.values()} == {"not measured"}
    assert {each.why for each in found.values()} == {
        "the guide speaks of dgx-spark, this is h100-80gb"
    }


def test_claims_on_memory_are_about_the_guides_flags() -> None:
    p = plan(profile="latency")
    found = judged(p, started(p), bench(p))
    tokens = next(iter(of_unit(found, "tokens").values()))
    assert tokens.verdict == "not measured"
    assert tokens.why is not None
    assert tokens.why.startswith("the run has another ")
    speeds = of_unit(found, "tokens/s")
    assert "not measured" not in {each.verdict for each in speeds.values()}


def test_without_a_measurement_a_claim_says_so() -> None:
    found = judged(plan(), Started(), None)
    assert {each.verdict for each in found.values()} == {"not measured"}
    assert all(each.why for each in found.values())


def test_a_claim_on_a_measurement_in_doubt_is_not_judged() -> None:
    p, stood = plan(), bench(plan(), slower=20)
    for case in stood["cases"]:
        case["notes"] = ["the engine stood still"]
    speeds = of_unit(judged(p, started(p), stood), "tokens/s")
    assert {each.verdict for each in speeds.values()} == {"not measured"}
    assert {each.why for each in speeds.values()} == {"the engine stood still"}


@pytest.mark.parametrize(
    ("warm", "said"),
    [
        (None, "the engine did not say whether it found compiled code"),
        (False, "this was a first start"),
    ],
)
def test_a_claim_on_warm_starts_says_why_it_is_not_judged(warm: bool | None, said: str) -> None:
    model = "qwen3-30b-a3b-fp8"
    p = plan()
    begun = started(p, warm=warm)
    rows = with_claims(figures(p, begun, None), claims_for(model), Run(model, p, begun, {}))
    [row] = [each for each in rows if each.key == "start_s"]
    [claim] = [each for each in row.guides if each.claim.endswith("warm-start")]
    assert (claim.measured, claim.verdict, claim.why) == (None, "not measured", said)
