"""What `sparkwell tune show` says of a tuning."""

import re
from typing import Any

import click
import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.app.tuning.simulated import Flags, Run, SimulatedRig
from tests.unit.tune.made import measured

from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.rig import TrialError
from sparkwell.bench.figures import Slo
from sparkwell.bench.results import Repeat
from sparkwell.bench.suites import Case
from sparkwell.cli.tune.check import check_table
from sparkwell.cli.tune.text import text


def shown(tuning: Tuning) -> str:
    """As it is read again from its file."""
    kept = msgspec.json.decode(msgspec.json.encode(tuning), type=Tuning)
    return click.unstyle(text(kept))


def gain(**changes: Any) -> dict[str, Any]:
    """Of a tuning on an H200: output tokens a second."""
    told = {"value": 1.4806, "low": 1.3571, "high": 1.6154, "verdict": "more"}
    usual = {
        "workload": "512 in, 256 out, 256 clients", "tuned_on": True, "ratio": told,
        "figure": "output_tokens_per_s", "before": 8351.2, "after": 12364.3, "verdict": "better",
    }  # fmt: skip
    return {**usual, **changes}


def lines(*gains: dict[str, Any]) -> list[str]:
    return click.unstyle(check_table(gains)).splitlines()


def cells(line: str) -> list[str]:
    return [each.strip() for each in line.split("  ") if each.strip()]


def test_figures_are_whole_numbers_from_a_hundred_on_and_shares_are_percent() -> None:
    share = gain(figure="good_share", before=0.125, after=0.9941)
    assert [cells(each)[:3] for each in lines(gain(), share)[2:]] == [
        ["output tokens/s", "8,351", "12,364"],
        ["within the SLO", "12.5%", "99.4%"],
    ]


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        ((4.1723, 0.1714, 101.581), ["4.17", "0.171 to 102"]),
        ((7.953, 7.953, 7.953), ["7.95", "7.95"]),
        ((1.4806, None, None), ["1.48", "-"]),
    ],
)
def test_a_ratio_and_its_interval_have_three_digits(
    ratio: tuple[float, ...], said: list[str]
) -> None:
    told = dict(zip(("value", "low", "high"), ratio, strict=True))
    assert cells(lines(gain(ratio=told))[-1])[3:5] == said


@pytest.mark.parametrize("nothing", [None, float("inf")])
def test_what_nobody_answered_has_no_figure(nothing: float | None) -> None:
    found = lines(gain(figure="e2e_p95_s", before=nothing, ratio=None))[-1]
    assert cells(found)[:5] == ["whole answer p95, s", "-", "12,364", "-", "-"]


def test_a_workload_stands_once_above_its_figures() -> None:
    other = {"workload": "128 in, 1,024 out, 256 clients", "tuned_on": False}
    found = lines(gain(), gain(figure="goodput"), gain(**other))
    assert cells(found[0]) == ["FIGURE", "BEFORE", "FOUND", "RATIO", "95 %", "VERDICT"]
    assert [each for each in found if not each.startswith("  ")] == [
        "512 in, 256 out, 256 clients (tuned on)",
        "128 in, 1,024 out, 256 clients",
    ]
    assert [cells(each)[0] for each in found[2:4]] == ["output tokens/s", "good requests/s"]


def fast(flags: Flags, _case: Case) -> float:
    """Tens of thousands of tokens a second, some more with more sequences."""
    return 300.0 * min(int(flags["max_num_seqs"]), 192)


@pytest.mark.parametrize("goal", ["throughput", "goodput"])
def test_what_a_tuning_found_has_no_exponents(goal: str) -> None:
    said = shown(Run(SimulatedRig(fast), goal=goal, slo=Slo(ttft_s=2.0)).go())
    assert "The gain holds." in said
    assert "e+" not in said
    trials, check = said.split("\n\n")[1:3]
    assert "the flags from before" in trials
    assert max(map(len, [*trials.splitlines(), *check.splitlines()])) <= 80


def test_the_widest_check_fits_a_narrow_terminal() -> None:
    told = {"value": 4.1723, "low": 0.1714, "high": 101.581}
    wide = gain(figure="e2e_p95_s", before=10.5, ratio=told, verdict="no difference shown")
    assert max(map(len, lines(gain(), wide))) <= 80


def not_begun(rig: SimulatedRig) -> str:
    """What is shown of a tuning whose first start failed."""
    run = Run(rig)
    with pytest.raises(TrialError):
        run.go()
    return shown(run.tuning)


def test_a_first_start_that_failed_is_shown_with_the_end_of_its_log() -> None:
    said = not_begun(SimulatedRig(crash=lambda _: "no memory is left"))
    head, row, why = said.partition("TRIAL ")[2].splitlines()[:3]
    assert cells(row) == ["0", "0 s", "failed", "the flags from before"]
    assert why.strip() == "no memory is left"
    assert why.index("no memory") == row.index("the flags") == len("TRIAL ") + head.index("WHAT")
    assert "The end of its log:\n  INFO ready\n" in said
    assert "hf_abc" not in said
    assert said.endswith(
        "Not finished: the flags from before have to serve first; then the same command with "
        "--resume goes on."
    )


def test_one_that_was_refused_is_shown_too() -> None:
    said = not_begun(SimulatedRig(refuse=lambda _: "it does not fit"))
    assert re.search(r"refused +the flags from before\n +it does not fit", said)
    assert "ruled out by the plan" not in said
    assert "The end of its log" not in said


def test_a_trial_that_took_too_long_says_so() -> None:
    run = Run(SimulatedRig(loads=lambda flags: int(flags["max_num_seqs"]) > 64), budget_s=0.3)
    said = shown(run.go())
    assert re.search(r"\n1 +0 s +- +max_num_seqs=", said)
    assert "(took too long: the end of the budget came)" in said


class Crowded(SimulatedRig):
    """Of a hundred requests twelve keep the SLO, somewhat sooner with more sequences."""

    async def measure(self, case: Case, repeats: int, seed: str, slo: Slo | None) -> list[Repeat]:
        seconds = 1000.0 / min(int(self.started.flags["max_num_seqs"]), 192)
        return [
            Repeat(measured(0.1, 100, seconds * (1 + 0.001 * at), slo, slow=88), (), 0.0)
            for at in range(repeats)
        ]


@pytest.mark.parametrize("most_trials", [1, 6])
def test_few_good_requests_among_many_are_told(most_trials: int) -> None:
    said = shown(Run(Crowded(), goal="goodput", most_trials=most_trials).go())
    trials = said.partition("TRIAL ")[2].partition("\n\n")[0]
    assert trials.count("12% kept the SLO") == most_trials + 1
    assert max(map(len, trials.splitlines())) <= 80
    assert "! Even with the best flags (trial " in said


def test_a_log_moves_no_terminal() -> None:
    run = Run(SimulatedRig(), most_trials=1)
    tuning = run.go()
    lines = ["a\x1b[2Jb", *map(str, range(9))]
    tuning.trials[0] = replace(tuning.trials[0], end="failed", lines=lines)
    assert "\x1b[2J" not in text(tuning)
    assert "  ab\n  0\n" in text(tuning)


def test_without_a_failure_no_log_is_shown() -> None:
    said = shown(Run(SimulatedRig(), most_trials=2).go())
    assert "INFO ready" not in said
