"""What the pages say, and what their buttons do."""

import asyncio
import re
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.web import fake_status as documents
from tests.unit.web.browsing import Visitor
from tests.unit.web.fake_services import CATALOG
from tests.unit.web.fake_status import GIANT, NEMO, QWEN

from sparkwell.core.events import Event
from sparkwell.core.findings import Finding, Severity
from sparkwell.web.log_values import LogLine, LogPage, LogQuery
from sparkwell.web.values import ModelEntry

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\""


async def test_the_overview_answers_four_questions(visitor: Visitor) -> None:
    _, page, _ = await visitor.get("/ui/")
    assert f'<dd class="big names">{NEMO}</dd>' in page
    assert "48.4 <span" in page
    assert "tok/s out" in page
    assert "1 warning" in page
    assert "loading weights" in page


async def test_unknown_is_a_dash_and_not_zero(visitor: Visitor) -> None:
    services = visitor.site.services
    services.more = {"memory": None, "guard": None}
    services.instances = [documents.instance(NEMO, "failed", held_bytes=None, error="it broke")]
    services.found = ()
    services.story = []
    status, page, _ = await visitor.get("/ui/")
    assert status == 200
    assert "not reported" in page
    assert "it broke" in page
    assert "0.0 of" not in page


async def test_nothing_runs(visitor: Visitor) -> None:
    visitor.site.services.instances = []
    visitor.site.services.switching = None
    status, page, _ = await visitor.get("/ui/")
    assert status == 200
    assert "No model runs." in page


@pytest.mark.parametrize(
    "path", ["", "models", "compare", "playground", "logs", "events", "benchmarks", "keys"]
)
@pytest.mark.parametrize("catalog", [CATALOG, ()])
async def test_every_page_of_a_box_where_nothing_runs(
    visitor: Visitor, path: str, catalog: tuple[ModelEntry, ...]
) -> None:
    services = visitor.site.services
    services.instances, services.switching, services.catalog = [], None, catalog
    services.queue, services.found, services.story = [], (), []
    services.client_keys.empty()
    status, page, _ = await visitor.get(f"/ui/{path}")
    assert status == 200
    assert "made a mistake" not in page


async def test_idle_is_said_in_words(visitor: Visitor) -> None:
    services = visitor.site.services
    services.instances, services.switching = [], None
    _, page, _ = await visitor.get("/ui/")
    assert '<dd class="big">Idle</dd>' in page
    assert "Choose a model to start" in page
    assert "\N{EN DASH} running" not in page


async def test_what_the_machine_does_and_what_was_expected(visitor: Visitor) -> None:
    _, page, _ = await visitor.get("/ui/")
    assert "<dt>GPU</dt> <dd>87 %</dd>" in page
    assert "The guide says 3.4 min, this machine took 2.9 last time." in page
    assert "Sparkwell has just begun" not in page
    visitor.site.services.more = {"recovering": True, "machine": None}
    for path in ("/ui/", "/ui/events"):
        assert "Sparkwell has just begun" in (await visitor.get(path))[1]


async def test_what_cannot_start_has_no_button_that_tries(visitor: Visitor) -> None:
    services = visitor.site.services
    services.catalog = (replace(CATALOG[2], missing="No engine is here.", blocked=True), CATALOG[4])
    _, page, _ = await visitor.get("/ui/models")
    assert page.count("Cannot start</button>") == 2
    assert f"/models/{GIANT}/start" not in page
    assert "No engine is here." in page


async def test_the_stream_knows_what_cannot_start(visitor: Visitor) -> None:
    """Also where another daemon made the page."""
    services = visitor.site.services
    services.catalog = (replace(CATALOG[2], missing="No engine is here.", blocked=True),)
    services.instances = [documents.instance(GIANT, "failed", error="it broke")]
    async with visitor.stream("/ui/live?scope=models") as events:
        _, data = await anext(events)
    assert "Cannot start" in data["state-qwen3_2d_32b_2d_fp8"]


async def test_a_model_with_a_slash_in_its_name(visitor: Visitor) -> None:
    name = "ollama/hf.co/org/model:Q4"
    services = visitor.site.services
    services.switching = None
    services.catalog = (*CATALOG, replace(CATALOG[0], name=name))
    services.instances = [documents.instance(name, "ready")]
    _, page, _ = await visitor.get("/ui/models")
    address = re.search(r'action="([^"]*/stop)"', page)
    assert address
    assert (await visitor.post(address[1]))[0] == 200
    assert services.acts == [("stop", name)]
    link = re.search(r'href="([^"]*ollama[^"]*/recipe)"', page)
    assert link
    status, page, _ = await visitor.get(link[1])
    assert status == 200
    assert f"Settings of {name}" in page
    save = re.search(r'action="([^"]*/recipe/save)"', page)
    assert save
    sent = {"revision": "0", "flag.max_num_seqs": "8"}
    status, _, answer = await visitor.post(save[1], sent, htmx=False)
    assert (status, len(services.saved)) == (303, 1)
    assert (await visitor.get(answer.headers["Location"]))[0] == 200


async def test_a_model_that_the_catalog_has_not_can_be_stopped(visitor: Visitor) -> None:
    visitor.site.services.instances.append(documents.instance("ollama/x", "ready"))
    _, page, _ = await visitor.get("/ui/models")
    assert 'aria-label="Stop ollama/x"' in page
    assert "ollama/x (ready)" in (await visitor.get("/ui/playground"))[1]


async def test_start_stop_and_switch(visitor: Visitor) -> None:
    services = visitor.site.services
    services.switching = None
    status, part, _ = await visitor.post(f"/ui/models/{GIANT}/switch")
    assert status == 200
    assert "loading" in part
    await visitor.post(f"/ui/models/{GIANT}/stop")
    await visitor.post(f"/ui/models/{GIANT}/start")
    assert services.acts == [("switch", GIANT), ("stop", GIANT), ("start", GIANT)]


async def test_the_second_who_switches_is_told(visitor: Visitor) -> None:
    services = visitor.site.services
    services.switching, services.act_s = None, 0.05
    answers = await asyncio.gather(
        visitor.post(f"/ui/models/{GIANT}/switch"),
        visitor.post("/ui/models/llama33-70b-fp8/switch"),
    )
    assert sorted(status for status, _, _ in answers) == [200, 409]
    told = next(text for status, text, _ in answers if status == 409)
    assert "under way" in told
    assert "Nothing was changed" in told
    assert len(services.acts) == 1


async def test_the_browser_goes_away_while_it_acts(visitor: Visitor) -> None:
    services = visitor.site.services
    services.act_s = 0.2
    pressed = asyncio.ensure_future(visitor.post(f"/ui/models/{GIANT}/start"))
    await asyncio.sleep(0.05)
    pressed.cancel()
    await asyncio.sleep(0.3)
    assert services.acts == [("start", GIANT)]


@pytest.mark.parametrize("path", ["/ui/models/none/start", "/ui/models/none/stop"])
async def test_an_unknown_model(visitor: Visitor, path: str) -> None:
    status, part, _ = await visitor.post(path)
    assert status == 404
    assert "There is no model" in part


async def test_an_unknown_verb(visitor: Visitor) -> None:
    assert (await visitor.post(f"/ui/models/{QWEN}/explode"))[0] == 404


async def test_nothing_is_taken_for_html(visitor: Visitor) -> None:
    services = visitor.site.services
    entry = documents.starting(EVIL, 5.0, hint=EVIL, last_line=EVIL)
    failed = documents.instance(f"{EVIL}2", "failed", error=EVIL, hint=EVIL)
    services.instances = [entry, failed, services.instances[0]]
    services.switching = documents.switch(EVIL, EVIL, "starting", 1.0)
    services.catalog = (
        replace(CATALOG[0], name=EVIL, title=EVIL, summary=EVIL, missing=EVIL, remedy=EVIL),
        *CATALOG,
    )
    services.found = (Finding(EVIL, Severity.ERROR, EVIL, (EVIL,), EVIL),)
    services.story = [Event(1, 1.0, "instance.failed", EVIL, EVIL, None, {"hint": EVIL})]
    services.lines = [EVIL]
    pages = ["/ui/", "/ui/models", "/ui/events", "/ui/playground", "/ui/compare", "/ui/keys"]
    for path in [*pages, f"/ui/logs?model={NEMO}", f"/ui/events?text={EVIL}&model={EVIL}"]:
        status, page, _ = await visitor.get(path)
        assert status == 200, path
        assert "<script>" not in page, path
        assert "<img" not in page, path
    async with visitor.stream("/ui/live?scope=overview") as events:
        async for name, data in events:
            if name == "swap":
                assert all("<script>" not in html and "<img" not in html for html in data.values())
                break


async def test_events_come_in_pages(visitor: Visitor) -> None:
    visitor.site.services.story = documents.story(10_000)
    _, page, _ = await visitor.get("/ui/events")
    assert page.count("<tr>") == 101
    assert "before=9901" in page
    assert len(page) < 60_000
    _, part, _ = await visitor.get("/ui/events?before=9901", headers={"HX-Request": "true"})
    assert "<main" not in part
    assert "before=9801" in part
    back = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<main" in (await visitor.get("/ui/events", headers=back))[1]
    _, page, _ = await visitor.get("/ui/events?kind=queue&before=nonsense")
    assert "queue.refused" in page
    assert "switch.begin" not in page


async def test_logs_filter_and_keep_the_first_failure(visitor: Visitor) -> None:
    visitor.site.services.lines = ["INFO fine", "ERROR it broke", "INFO again"]
    _, page, _ = await visitor.get(f"/ui/logs?model={QWEN}&errors=1")
    assert "it broke" in page
    assert "INFO fine" not in page
    assert "First failure of 2 in a row" in page
    _, page, _ = await visitor.get(f"/ui/logs?model={GIANT}")
    assert "has not run here yet" in page


async def test_a_search_that_did_not_reach_the_beginning_is_said(visitor: Visitor) -> None:
    services = visitor.site.services
    whole = await services.logs(QWEN, LogQuery())

    async def logs(_model: str, _query: LogQuery) -> LogPage:
        return replace(whole, total_bytes=101_000_000, searched_bytes=67_108_864, more=True)

    assert "were searched" not in (await visitor.get(f"/ui/logs?model={QWEN}"))[1]
    services.logs = logs  # type: ignore[method-assign, assignment]
    _, page, _ = await visitor.get(f"/ui/logs?model={QWEN}&grep=x")
    assert "Only the last 67.1 MB of 101.0 MB were searched: older lines may match too." in page
    assert f"<code>sparkwell logs {QWEN} --grep RE</code> searches the whole log." in page
    assert "older ones are left out" not in page


FOUND = {
    "id": "start.no_memory",
    "severity": "error",
    "title": "The weights do not fit",
    "evidence": ["needs 61.2 GiB, 48.0 GiB are there"],
    "cause": "It was started beside another model.",
    "remedies": [{"text": "Stop the other one", "command": f"sparkwell down {NEMO}", "fix": None}],
    "about": GIANT,
}


@pytest.mark.parametrize("path", ["/ui/", "/ui/models"])
async def test_what_a_failed_start_was_found_to_lack(visitor: Visitor, path: str) -> None:
    services = visitor.site.services
    services.instances = [documents.instance(GIANT, "failed", error="it broke", findings=[FOUND])]
    _, page, _ = await visitor.get(path)
    for words in (FOUND["title"], FOUND["cause"], f"<code>sparkwell down {NEMO}</code>"):
        assert str(words) in page
    assert "needs 61.2 GiB, 48.0 GiB are there" in page
    assert ' open><summary><span class="bad-text">error</span>' in page


@pytest.mark.parametrize("path", ["/ui/", "/ui/models"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"findings": None},
        {"findings": []},
        {"findings": [{}]},
        {"findings": [{"title": EVIL, "evidence": None, "remedies": [{"text": None}]}]},
    ],
)
async def test_a_failed_start_of_which_less_is_known(
    visitor: Visitor, path: str, more: dict[str, Any]
) -> None:
    services = visitor.site.services
    services.instances = [documents.instance(GIANT, "failed", error="it broke", **more)]
    status, page, _ = await visitor.get(path)
    assert status == 200
    assert "it broke" in page
    assert "<script>" not in page


async def test_a_line_of_megabytes_is_cut(visitor: Visitor) -> None:
    visitor.site.services.lines = ["x" * 5_000_000]
    _, page, _ = await visitor.get(f"/ui/logs?model={QWEN}")
    assert len(page) < 20_000
    assert "4,996,000 characters more" in page


async def test_a_recipe_is_checked_before_it_is_saved(visitor: Visitor) -> None:
    services, path = visitor.site.services, f"/ui/models/{QWEN}/recipe"
    wrong = {"flag.max_model_len": "many", "revision": "0"}
    _, part, _ = await visitor.post(f"{path}/preview", wrong)
    assert "1 thing to correct" in part
    assert part.count("max_model_len takes") == 2  # for the field's mark, and in words
    assert "<code>max_model_len</code>" not in part
    status, page, _ = await visitor.post(f"{path}/save", wrong, htmx=False)
    assert (status, services.saved) == (200, [])
    assert 'value="many"' in page
    right = {"flag.max_model_len": " 16384 ", "limit.pinned": "true", "revision": "0"}
    status, _, answer = await visitor.post(f"{path}/save", right, htmx=False)
    assert (status, answer.headers["Location"]) == (303, f"{path}?saved")
    assert services.saved[0].flags["max_model_len"] == "16384"
    status, page, _ = await visitor.post(f"{path}/save", right, htmx=False)
    assert status == 409
    assert "has changed meanwhile" in page


@pytest.mark.parametrize("name", ["image", "flag.image", "env.HF_TOKEN", "limit.mounts", "serve"])
async def test_what_means_root_cannot_be_smuggled_in(visitor: Visitor, name: str) -> None:
    path = f"/ui/models/{QWEN}/recipe"
    for verb in ("preview", "save"):
        status, part, _ = await visitor.post(f"{path}/{verb}", {name: "x", "revision": "0"})
        assert status == 400
        assert "cannot be changed here" in part
    assert visitor.site.services.saved == []


async def test_a_preview_has_notes(visitor: Visitor) -> None:
    sent = {"flag.max_num_seqs": "8", "revision": "0"}
    _, part, _ = await visitor.post(f"/ui/models/{QWEN}/recipe/preview", sent)
    assert f"<code>sparkwell restart {QWEN}</code> takes the new settings." in part


async def test_history_of_those_that_run(visitor: Visitor) -> None:
    _, text, _ = await visitor.get("/ui/data/history?since=3600")
    assert f'"{NEMO}"' in text
    assert "null" in text
    status, _, _ = await visitor.get("/ui/data/history?since=9999999999")
    assert status == 400


async def test_compare(visitor: Visitor) -> None:
    _, page, _ = await visitor.get(f"/ui/compare?model={NEMO}&model={QWEN}&model=demo-qwen3")
    assert page.count("full") or "291,271" in page
    assert (await visitor.get("/ui/compare?model=none"))[0] == 404


def test_a_log_line_needs_only_text() -> None:
    assert LogLine("x").number is None
