"""Which models stand first, and which button each gets."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.web import fake_status as documents
from tests.unit.web.fake_plans import plan
from tests.unit.web.fake_services import CATALOG
from tests.unit.web.fake_status import GIANT, NEMO, QWEN

from sparkwell.core.units import GIB
from sparkwell.web.offers import fits_beside, in_order, offer, with_strangers
from sparkwell.web.values import ModelEntry

ENTRY = ModelEntry("a", "A", "", "org/a", plan=plan("a", 10.0, 20.0))


def test_what_is_offered() -> None:
    assert offer(ENTRY) == "ready"
    assert offer(replace(ENTRY, plan=None)) == "ready"
    assert offer(replace(ENTRY, missing="Its weights are not here.")) == "lacking"
    assert offer(replace(ENTRY, missing="No engine.", blocked=True)) == "refused"
    assert offer(replace(ENTRY, plan=plan("a", 400.0, 1.0, fits=False))) == "refused"


def test_the_order() -> None:
    demo = replace(ENTRY, name="demo", repo=None)
    lacking = replace(ENTRY, name="lacking", missing="weights")
    refused = replace(ENTRY, name="refused", blocked=True)
    runs = replace(refused, name="runs")
    failed = replace(ENTRY, name="failed")
    running = {
        "runs": documents.instance("runs", "ready"),
        "failed": documents.instance("failed", "failed"),
    }
    entries = [refused, lacking, demo, ENTRY, runs, failed]
    found = [each.name for each in in_order(entries, running)]
    assert found == ["runs", "a", "failed", "demo", "lacking", "refused"]


@given(st.permutations(CATALOG))
def test_ordering_loses_nobody(entries: list[ModelEntry]) -> None:
    found = in_order(entries, {})
    assert sorted(each.name for each in found) == sorted(each.name for each in CATALOG)
    ranks = [["ready", "lacking", "refused"].index(offer(each)) for each in found]
    assert ranks == sorted(ranks)


def test_room_beside_what_runs() -> None:
    giant = next(each for each in CATALOG if each.name == GIANT)
    small = replace(giant, plan=plan(GIANT, 2.0, 20.0, kv=1))
    runs = documents.status(documents.instance(NEMO, "ready", held_bytes=40 * GIB))
    assert not fits_beside(runs, giant)
    assert fits_beside(runs, small)
    assert fits_beside(documents.status(), giant)
    assert fits_beside({**runs, "memory": None}, giant)
    assert fits_beside(runs, None)


def test_who_runs_and_is_not_in_the_catalog() -> None:
    name = "ollama/llama3.2:3b"
    running = {QWEN: documents.instance(QWEN, "ready"), name: documents.instance(name, "ready")}
    assert [each.name for each in with_strangers(CATALOG, running)][len(CATALOG) :] == [name]
