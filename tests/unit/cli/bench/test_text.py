"""What `sparkwell bench` says of a run, and of two."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.bench.test_report import whole
from tests.unit.bench.test_saved import run as prefix_run

from sparkwell.bench.comparing import compare
from sparkwell.cli.bench.page import page
from sparkwell.cli.bench.text import comparison, comparison_document, text
from sparkwell.store.benchmarks import load

RESULTS = Path(__file__).parents[4] / "docs" / "benchmarks" / "runs"
RUNS = sorted(RESULTS.glob("2026-11-22-h100-*.json"))
"""Made before silences were told."""
Json = dict[str, Any]


def compared(one: Json, other: Json) -> str:
    return comparison(one, other, compare(one, other))


@pytest.mark.parametrize("file", RUNS, ids=lambda file: file.stem)
def test_runs_of_an_earlier_version_are_shown(file: Path) -> None:
    document = load(RESULTS, str(file))
    assert "silence_s" not in document["cases"][0]["measured"]
    assert "OUTPUT TOKENS/S" in text(document)
    assert compared(document, document)


def test_runs_of_an_earlier_version_are_compared_with_their_flags() -> None:
    names = ("guide-flags-crowd", "256-seqs-crowd")
    one, other = (
        load(RESULTS, str(RESULTS / f"2026-11-22-h100-qwen3-8b-fp8-{name}.json")) for name in names
    )
    said = compared(one, other)
    above, below = said.split("CASE", 1)
    assert "max_num_seqs" in above
    assert "max_model_len" not in above
    assert "output tokens/s" in below
    [row] = [line.split() for line in above.splitlines() if line.startswith("max_num_seqs")]
    assert row == ["max_num_seqs", "64", "256"]


def test_the_prefix_suite_says_what_was_saved() -> None:
    said = text(prefix_run())
    assert "What the shared document saved:" in said
    assert "74% less" in said
    assert "What the shared document saved" not in text(whole())


def test_the_page_says_it_too() -> None:
    html = page(prefix_run(prompts="text"))
    assert "What the shared document saved" in html
    assert "74% less" in html
    assert "random words that no cache" in " ".join(html.split())
    assert "random token ids that no cache" in " ".join(page(whole()).split())


def test_a_run_without_the_cache_is_told_from_one_with() -> None:
    flags: Json = {"enable_prefix_caching": True, "max_num_seqs": 8}
    on, off = (prefix_run(flags={**flags, "enable_prefix_caching": each}) for each in (True, False))
    said = compared(on, {**off, "run": "without"})
    assert said.startswith("r → without (prefix caching off)\n")
    assert "enable_prefix_caching  True    False" in said
    found = comparison_document(on, off, compare(on, off))["differences"]
    assert found == [{"what": "enable_prefix_caching", "before": "True", "after": "False"}]
    assert json.loads(json.dumps(found)) == found


def test_flags_that_are_the_same_are_said_to_be() -> None:
    known = {**whole(), "flags": {"max_num_seqs": 8}}
    assert "Same flags, engine and machine." in compared(known, known)
    assert "The flags of both are not known." in compared(whole(), whole())


def test_lengths_that_are_not_exact_are_said_about() -> None:
    document = whole()
    document["cases"][0]["lengths"] = {"prompt_tokens": 1234.4, "output_tokens": 11.0}
    document["cases"][1]["lengths"] = {"prompt_tokens": None, "output_tokens": 9.6}
    said = text(document)
    assert "~1,234, ~11" in said
    assert "-, ~10" in said
