"""Sparkwell's own series: from values, unknown is absent, names are those of the table."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.monitor.test_exposition_page import PAGE, samples

from sparkwell.core.findings import Finding, Severity
from sparkwell.monitor.exposition import Exposed, ModelFigures, expose
from sparkwell.monitor.exposition_keys import KeyFigures
from sparkwell.monitor.exposition_page import EnginePage
from sparkwell.monitor.exposition_series import (
    GATEWAY,
    MACHINE,
    PLANNED,
    READINGS,
    every_series,
    told_names,
)
from sparkwell.store.series_names import ENGINE_SERIES, MACHINE_SERIES

STATES = ("ready", "starting", "failed", "stopped")
FULL = Exposed(
    version="1.2.3",
    models=(
        ModelFigures(
            model="qwen3-8b-fp8",
            state="ready",
            wanted=True,
            breaker_open=False,
            engine="vllm",
            version="0.32.0",
            run="qwen3-8b-fp8-1",
            queued=3,
            readings={each.name: 0.5 for each in READINGS},
            planned={each.name: 7.0 for each in PLANNED},
            load_s={"weights": 12.5, "graphs": 6.0},
            findings=(Finding("kv-cache-full", Severity.WARNING, "full"),),
        ),
        ModelFigures(model="demo-qwen3", state="failed", wanted=True, breaker_open=True),
    ),
    machine={each.name: 1.0 for each in MACHINE},
    gateway={each.name: 2.0 for each in GATEWAY},
    switches=4,
    guard_trips=0,
    memory_floor_bytes=8 * 2**30,
    states=STATES,
    keys=KeyFigures(
        requests={("bob", "demo-qwen3", "200"): 3, ('e "x"', "demo-qwen3", "0"): 1},
        prompt_tokens={("bob", "demo-qwen3"): 1200},
        output_tokens={("bob", "demo-qwen3"): 0},
        refused={("bob", "requests"): 2},
    ),
)


def told(exposed: Exposed, *pages: EnginePage) -> dict[str, str]:
    """Every sample by how it is written, labels sorted."""
    found = samples(expose(exposed, pages).decode())
    return {
        name + "".join(f" {key}={value}" for key, value in labels): number
        for (name, labels), number in found.items()
    }


def test_what_is_known_is_told() -> None:
    page = told(FULL, EnginePage("qwen3-8b-fp8", PAGE), EnginePage("other", None))
    assert page["sparkwell_build_info version=1.2.3"] == "1.0"
    assert page["sparkwell_model_state model=demo-qwen3 state=failed"] == "1.0"
    assert page["sparkwell_model_state model=demo-qwen3 state=ready"] == "0.0"
    assert page["sparkwell_model_ready model=demo-qwen3"] == "0.0"
    assert page["sparkwell_model_ready model=qwen3-8b-fp8"] == "1.0"
    assert page["sparkwell_breaker_open model=demo-qwen3"] == "1.0"
    assert page["sparkwell_queue_requests model=qwen3-8b-fp8"] == "3.0"
    assert page["sparkwell_load_phase_seconds model=qwen3-8b-fp8 phase=weights"] == "12.5"
    finding = "sparkwell_finding id=kv-cache-full model=qwen3-8b-fp8 severity=warning"
    assert page[finding] == "1.0"
    assert page["sparkwell_switches_total"] == "4.0"
    assert page["sparkwell_guard_trips_total"] == "0.0"  # none is known, and is none
    assert page["sparkwell_engine_scrape_ok model=qwen3-8b-fp8"] == "1.0"
    assert page["sparkwell_engine_scrape_ok model=other"] == "0.0"
    assert page["vllm:num_requests_running engine=0 model=qwen3-8b-fp8 model_name=m"] == "2.0"
    engine = "engine=vllm model=qwen3-8b-fp8 run=qwen3-8b-fp8-1 version=0.32.0"
    assert page[f"sparkwell_engine_info {engine}"] == "1.0"


def test_what_keys_used_is_told_by_their_names() -> None:
    found = {name: value for name, value in told(FULL).items() if "_key_" in name}
    assert found == {
        "sparkwell_key_requests_total code=200 key=bob model=demo-qwen3": "3.0",
        'sparkwell_key_requests_total code=0 key=e "x" model=demo-qwen3': "1.0",
        "sparkwell_key_prompt_tokens_total key=bob model=demo-qwen3": "1200.0",
        "sparkwell_key_output_tokens_total key=bob model=demo-qwen3": "0.0",
        "sparkwell_key_refused_total key=bob limit=requests": "2.0",
    }
    assert not any("_key_" in name for name in told(Exposed("1")))


def test_every_series_of_the_table_is_told_and_no_other() -> None:
    page = expose(FULL, [EnginePage("qwen3-8b-fp8", PAGE)]).decode()
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE sparkwell")}
    assert names == set(told_names())
    for name, series in told_names().items():
        assert f"# TYPE {name} {series.kind}\n" in page
        assert re.fullmatch(r"sparkwell_[a-z0-9_]+", name)
        assert series.help.endswith(".")
    assert len(told_names()) == len(list(every_series()))


def test_the_names_are_those_that_the_monitor_keeps() -> None:
    assert {each.name for each in READINGS} == set(ENGINE_SERIES)
    assert {each.name for each in (*MACHINE, *GATEWAY)} == set(MACHINE_SERIES)


def test_unknown_is_absent_and_not_0() -> None:
    unknown: dict[str, float | None] = dict.fromkeys(each.name for each in READINGS)
    models = [
        ModelFigures("m", readings=unknown),
        ModelFigures("n", readings={"running": math.nan}),
    ]
    assert told(Exposed("1", models=models)) == {"sparkwell_build_info version=1": "1.0"}


def test_a_name_that_is_not_in_the_table_is_not_told() -> None:
    odd = ModelFigures("m", readings={"no_such_series": 1.0, "bad name{": 2.0})
    assert list(told(Exposed("1", models=[odd]))) == ["sparkwell_build_info version=1"]


def test_of_two_pages_of_one_model_the_last_is_taken() -> None:
    page = told(Exposed("1"), EnginePage("m", "vllm:a 1\n"), EnginePage("m", "vllm:a 2\n"))
    assert page["vllm:a model=m"] == "2.0"


def test_a_state_that_nobody_listed_is_told_too() -> None:
    page = told(Exposed("1", models=[ModelFigures("m", state="odd")], states=STATES))
    assert page["sparkwell_model_state model=m state=odd"] == "1.0"
    assert page["sparkwell_model_ready model=m"] == "0.0"


@pytest.mark.parametrize("name", ['<script>alert("x")</script>', 'a"b\\c\nd', "模型", "", "}"])
def test_names_are_escaped(name: str) -> None:
    exposed = Exposed("1", models=[ModelFigures(name, state="ready")], states=STATES)
    page = expose(exposed, [EnginePage(name, PAGE)]).decode()
    models = {dict(labels).get("model", name) for _, labels in samples(page)}
    assert models == {name}


@settings(deadline=None)
@given(st.text(max_size=20), st.floats() | st.none(), st.dictionaries(st.text(), st.floats()))
def test_whatever_the_values_the_page_can_be_read(
    model: str, value: float | None, phases: dict[str, float]
) -> None:
    one = ModelFigures(model, state=model, readings={"running": value}, load_s=phases)
    page = expose(Exposed(model, models=[one, one], states=STATES), [EnginePage(model, PAGE)])
    samples(page.decode())
