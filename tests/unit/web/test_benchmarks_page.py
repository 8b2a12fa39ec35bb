"""The page of what was measured."""

import json
import re
from typing import Any

from tests.unit.bench.test_report import whole
from tests.unit.web.browsing import Visitor

from sparkwell.web.benchmarks import curves

EVIL = "<script>alert(1)</script>"


def run(name: str, **changes: Any) -> dict[str, Any]:
    return {**whole(), "run": name, **changes}


async def test_the_newest_run_stands_there_and_others_can_be_chosen(visitor: Visitor) -> None:
    visitor.site.services.measured = {"new": run("new", model="newest"), "old": run("old")}
    _, page, _ = await visitor.get("/ui/benchmarks")
    assert "newest, suite quick" in page
    assert "<option selected>new</option><option>old</option>" in page
    assert '<td class="num">300 ±1,271 ms</td>' in page
    assert "Output tokens a second, beside what was expected" in page
    _, page, _ = await visitor.get("/ui/benchmarks?run=old")
    assert "<option selected>old</option>" in page


async def test_a_run_that_there_is_not(visitor: Visitor) -> None:
    status, page, _ = await visitor.get("/ui/benchmarks?run=../../keys")
    assert status == 400
    assert "There is no run" in page


async def test_one_that_is_not_whole_says_so(visitor: Visitor) -> None:
    visitor.site.services.measured = {"r": run("r", broken="the engine died")}
    _, page, _ = await visitor.get("/ui/benchmarks")
    assert "Not whole: the engine died" in page


async def test_words_of_a_run_stay_words(visitor: Visitor) -> None:
    """A run may be somebody else's file."""
    evil = run(EVIL, model=EVIL, command=EVIL, broken=EVIL)
    evil["cases"][0] |= {"name": EVIL, "notes": [EVIL]}
    visitor.site.services.measured = {EVIL: evil}
    _, page, _ = await visitor.get("/ui/benchmarks")
    assert EVIL not in page


async def test_curves_are_of_closed_loops_alone(visitor: Visitor) -> None:
    visitor.site.services.measured = {"r": run("r")}
    _, page, _ = await visitor.get("/ui/benchmarks")
    found = re.search(r'data-curves="([^"]*)"', page)
    assert found is not None
    told = json.loads(found[1].replace("&#34;", '"').replace("&quot;", '"'))
    assert [each["model"] for each in told] == ["measured", "planned", "roofline"]
    assert told[1]["points"] == [{"concurrency": 1, "tokens_per_s": 50.0}]


def test_what_is_not_known_has_no_curve() -> None:
    found = run("r")
    found["cases"][0]["planned"] = None
    assert [each["model"] for each in curves(found)] == ["measured"]
