"""Services that answer from memory: enough to look at every page, and to make them fail."""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.unit.web import fake_status as documents
from tests.unit.web.fake_keys import FakeClientKeys
from tests.unit.web.fake_plans import plan
from tests.unit.web.fake_status import GIANT, NEMO, QWEN

from sparkwell.core.errors import ConflictError, UnknownModelError, UsageError
from sparkwell.core.events import Event
from sparkwell.core.findings import Finding
from sparkwell.core.units import GIB
from sparkwell.web.log_values import EventQuery, FirstFailure, LogLine, LogPage, LogQuery
from sparkwell.web.recipe_values import Field, Preview, RecipeEdit, RecipeForm
from sparkwell.web.values import Json, ModelEntry, Points, Round

CATALOG = (
    ModelEntry(
        NEMO,
        "Mistral Nemo 12B FP8",
        "Quick all-rounder, 128k of context.",
        f"mistralai/{NEMO}",
        plan=plan(NEMO, 12.4, 18.4),
    ),
    ModelEntry(
        QWEN,
        "Qwen3 8B FP8",
        "Small and quick; thinks when asked to.",
        "Qwen/Qwen3-8B-FP8",
        plan=plan(QWEN, 8.8, 20.5),
    ),
    ModelEntry(
        GIANT,
        "Qwen3 32B FP8",
        "Careful answers, slow.",
        "Qwen/Qwen3-32B-FP8",
        plan=plan(GIANT, 31.9, 6.1, kv=262_144),
    ),
    ModelEntry(
        "llama33-70b-fp8",
        "Llama 3.3 70B FP8",
        "Large.",
        "nvidia/Llama-3.3-70B-Instruct-FP8",
        missing="The weights of nvidia/Llama-3.3-70B-Instruct-FP8 are not on this machine.",
        remedy="`sparkwell pull llama33-70b-fp8` fetches them, and so does `sparkwell up`.",
        plan=plan("llama33-70b-fp8", 67.7, 2.9, kv=327_680),
    ),
    ModelEntry(
        "qwen3-235b",
        "Qwen3 235B",
        "Too large for one box.",
        "Qwen/Qwen3-235B-A22B",
        missing="The weights of Qwen/Qwen3-235B-A22B are not on this machine.",
        plan=plan("qwen3-235b", 438.0, 4.0, fits=False),
    ),
    ModelEntry(
        "demo-qwen3",
        "Demo",
        "One million parameters, for trying out.",
        plan_error="This machine's bandwidth is not known.",
    ),
)


class FakeServices:
    """The dashboard's Services. Tests set the attributes; a loading model moves when ``moves``."""

    def __init__(self, *, moves: bool = False) -> None:
        self.instances: list[dict[str, Any]] = [
            documents.instance(
                NEMO,
                "ready",
                held_bytes=int(22.6 * GIB),
                serving=3,
                requests_running=3,
                resident_s=4120.0,
                idle_s=0.0,
                pinned=True,
            ),
            documents.starting(QWEN, 43.0, held_bytes=int(31.5 * GIB)),
        ]
        self.switching: dict[str, Any] | None = documents.switch(GIANT, QWEN, "starting", 47.3)
        self.queue = [
            {"model": QWEN, "waiting": 4, "oldest_s": 47.3, "priority": 0, "estimated_s": 41.0}
        ]
        self.found: Sequence[Finding] = documents.FINDINGS
        self.catalog: tuple[ModelEntry, ...] = CATALOG
        self.story: list[Event] = documents.story(240)
        self.more: dict[str, Any] = {}
        self.client_keys = FakeClientKeys()
        self.acts: list[tuple[str, str]] = []
        self.act_s = 0.0
        self.lines: list[str] = [
            f"INFO 05-09 14:1{n % 10}:{n % 60:02d} [core.py:{n}] line {n} of the engine"
            for n in range(1, 301)
        ]
        self.lines_per_s = 5.0
        self.measured: dict[str, dict[str, Any]] = {}
        self.saved: list[RecipeEdit] = []
        self.followed: list[int] = []
        self.moves = moves
        self.clock_off_s = 0.0
        self.output_tokens_per_s: float | None = None
        self._began = time.time()
        self._random = random.Random(7)

    # ── status ──────────────────────────────────────────────────────────────────────────────
    async def benchmarks(self) -> Sequence[str]:
        return list(self.measured)

    async def benchmark(self, name: str) -> Json:
        if name not in self.measured:
            raise UsageError(f"There is no run {name!r}.")
        return self.measured[name]

    def status(self) -> Json:
        instances = [self._moved(each) for each in self.instances]
        given = documents.status(*instances, switch=self.switching, queue=self.queue, **self.more)
        return {**given, "event": self.story[-1].seq if self.story else 0}

    def _moved(self, entry: dict[str, Any]) -> dict[str, Any]:
        if not self.moves or entry["state"] != "starting":
            return entry
        spent = (time.time() - self._began) % 40.0
        percent = entry["percent"] + spent
        more = {"fraction": percent / 130, "elapsed_s": 31 + spent, "left_s": 41 - spent}
        return {**entry, "percent": percent, **more}

    async def events(self, cursor: int) -> AsyncIterator[Event]:
        self.followed.append(cursor)
        while True:
            for each in [event for event in self.story if event.seq > cursor]:
                cursor = each.seq
                yield each
            await asyncio.sleep(0.02)

    async def past_events(self, query: EventQuery) -> Sequence[Event]:
        found = [
            each
            for each in reversed(self.story)
            if (query.before is None or each.seq < query.before)
            and each.kind.startswith(query.kind)
            and query.model in ("", each.model)
            and query.text.lower() in each.message.lower()
        ]
        return found[: query.limit]

    async def models(self) -> Sequence[ModelEntry]:
        return self.catalog

    # ── acts ────────────────────────────────────────────────────────────────────────────────
    async def start(self, model: str) -> Json:
        return await self._begin("start", model)

    async def switch(self, model: str) -> Json:
        begun = await self._begin("switch", model)
        gone = next((each["model"] for each in self.instances if each["state"] == "ready"), "")
        self.switching = documents.switch(gone, model, "draining", 0.0)
        return begun

    async def _begin(self, verb: str, model: str) -> Json:
        self._known(model)
        await asyncio.sleep(self.act_s)
        self.acts.append((verb, model))
        self.instances = [each for each in self.instances if each["model"] != model]
        self.instances.append(documents.starting(model, 1.0))
        return {"instance": f"{model}-1", "model": model}

    async def stop(self, model: str) -> Json:
        self._known(model)
        self.acts.append(("stop", model))
        self.instances = [each for each in self.instances if each["model"] != model]
        if self.switching and self.switching["to"] == model:
            self.switching = None
        return {"stopped": [model]}

    def _known(self, model: str) -> None:
        if model not in [each.name for each in self.catalog]:
            raise UnknownModelError(f"There is no model {model!r}.", hint="`sparkwell models`")

    # ── figures ─────────────────────────────────────────────────────────────────────────────
    def now(self) -> Round | None:
        return self._round(time.time())

    def _round(self, at: float) -> Round:
        models = {
            each["model"]: self._figures(each["model"], at)
            for each in self.instances
            if each["state"] == "ready"
        }
        out = sum(each["output_tokens_per_s"] or 0 for each in models.values())
        box = (
            {"output_tokens_per_s": out, "running": 3.0, "waiting": 1.0, "ttft_p95_s": 0.42}
            if models
            else {}
        )
        return Round(at, models, {"power_w": 61.0}, box)

    def _figures(self, model: str, at: float) -> dict[str, float | None]:
        wave = math.sin(at / 47 + len(model)) * 0.5 + 0.5
        return {
            "output_tokens_per_s": self.output_tokens_per_s
            or round(38 + 12 * wave + math.sin(at) * 0.4, 2),
            "ttft_p95_s": round(0.3 + 0.25 * wave, 3),
            "kv_used": round(0.62 + 0.3 * wave, 3),
            "running": float(round(2 + 2 * wave)),
            "waiting": float(round(1.4 * wave)),
            "plan_share": round(0.8 + 0.1 * wave, 2),
        }

    async def rounds(self) -> AsyncIterator[Round]:
        while True:
            yield self._round(time.time() + self.clock_off_s)
            await asyncio.sleep(1.0)

    async def history(
        self, model: str | None, names: Sequence[str], since_s: float, points: int
    ) -> Mapping[str, Points]:
        now = time.time()
        if model is None or not any(
            each["model"] == model and each["state"] == "ready" for each in self.instances
        ):
            return dict.fromkeys(names, ((), ()))
        times = [now - since_s + since_s * n / points for n in range(points)]
        figures = [
            None if 120 < n < 135 else self._figures(model, at) for n, at in enumerate(times)
        ]
        return {name: (times, [each[name] if each else None for each in figures]) for name in names}

    def findings(self) -> Sequence[Finding]:
        return self.found

    # ── logs ────────────────────────────────────────────────────────────────────────────────
    async def logs(self, model: str, query: LogQuery) -> LogPage:
        if model not in [each["model"] for each in self.instances]:
            raise UsageError(
                f"{model} has not run here yet, so there is no log.",
                hint=f"`sparkwell up {model}` starts it.",
            )
        found = [
            each
            for each in self._log()
            if query.grep.lower() in each.text.lower() and (each.error or not query.errors)
        ]
        size = sum(len(each) + 1 for each in self.lines)
        return LogPage(
            f"{model}-3f9a1c",
            tuple(found[-query.tail :]),
            len(found) > query.tail,
            size,
            position=size,
        )

    def _log(self) -> list[LogLine]:
        return [
            LogLine(text, "ERROR" in text, number, number * 60)
            for number, text in enumerate(self.lines, 1)
        ]

    async def log_lines(self, model: str, query: LogQuery) -> AsyncIterator[Sequence[LogLine]]:
        number = len(self.lines)
        while True:
            await asyncio.sleep(max(0.02, 1 / self.lines_per_s))
            batch = []
            for _ in range(max(1, round(self.lines_per_s * 0.02))):
                number += 1
                wrong = self._random.random() < 0.02
                word = "ERROR" if wrong else "INFO"
                text = f"{word} 05-09 14:13:20 [loggers.py:123] Engine 000: line {number}"
                batch.append(LogLine(text, wrong, number, number * 60))
            yield batch

    async def first_failure(self, model: str) -> FirstFailure | None:
        if model != QWEN:
            return None
        return FirstFailure(
            f"{QWEN}-11aa22",
            "CUDA out of memory",
            2,
            ("ERROR torch.OutOfMemoryError", "EngineCore failed to start."),
        )

    # ── recipes ─────────────────────────────────────────────────────────────────────────────
    async def recipe(self, model: str) -> RecipeForm:
        self._known(model)
        edit = self.saved[-1] if self.saved else RecipeEdit("", {}, {})
        return RecipeForm(
            model,
            tuple(replace(each, value=edit.flags.get(each.name, "")) for each in FLAGS),
            tuple(replace(each, value=edit.limits.get(each.name, "")) for each in LIMITS),
            (
                "balanced",
                "throughput",
                "latency",
                "concurrency",
                "long-context",
                "quality",
                "guide",
            ),
            edit.profile,
            revision=str(len(self.saved)),
        )

    async def preview(self, model: str, edit: RecipeEdit) -> Preview:
        problems = {}
        length = edit.flags.get("max_model_len", "")
        if length and not length.isdigit():
            problems["max_model_len"] = (
                f"max_model_len takes a whole number from 1 to 10,000,000, not {length!r}. "
                "Correct it, or leave it empty: then it is chosen for you."
            )
        given = {name: value for name, value in edit.flags.items() if value}
        changes = "".join(f"+      {name}: {value}\n" for name, value in given.items())
        document = plan(model, 8.8, 20.5)
        compose = f"services:\n  {model}:\n    command: [--model, {model}]\n"
        runs = any(each["model"] == model for each in self.instances)
        note = f"{model} runs with what it was started with. `sparkwell restart {model}` takes the"
        return Preview(
            problems,
            None if problems else document,
            None if problems else compose,
            changes,
            (f"{note} new settings.",) if runs and changes and not problems else (),
        )

    async def save(self, model: str, edit: RecipeEdit) -> Preview:
        if edit.revision != str(len(self.saved)):
            raise ConflictError(
                "sparkwell.yaml has changed meanwhile, and nothing was written.",
                hint="Load the page again.",
            )
        preview = await self.preview(model, edit)
        if not preview.problems:
            self.saved.append(edit)
        return preview


FLAGS = (
    Field(
        "max_model_len",
        "int",
        "Longest prompt and answer together, in tokens.",
        default="32768",
        source="profile",
        expected="a whole number from 1 to 10,000,000",
        low=1,
        high=1e7,
    ),
    Field(
        "gpu_memory_utilization",
        "float",
        "Share of the memory that the engine may take.",
        default="0.85",
        source="profile",
        expected="a number from 0.01 to 1",
        low=0.01,
        high=1,
    ),
    Field(
        "max_num_seqs",
        "int",
        "Requests that are computed at once.",
        default="128",
        source="recipe",
        expected="a whole number from 1 to 65,536",
    ),
    Field(
        "enable_prefix_caching",
        "bool",
        "Whether what prompts have in common is kept.",
        default="true",
    ),
    Field(
        "dtype",
        "choice",
        "Type of what is not quantized.",
        choices=("auto", "bfloat16", "float16"),
        default="auto",
        source="vLLM",
    ),
    Field("kv_cache_dtype", "text", "Type of the KV cache.", default="auto"),
)
LIMITS = (
    Field("pinned", "bool", "Whether it never leaves for another model.", default="false"),
    Field(
        "priority",
        "int",
        "Whose requests are served first.",
        default="0",
        expected="a whole number from -100 to 100",
    ),
    Field(
        "idle_s",
        "float",
        "Seconds after which it ends when nobody uses it; 0: never.",
        default="1800",
    ),
)
