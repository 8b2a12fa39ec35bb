"""Every suite, and a search for flags, against the real vLLM with a demo model."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sparkwell.bench.suites import SUITES
from tests.acceptance.conftest import Home
from tests.acceptance.test_real_engine import START_S, real_home

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

MODEL = "demo-qwen3"
FEW = ("--requests", "4", "--repeats", "1")
MEASURE_S = 240.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = real_home(tmp_path_factory.mktemp("home"))
    place.ok("up", MODEL, timeout=START_S)
    yield place
    place.clean_up()


def in_order(case: dict[str, Any]) -> bool:
    """Whether a first token came after nothing and before the whole answer."""
    found = {name: case["measured"][f"{name}_p50_s"]["mean"] for name in ("ttft", "e2e")}
    return bool(0 < found["ttft"] <= found["e2e"])


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_is_measured(home: Home, suite: str) -> None:
    words = ("bench", MODEL, "--suite", suite, *FEW, "--slo", "ttft=60s", "--json")
    run = json.loads(home.ok(*words, timeout=MEASURE_S))
    assert run["broken"] is None
    assert [case["name"] for case in run["cases"]] == [case.name for case in SUITES[suite].cases]
    for case in run["cases"]:
        [repeat] = case["repeats"]
        assert (len(repeat["requests"]["rows"]), case["failed"]) == (4, 0), case["name"]
        assert case["measured"]["good_share"]["mean"] == 1
        assert in_order(case), case["name"]


def test_prefix_caching_shows(home: Home) -> None:
    """A document that all share first is read once; after a question of one's own, each time."""
    words = ("bench", MODEL, "--suite", "prefix", "--requests", "16", "--repeats", "2", "--json")
    run = json.loads(home.ok(*words, timeout=MEASURE_S))
    first, question, nothing = (case["measured"]["ttft_p50_s"]["mean"] for case in run["cases"])
    assert first < 0.7 * nothing
    assert question > first


def test_flags_are_searched_and_checked(home: Home) -> None:
    """Three starts of the real engine: the flags from before, one other set, the check."""
    words = ("--prompt-tokens", "32", "--output-tokens", "8", "--clients", "4", "--repeats", "1")
    asked = ("tune", MODEL, "--goal", "throughput", *words, "--trials", "1", "--json")
    done = home.run(*asked, timeout=600)
    tuning = json.loads(done.stdout)
    measured = [each for each in tuning["trials"] if each["end"] == "measured"]
    assert len(measured) == 2, done.stderr
    assert all(each["value"] > 0 for each in measured)
    assert measured[0]["values"] != measured[1]["values"]
    outcome = tuning["outcome"]
    assert outcome is not None, done.stderr
    assert done.returncode == (0 if outcome["winner"] is not None else 1)
    [instance] = home.json("ps")["instances"]
    assert instance["state"] == "ready", "what ran before runs again"
