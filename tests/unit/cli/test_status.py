"""What `status` prints of how it goes: figures, expectation, machine, findings."""

from typing import Any

import pytest
from tests.docs.documents import DOCS, blocks
from tests.unit.cli.top import documents

from sparkwell.cli import status

Json = dict[str, Any]


def lines(**more: Any) -> list[str]:
    quiet = documents.status(switch=None, queue=[], memory=None, guard=None, machine=None)
    return status._text({**quiet, "findings": [], **more}).splitlines()[2:]


def test_a_ready_model_has_its_figures_in_one_line() -> None:
    assert lines(instances=[documents.NEMO]) == [
        "Model    mistral-nemo-12b-fp8: ready, pinned",
        "Engine   vllm 0.10.1.1 (compose, container sparkwell-mistral-nemo-12b-fp8)",
        "Figures  84.2 tok/s out, first token 1.84 s (p95), KV 97 %, 2 running, 1 waiting, "
        "82 % of the plan",
    ]


@pytest.mark.parametrize("figures", [None, documents.UNKNOWN])
def test_without_figures_the_gateway_counts_the_requests(figures: Json | None) -> None:
    said = lines(instances=[{**documents.NEMO, "figures": figures}])
    assert said[2:] == ["Requests 3 running"]


def test_an_engine_that_could_not_be_read_says_why() -> None:
    mute = {**documents.NEMO, "figures": None, "figures_problem": "it did not\nanswer"}
    assert lines(instances=[mute])[2:] == [
        "Requests 3 running",
        "Figures  not measured: it did not answer",
    ]
    stopping = {**mute, "state": "stopping"}
    assert not any("Figures" in each for each in lines(instances=[stopping]))


def test_what_is_expected_of_a_start() -> None:
    assert lines(instances=[documents.QWEN])[:2] == [
        "Model    qwen3-8b-fp8: starting (loading weights, 43 %, about 41 s left)",
        "         the guide says 2.0 min, this machine took 73 s last time",
    ]
    ready = {**documents.NEMO, "expectation": "the guide says 2.0 min"}
    assert not any("the guide" in each for each in lines(instances=[ready]))


def test_findings_are_at_the_end_the_worst_first_with_what_to_type() -> None:
    found = [documents.ROOMY, documents.WELL, documents.FULL, documents.SLOW]
    said = lines(instances=[], machine=documents.MACHINE, findings=found)
    assert said[1:] == [
        "Machine  GPU 88 %, 38 W, 61 °C, CPU 14 %",
        "Error    One request alone is slower than it should be",
        "         See what the engine chose.",
        "Warning  mistral-nemo-12b-fp8: The KV cache is full: requests queue, or are set back",
        "         `sparkwell down mistral-nemo-12b-fp8 && sparkwell up mistral-nemo-12b-fp8 "
        "--set kv_cache_dtype=fp8`",
        "Note     The KV cache has room for more requests at once",
        "         Send more requests at once.",
    ]


def test_the_page_shows_what_status_prints() -> None:
    serving = documents.two_that_serve()
    printed = status._text({**serving, "instances": [documents.NEMO]}).splitlines()[2:]
    assert printed in [block.text.splitlines() for block in blocks(DOCS / "top.md")]


def test_an_older_daemon_says_nothing_of_it() -> None:
    assert len(lines(instances=documents.old()["instances"])) == 5
    text = status._text(documents.old())
    assert not any(word in text for word in ("Figures", "Machine", "Warning", "None"))
