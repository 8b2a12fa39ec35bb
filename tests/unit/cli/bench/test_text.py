"""What `sparkwell bench` says of a run, and of two."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.bench.test_report import whole
from tests.unit.bench.test_saved import run as prefix_run

from sparkwell.bench.comparing import compare, noted
from sparkwell.bench.order import Progress
from sparkwell.bench.suites import CHAT, closed
from sparkwell.cli.bench.comparison import comparison, comparison_document
from sparkwell.cli.bench.page import page
from sparkwell.cli.bench.text import display, listing, text
from sparkwell.core.errors import UsageError
from sparkwell.store.benchmarks import load

RESULTS = Path(__file__).parents[4] / "docs" / "benchmarks" / "runs"
RUNS = sorted(RESULTS.glob("2026-11-22-h100-*.json"))
"""Made before silences were told."""
Json = dict[str, Any]


def compared(one: Json, other: Json) -> str:
    return comparison(one, other, compare(one, other), noted(one, other))


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
    found = comparison_document(on, off, compare(on, off), [])["differences"]
    assert found == [{"what": "enable_prefix_caching", "before": "True", "after": "False"}]
    assert json.loads(json.dumps(found)) == found


def test_flags_that_are_the_same_are_said_to_be() -> None:
    known = {**whole(), "flags": {"max_num_seqs": 8}}
    assert "Same flags, engine and machine." in compared(known, known)
    assert "The flags of both are not known." in compared(whole(), whole())


def test_a_repeat_that_is_measured_again_makes_the_run_longer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = closed(CHAT, 1)
    with display([case], 2, quiet=False) as show:
        for again, added in ((0, 0), (1, 3)):
            show(Progress(case, 1, 0, True, again, added))
            for done in range(4):
                show(Progress(case, 1, done, False, again, added))
    said = capsys.readouterr().err
    assert "1 at once, 1 of 2: 50 %, 3 of 6 requests" in said
    assert "1 at once, 1 of 2 again, warming up: 30 %, 3 of 9 requests" in said
    assert "1 at once, 1 of 2 again: 60 %, 6 of 9 requests" in said


def test_lengths_that_are_not_exact_are_said_about() -> None:
    document = whole()
    document["cases"][0]["lengths"] = {"prompt_tokens": 1234.4, "output_tokens": 11.0}
    document["cases"][1]["lengths"] = {"prompt_tokens": None, "output_tokens": 9.6}
    said = text(document)
    assert "~1,234, ~11" in said
    assert "-, ~10" in said


def test_what_runs_note_stands_under_their_comparison() -> None:
    """A figure that nobody can rely on is neither better nor worse."""
    late = json.loads(json.dumps(whole()))
    late["cases"][0]["notes"] = [
        "The client itself woke late: times as short as these are in doubt."
    ]
    said = compared(whole(), {**late, "run": "late"})
    assert "1 at once, late: The client itself woke late" in said
    [row] = [
        line for line in said.splitlines() if line.startswith("1 at once") and "TTFT p50" in line
    ]
    assert row.endswith("in doubt")
    assert "Verdicts allow for all 14 at once" in said
    found = comparison_document(whole(), late, compare(whole(), late), noted(whole(), late))
    assert found["notes"][0].startswith("1 at once, ")


def test_a_figure_of_nothing_has_its_row() -> None:
    none = json.loads(json.dumps(whole()))
    columns = none["cases"][0]["repeats"][0]["requests"]["columns"]
    for repeat in none["cases"][0]["repeats"]:
        for row in repeat["requests"]["rows"]:
            row[columns.index("tpot_s")] = 0.0
    said = compared(whole(), none)
    [row] = [line.split() for line in said.splitlines() if "1 at once  TPOT p50" in line]
    assert row[-5:] == ["0.0", "ms", "-", "-", "-"]


def test_the_ratio_is_that_of_what_stands_beside_it() -> None:
    """744 → 804 with a ratio of 0.882 were arithmetic means beside a geometric ratio."""
    for one, other in itertools.combinations((load(RESULTS, str(each)) for each in RUNS), 2):
        try:
            rows = compare(one, other)
        except UsageError:
            continue
        for row in rows:
            assert row.ratio is not None
            assert row.before is not None
            assert row.after is not None
            assert row.after / row.before == pytest.approx(row.ratio.value)


def test_the_list_says_which_runs_are_no_good_measurement() -> None:
    good, cut, bad = whole(), whole() | {"broken": "stopped by hand"}, whole()
    bad["cases"][0]["failed"], bad["cases"][1]["failed"] = 3, 1
    said = [line.split()[2:] for line in listing([good, cut, bad]).splitlines()[1:]]
    assert said == [["2"], ["2", "not", "whole"], ["2", "4", "failed"]]
