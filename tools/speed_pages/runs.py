"""The kept runs of `sparkwell bench` and the shipped overlays, as the pages name them."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generated import ROOT
from sparkwell.catalog import load_catalog
from sparkwell.catalog.tuned import Tuned
from sparkwell.catalog.tuned_files import load_tuned

FOLDER = ROOT / "docs" / "benchmarks" / "runs"
NAME = re.compile(r"(?P<day>[\d-]{10})-(?P<place>[a-z0-9]+)-(?P<rest>.+)")
CATALOG = load_catalog()
GUIDE = "the guide's flags"
GRAPHS = re.compile(r"-graphs-\d+")
Json = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run, and what its file's name says of the flags."""

    file: Path
    document: Json
    place: str
    flags: str

    @property
    def model(self) -> str:
        """As people write it."""
        return title(self.document["model"])

    @property
    def suite(self) -> str:
        """The suite's name."""
        return str(self.document["suite"])

    @property
    def name(self) -> str:
        """Model, GPU and flags."""
        return f"{self.model}, {self.place}, {self.flags}"

    @property
    def has_guide_flags(self) -> bool:
        """And no others."""
        return self.flags == GUIDE

    @property
    def tells(self) -> bool:
        """Whether its repeats agree: a stall in one of two leaves a mean that means nothing."""
        return all(_agrees(case) for case in self.document["cases"])

    @property
    def shows_few_and_many(self) -> bool:
        """Whether it has one client and 64, as the overview shows them; a pair has neither."""
        return self.suite == "guide" and self.tells and {1, 64} <= self.clients.keys()

    @property
    def at(self) -> str:
        """When it ended, in UTC."""
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.document["at"]))

    @property
    def clients(self) -> dict[int, Json]:
        """The cases by their clients."""
        return {case["clients"]: case for case in self.document["cases"]}


def _agrees(case: Json) -> bool:
    got = case["measured"].get("output_tokens_per_s")
    return got is not None and (got["low"] is None or got["low"] > 0)


def title(recipe: str) -> str:
    """Of a recipe."""
    return CATALOG.get(recipe).title


def runs() -> list[Run]:
    """All that are kept, by model, machine, flags and suite; tunings are not among them."""
    files = [file for file in FOLDER.glob("*.json") if "-tune-" not in file.name]
    found = [_run(file) for file in files]
    return sorted(found, key=lambda run: (size(run.document["model"]), run.file.stem))


def size(recipe: str) -> int:
    """The bytes of its weights: small models stand first."""
    return CATALOG.get(recipe).weights_bytes or 0


def _run(file: Path) -> Run:
    document = json.loads(file.read_text(encoding="utf-8"))
    known = NAME.fullmatch(file.stem)
    if known is None:
        raise SystemExit(f"{file.name}: DATE-MACHINE-MODEL-FLAGS-SUITE.json is wanted")
    rest = known["rest"].removeprefix(f"{document['model']}-").removesuffix(f"-{document['suite']}")
    said = f"{worded(GRAPHS.sub('', rest))}{graphs(document['flags'])}"
    return Run(file, document, known["place"].upper(), said)


def graphs(flags: Json) -> str:
    """The largest CUDA graph, where the flags set it."""
    sizes = json.loads(flags.get("compilation_config", "{}")).get("cudagraph_capture_sizes", [])
    most = flags.get("max_cudagraph_capture_size") or max(sizes, default=None)
    return "" if most is None else f", graphs up to {most}"


def worded(flags: str) -> str:
    """``guide-flags``, ``256-seqs``, ``tuned-goodput``, ``guide-flags-pair`` as words."""
    if flags.endswith("-pair"):
        return f"{worded(flags.removesuffix('-pair'))}, one of a pair"
    if flags == "guide-flags":
        return GUIDE
    if flags == "vllm-defaults":
        return "vLLM's own sizes"
    if flags.endswith("-seqs"):
        return f"{flags.removesuffix('-seqs')} sequences"
    goal = flags.removeprefix("tuned-")
    return f"tuned for {goal}" if goal != flags else flags


def overlays() -> list[Tuned]:
    """Those that come with Sparkwell, small models first."""
    return sorted(load_tuned().overlays, key=lambda each: (size(each.recipe), each.goal))
