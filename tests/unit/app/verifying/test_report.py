"""The report as a document, and planned again from it."""

import json
from typing import Any

import pytest
from tests.unit.app.verifying.parts import MODEL, bench, gathered, plan, started

from sparkwell.app.verifying.again import figures_again, planned_again
from sparkwell.app.verifying.figures import figures
from sparkwell.app.verifying.gathered import Gathered, Step
from sparkwell.app.verifying.report import bench_part, report
from sparkwell.catalog import Catalog, load_catalog
from sparkwell.core.errors import DocumentError

Json = dict[str, Any]
DONE = Step("bench", "done", 60.0)


def document(found: Gathered, *, requests: bool = False) -> Json:
    rows = figures(found.plan, found.started, found.bench)
    told: Json = json.loads(json.dumps(report(found, rows, [], requests=requests)))
    return told


def whole(**how: Any) -> Json:
    return document(gathered(plan(), bench(plan()), DONE), **how)


def test_plan_and_figures_stand_side_by_side() -> None:
    found = whole()
    row = next(
        each for each in found["figures"] if each["key"].startswith("output_tokens_per_s, 64")
    )
    assert row["measured"] == pytest.approx(row["planned"])
    assert (row["verdict"], row["tolerance"], row["unit"]) == ("holds", 0.25, "tokens/s")
    assert found["summary"]["plan"] == {
        "holds": len(found["figures"]), "does not hold": 0, "not measured": 0
    }  # fmt: skip
    assert found["plan"]["memory"]["kv_cache_tokens"] == plan().memory.kv_tokens
    assert found["measured"]["start_planned"].keys() == found["measured"]["start"]["phases"].keys()


def test_it_says_what_it_is_and_whether_it_is_whole() -> None:
    found = whole()
    assert (found["kind"], found["format"], found["whole"]) == ("sparkwell-verify", 1, True)
    assert found["date"] == "1970-01-01T00:00:00Z"
    assert found["failed"] is None
    cut = document(gathered(plan(), None, Step("up", "failed", 3.0, "no room", "make some")))
    assert (cut["whole"], cut["failed"]) == (False, {"step": "up", "why": "no room"})
    assert cut["measured"]["bench"] is None
    assert cut["steps"][0]["hint"] == "make some"


def test_requests_addresses_and_commands_are_left_out_of_the_measurement() -> None:
    measured = whole()["measured"]["bench"]
    assert not {"url", "command"} & measured.keys()
    assert "requests" not in measured["cases"][0]["repeats"][0]
    assert measured["cases"][0]["requests"] == 3
    rows = whole(requests=True)["measured"]["bench"]["cases"][0]["repeats"][0]["requests"]
    assert rows["columns"][1] == "ttft_s"


def test_requests_that_were_set_aside_are_left_out_too() -> None:
    measured = bench(plan())
    [case, *_] = measured["cases"]
    case["set_aside"] = [{"repeat": 1, **case["repeats"][0]}]
    [slim, *_] = bench_part(measured, requests=False)["cases"]
    assert slim["set_aside"][0]["repeat"] == 1
    assert "requests" not in slim["set_aside"][0]
    [case, *_] = bench_part(measured, requests=True)["cases"]
    assert "requests" in case["set_aside"][0]
    del case["set_aside"]
    assert bench_part(measured | {"cases": [case]}, requests=False)["cases"], "of an older version"


@pytest.mark.parametrize(
    ("system", "left"),
    [
        ("Linux-6.18.44-fc-v657-x86_64-with-glibc2.36", "Linux-6.18-with-glibc2.36"),
        ("Linux-6.8.0", "Linux-6.8"),
        (None, None),
    ],
)
def test_a_kernel_is_told_by_its_version_alone(system: str | None, left: str | None) -> None:
    measured = bench(plan())
    measured["versions"] |= {"system": system}
    part = bench_part(measured, requests=False)
    assert part["versions"] == {**measured["versions"], "system": left}


def test_it_is_small() -> None:
    assert len(json.dumps(whole())) < 40_000


def test_it_can_be_planned_again_and_comes_to_the_same() -> None:
    found, p = whole(), plan()
    again = planned_again(found, load_catalog())
    assert (again.memory, again.speed) == (p.memory, p.speed)
    assert again.question.machine == p.question.machine
    rows = figures_again(found, load_catalog())
    assert [(row.key, row.planned, row.measured) for row in rows] == [
        (each["key"], each["planned"], each["measured"]) for each in found["figures"]
    ]


def test_a_model_that_the_catalog_has_not_is_planned_from_the_report() -> None:
    again = planned_again(whole(), Catalog(()))
    assert again.memory == plan().memory
    assert again.question.described.name == MODEL


def test_another_planner_is_found_out() -> None:
    """What a change of the planner would do to a report that lies here: its figure is off."""
    p = plan()
    slow = document(gathered(p, bench(p, slower=1.3), DONE))
    assert {row.verdict for row in figures_again(slow, load_catalog())} > {"does not hold"}


def test_a_report_without_a_plan_cannot_be_planned_again() -> None:
    found = gathered(plan(), None)
    found.plan = None
    with pytest.raises(DocumentError, match="no plan"):
        planned_again(document(found), load_catalog())


@pytest.mark.parametrize("damage", [{"described": {}}, {"described": {"name": 1}}, {"flags": None}])
def test_a_question_that_is_damaged_is_told(damage: Json) -> None:
    found = whole()
    found["question"] |= damage
    with pytest.raises(DocumentError, match="not understood"):
        planned_again(found, load_catalog())


def test_the_start_is_read_again_as_it_was() -> None:
    p = plan()
    assert document(gathered(p, None))["measured"]["start"] == started(p).to_json()
