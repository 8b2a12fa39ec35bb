"""When a silence is said to be a stall."""

from dataclasses import asdict, replace

from tests.unit.bench.samples import sample

from sparkwell.bench.figures import figures
from sparkwell.bench.measured_pace import pace
from sparkwell.bench.notes import notes
from sparkwell.bench.report import About, Beside, document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.silences import Silence
from sparkwell.bench.stalls import stalled, stalls
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.hardware.description import find_machine
from sparkwell.planner.pace import AS_MODELLED

CLIENTS = Case("256 at once", Workload(512, 256), 768, clients=256)
RATE = Case("4/s", Workload(512, 256), 768, rate=4.0)


def repeat(
    seconds: float, usual_s: float | None = None, *, lag_s: float = 0.0, broken: str | None = None
) -> Repeat:
    """One with that silence; it lasts for as long as any other."""
    found = figures([sample()], began_s=100.0, ended_s=120.0, lags=[lag_s])
    silence = Silence(seconds, 256, usual_s)
    return Repeat(replace(found, silence=silence), [sample()], 100.0, broken)


def test_what_stands_out_in_its_own_repeat_is_told() -> None:
    assert stalls(CLIENTS, [repeat(9.1, 0.4)]) == [
        "In repeat 1 no token came for 9.1 s while 256 requests were out: the engine stood still, "
        "and the figures have that in them."
    ]


def test_what_stands_out_among_the_repeats_is_told() -> None:
    """As where a document is read that is cached from then on: the repeat alone tells nothing."""
    [said] = stalls(CLIENTS, [repeat(0.9), repeat(6.6), repeat(1.1)])
    assert said.startswith("In repeat 2 no token came for 6.6 s")


def test_two_that_stood_still_are_both_told() -> None:
    found = stalls(CLIENTS, [repeat(9.0), repeat(0.2), repeat(12.0)])
    assert [said[:11] for said in found] == ["In repeat 1", "In repeat 3"]


def test_prompts_that_take_as_long_in_each_repeat_are_none() -> None:
    assert stalls(CLIENTS, [repeat(16.0), repeat(15.0), repeat(17.0)]) == []
    assert stalls(CLIENTS, [repeat(16.0, 16.0)]) == []


def test_where_nothing_tells_what_is_usual_nothing_is_told() -> None:
    assert stalls(CLIENTS, [repeat(60.0)]) == []


def test_what_is_short_is_none() -> None:
    assert stalls(CLIENTS, [repeat(0.9, 0.01), repeat(0.01, 0.01)]) == []


def test_repeats_at_a_rate_are_not_alike() -> None:
    """Three may come at the same moment in one of them only."""
    assert stalls(RATE, [repeat(4.0, 2.0), repeat(1.0, 1.0)]) == []
    assert len(stalls(RATE, [repeat(9.0, 2.0), repeat(1.0, 1.0)])) == 1
    assert len(stalls(RATE, [repeat(9.0), repeat(1.0, 1.0)])) == 1


def test_a_repeat_that_broke_off_tells_nothing_of_others() -> None:
    assert stalls(CLIENTS, [repeat(9.0), repeat(0.1, broken="stopped by hand")]) == []


def test_a_client_that_did_not_run_itself_does_not_blame_the_engine() -> None:
    [said] = stalls(CLIENTS, [repeat(9.1, 0.4, lag_s=8.9)])
    assert "the client itself stood still" in said
    compiled = replace(repeat(9.1, 0.4, lag_s=8.9), compiled=3)
    assert stalls(CLIENTS, [compiled]) == [said]


def test_what_was_compiled_meanwhile_is_told() -> None:
    quiet, loud = repeat(0.5, 0.4), repeat(9.1, 0.4)
    [plain] = stalls(CLIENTS, [quiet, replace(loud, compiled=0)])
    [said] = stalls(CLIENTS, [quiet, replace(loud, compiled=1234)])
    assert said.removeprefix(plain) == (
        " Kernels were compiled then (1,234 files in the compile cache); they are kept, so "
        "measure again."
    )
    assert stalled(CLIENTS, [quiet, loud]) == [1]


def test_it_is_a_figure_and_a_note_of_the_case_and_no_figure_for_plans() -> None:
    repeats = [repeat(0.5, 0.4), repeat(9.5, 0.4)]
    about = About(
        "r",
        1.0,
        "m",
        "crowd",
        "u",
        "c",
        "1",
        {"name": "x", "gpus": 1},
        {"engine_version": "1"},
        flags={},
    )
    found = document(about, [CLIENTS], Measured({0: repeats}), lambda _case: Beside())
    [case] = found["cases"]
    assert case["measured"]["silence_s"]["mean"] == 5.0
    assert [each["silence_s"] for each in case["repeats"]] == [0.5, 9.5]
    assert [each["compiled_files"] for each in case["repeats"]] == [None, None]
    assert case["notes"] == notes(CLIENTS, repeats) == stalls(CLIENTS, repeats)
    step_s = case["measured"]["e2e_mean_s"]["mean"] / CLIENTS.workload.output_tokens
    planned = {"running": 256, "tpot_s": step_s, "tokens_per_s": 256 / step_s}
    case["planned"] = {**planned, "pace": asdict(AS_MODELLED)}
    machine = replace(find_machine("dgx-spark"), name="x")
    assert pace([found], machine, "1", {}) == AS_MODELLED
    case["notes"] = []
    assert pace([found], machine, "1", {}) != AS_MODELLED
