"""tools/ship_pair.py: an overlay out of two kept runs of one machine."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sparkwell.catalog.tuned import Tuned

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "docs" / "benchmarks" / "runs"


def run(flags: str) -> dict[str, Any]:
    name = f"2026-11-22-h100-qwen3-8b-fp8-{flags}-crowd.json"
    found: dict[str, Any] = json.loads((RUNS / name).read_text(encoding="utf-8"))
    return {**found, "seed": "the same"}


def paired(monkeypatch: pytest.MonkeyPatch, before: Any, after: Any) -> Tuned:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    made: Tuned = import_module("ship_pair").overlay(before, after, "guide")
    return made


def is_of(case: dict[str, Any], workload: str, figure: str, name: str) -> bool:
    return name == figure and workload.startswith(f"{case['workload']['prompt_tokens']:,} in")


def test_rows_are_what_both_runs_say(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = run("guide-flags"), run("256-seqs")
    made = paired(monkeypatch, before, after)
    rows = {(row.workload, row.figure): row for row in made.evidence.rows}
    assert len(rows) == 9
    for one, other in zip(before["cases"], after["cases"], strict=True):
        for figure in ("goodput", "output_tokens_per_s", "good_share"):
            [row] = [row for (said, name), row in rows.items() if is_of(one, said, figure, name)]
            assert row.before == pytest.approx(one["measured"][figure]["mean"], rel=1e-4)
            assert row.after == pytest.approx(other["measured"][figure]["mean"], rel=1e-4)
    assert (made.flags["max_num_seqs"], made.before["max_num_seqs"]) == (256, 64)
    assert not {"load_format", "download_dir"} & {*made.flags, *made.before}
    assert any("not searched for here" in note for note in made.evidence.notes)


def test_other_requests_are_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="differ in seed"):
        paired(monkeypatch, run("guide-flags"), {**run("256-seqs"), "seed": "another"})
