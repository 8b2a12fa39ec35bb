"""docs/interpretation.md has the thresholds and checks that the code has."""

from pathlib import Path

from sparkwell.checks.serving import CHECKS
from sparkwell.checks.serving_limits import Limit, limits
from sparkwell.checks.serving_settled import APPEARS_AFTER, GOES_AFTER

PAGE = (Path(__file__).parents[3] / "docs" / "interpretation.md").read_text()


def row(limit: Limit) -> str:
    models = ", ".join(f"`{model}`" for model in limit.models) or "all others"
    own = [each for each in limits().limits if each.limit == limit.limit]
    if len(own) == 1:
        models = "all"
    where = f"{limit.guide}, line {limit.line}" if limit.guide else f"ours. {limit.source}"
    return f"| `{limit.limit}` | {models} | {limit.value:g} | {where} | {limit.advice} |"


def rows_below(heading: str) -> list[str]:
    lines = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [line for line in lines if line.startswith("| `")]


def test_every_threshold_is_in_the_table_and_no_other() -> None:
    assert rows_below("Thresholds") == [row(limit) for limit in limits().limits]


def test_every_check_is_in_the_table_and_no_other() -> None:
    rows = rows_below("Checks")
    assert [line.split("`")[1] for line in rows] == [check.id for check in CHECKS]
    for check, line in zip(CHECKS, rows, strict=True):
        assert f"| {check.asks} |" in line


def test_the_evidence_that_is_wanted() -> None:
    least = limits().evidence
    for text in (
        f"{least.samples} samples over {least.seconds:g} s",
        f"{least.busy:.0%}".replace("%", " %"),
        f"{least.requests} requests",
        f"{least.prompts} prompts",
        f"{APPEARS_AFTER} rounds",
        f"{GOES_AFTER} rounds",
    ):
        assert text in PAGE
