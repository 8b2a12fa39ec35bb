"""What `sparkwell verify` says of a report, of one's own or of somebody else's."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tests.unit.app.verifying.parts import bench, gathered, plan, started
from tests.unit.app.verifying.test_report import document, whole

from sparkwell.app.verifying.claims import Run, with_claims
from sparkwell.app.verifying.figures import figures
from sparkwell.app.verifying.gathered import Started, Step
from sparkwell.app.verifying.report import report
from sparkwell.catalog.guide_claims import claims_for
from sparkwell.cli.main import cli
from sparkwell.cli.verify.text import shown, text, written


def said(told: object) -> str:
    return click.unstyle(text(told))  # type: ignore[arg-type]


def test_figures_stand_side_by_side_with_plan_and_guide() -> None:
    p = plan()
    found = gathered(p, bench(p), Step("bench", "done"))
    rows = figures(p, found.started, found.bench)
    flags = p.question.flags
    judged = with_claims(rows, claims_for(found.model), Run(found.model, p, started(p), flags))
    lines = said(report(found, judged, [], requests=False)).splitlines()
    [alone] = [line for line in lines if line.startswith("output, 1 at once")]
    assert "9 to 10 tokens/s" in alone
    assert "holds (±15%)" in alone
    [cache] = [line for line in lines if line.startswith("KV cache")]
    assert f"{p.memory.kv_tokens:,} tokens" in cache
    assert " GB, here " in cache
    assert any(line.startswith("Of the guides' claims") for line in lines)


def test_a_step_that_failed_stands_first_with_what_to_do() -> None:
    step = Step("up", "failed", 1.0, "It does not fit.", "Stop the other one.")
    lines = said(document(gathered(plan(), None, step))).splitlines()
    assert "Not whole: up failed. It does not fit." in lines
    assert "Stop the other one." in lines


def test_reasons_are_told_and_claims_are_counted() -> None:
    found = gathered(plan("h100-80gb"), None)
    found.started = Started()
    p = found.plan
    run = Run(found.model, p, found.started, {})
    rows = with_claims(figures(p, found.started, None), claims_for(found.model), run)
    words = said(report(found, rows, [], requests=False))
    assert "- KV cache: the engine did not say" in words
    assert "claims of the guides: the guide speaks of dgx-spark, this is h100-80gb" in words
    assert "were not measured" in words


def test_claims_that_do_not_hold_are_listed_each() -> None:
    p = plan()
    found = gathered(p, bench(p, slower=20), Step("bench", "done"))
    rows = figures(p, found.started, found.bench)
    flags = p.question.flags
    judged = with_claims(rows, claims_for(found.model), Run(found.model, p, found.started, flags))
    refuted = [each for row in judged for each in row.guides if each.verdict == "does not hold"]
    words = said(report(found, judged, [], requests=False))
    assert refuted
    for each in refuted:
        assert f"- {each.claim}: " in words
    assert "Claims of the guides that do not hold:" in words


def test_the_table_has_a_claim_that_was_judged() -> None:
    told = whole()
    guide = {
        "claim": "a", "says": "b", "unit": "s", "low": 1.0, "high": 2.0, "measured": None,
        "verdict": "not measured", "why": "other flags",
    }  # fmt: skip
    other = {**guide, "claim": "c", "low": 7.0, "high": 8.0, "measured": 9.0}
    told["figures"][0]["guides"] = [guide, {**other, "verdict": "does not hold", "why": None}]
    words = said(told)
    assert "7 to 8 s" in words
    assert "1 to 2 s" not in words


def test_a_claim_of_many_digits_has_them_all() -> None:
    told = whole()
    told["figures"][0]["guides"] = [
        {
            "claim": "a", "says": "b", "unit": "parameters", "low": 8e9, "high": 32.8e9,
            "measured": 8.2e9, "verdict": "holds", "why": None,
        }
    ]  # fmt: skip
    assert "8,000,000,000 to 32,800,000,000 parameters" in said(told)


def test_findings_are_told_by_their_titles() -> None:
    found = gathered(plan(), None)
    finding = {"severity": "error", "title": "The disk\x1b[31m is full", "id": "disk"}
    found.doctor = {"ok": False, "findings": [finding, {**finding, "severity": "ok"}]}
    words = said(document(found))
    assert "Doctor: 1 error, 0 warnings" in words
    assert "\x1b" not in words


def test_somebody_elses_words_do_nothing_to_the_terminal() -> None:
    evil = "\x1b]0;gone\x07\x1b[2J"
    told = whole() | {"model": evil, "suite": evil, "date": evil}
    told["machine"]["title"] = evil
    told["steps"] = [{"name": evil, "state": "failed", "seconds": 1, "why": evil, "hint": evil}]
    told["figures"][0] |= {"name": evil, "unit": evil, "verdict": evil, "why": evil}
    assert not {"\x1b", "\x07"} & set(said(told))


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "s", "-"),
        (2**30, "bytes", "1.00 GiB"),
        (0.25, "s", "250 ms"),
        (1234567, "tokens", "1,234,567 tokens"),
        (93.21, "tokens/s", "93.2 tokens/s"),
    ],
)
def test_figures_are_said_as_people_do(value: float | None, unit: str, words: str) -> None:
    assert shown(value, unit) == words


def test_where_it_lies_is_told_and_that_it_can_be_read() -> None:
    assert "a.json (12 kB)" in written(Path("a.json"), 12_000)


def test_a_report_that_was_sent_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(whole()))
    shown_ = CliRunner().invoke(cli, ["verify", "show", str(file)])
    assert shown_.exit_code == 0, shown_.output
    assert "Of the plan" in shown_.output
    as_json = CliRunner().invoke(cli, ["verify", "show", str(file), "--json"])
    assert json.loads(as_json.output) == whole()
