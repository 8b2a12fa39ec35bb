"""Tunings as files."""

from pathlib import Path

import pytest
from tests.unit.app.tuning.simulated import H100, wish
from tests.unit.tune.made import trial

from sparkwell.app.tuning import keeping
from sparkwell.app.tuning.beginning import begun, clients, must_be_here, place
from sparkwell.app.tuning.document import Outcome, Tuning
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.hardware.description import find_machine


def tuning(**changes: object) -> Tuning:
    return begun(wish(**changes), H100, 8192)


def keep(folder: Path, name: str, made: Tuning) -> Path:
    file = folder / f"{name}.json"
    keeping.save(file, made)
    return file


def test_what_is_kept_is_what_is_read(tmp_path: Path) -> None:
    made = tuning(given={"enforce_eager": True, "gpu_memory_utilization": 0.9})
    file = keep(tmp_path / "new", "a", made)
    assert keeping.load(file) == made
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}", "is no tuning"), ("no JSON", "is no tuning"), (None, "cannot be read")],
)
def test_what_is_none_is_told(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "x.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=said):
        keeping.load(file)


def test_a_newer_format_is_told(tmp_path: Path) -> None:
    made = tuning()
    made.format = 2
    with pytest.raises(UsageError, match="has format 2; this Sparkwell knows 1"):
        keeping.load(keep(tmp_path, "a", made))


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    with file.open("wb") as large:
        large.truncate(keeping.MOST_BYTES + 1)
    with pytest.raises(UsageError, match="larger than any tuning"):
        keeping.load(file)


def test_one_with_long_logs_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest trials' go first; what came of them stays, and what is in memory too."""
    monkeypatch.setattr(keeping, "MOST_BYTES", 20_000)
    made = tuning()
    made.trials = [trial(number, lines=["x" * 400] * 10) for number in range(6)]
    kept = keeping.load(keep(tmp_path, "a", made))
    logs = [len(each.lines) for each in kept.trials]
    assert logs == [0, 0, 10, 10, 10, 10]
    assert [each.value for each in kept.trials] == [1.0] * 6
    assert all(each.lines for each in made.trials)


def test_a_folder_that_takes_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(EnvironmentFault, match="could not be written"):
        keeping.save(tmp_path / "taken" / "a.json", tuning())


def test_one_is_found_by_what_tells_it_apart(tmp_path: Path) -> None:
    names = ("20260101-m-goodput", "20260102-m-goodput", "20260102-m-goodput-x")
    for name in names:
        keep(tmp_path, name, tuning())

    def found(name: str) -> str:
        return keeping.find(tmp_path, name).stem

    assert found("1") == names[2]
    assert found("20260101") == names[0]
    assert found(names[1]) == names[1]
    assert keeping.find(tmp_path, "elsewhere.json") == Path("elsewhere.json")
    for name, said in (("20260102", "2 tunings begin with"), ("9", "There is no tuning '9'")):
        with pytest.raises(UsageError, match=said):
            keeping.find(tmp_path, name)


def test_the_newest_that_is_wanted_is_found(tmp_path: Path) -> None:
    done = tuning()
    done.outcome = Outcome("done")
    for number, made in enumerate((tuning(), tuning(goal="latency"), done)):
        keep(tmp_path, f"2026010{number}-{made.model}-{made.goal}", made)
    (tmp_path / "20260109-qwen3-8b-fp8-throughput.json").write_text("damaged")
    for wanted, day in ((is_open, "20260100"), (lambda each: not is_open(each), "20260102")):
        found = keeping.newest(tmp_path, "qwen3-8b-fp8", "throughput", wanted)
        assert found is not None
        assert found.name.startswith(day)
    assert keeping.newest(tmp_path, "qwen3-8b-fp8", "goodput", is_open) is None


def is_open(tuning: Tuning) -> bool:
    return tuning.outcome is None


def test_goodput_has_an_slo_of_its_own() -> None:
    made = tuning(goal="goodput")
    assert made.slo == {"ttft_s": 2.0, "tpot_s": None, "e2e_s": None}
    assert tuning().slo is None


@pytest.mark.parametrize(
    ("hardware", "goal", "asked", "found"),
    [
        ("h100-80gb", "throughput", None, (256,)),
        ("cpu", "throughput", None, (16,)),
        ("h100-80gb", "latency", None, (8,)),
        ("h100-80gb", "goodput", 100, (100,)),
        ("cpu", "concurrency", None, (1, 2, 4, 8, 16)),
        ("cpu", "concurrency", 3, (1, 2, 3)),
    ],
)
def test_how_many_clients_ask(
    hardware: str, goal: str, asked: int | None, found: tuple[int, ...]
) -> None:
    assert clients(wish(goal=goal, clients=asked), find_machine(hardware)) == found


def test_a_tuning_is_not_gone_on_with_elsewhere() -> None:
    made = tuning()
    must_be_here(made, H100)
    made.place = place(H100, "vllm", "0.25.0")
    must_be_here(made, H100)
    with pytest.raises(UsageError, match=r"was begun on NVIDIA H100.* this is NVIDIA H200"):
        must_be_here(made, find_machine("h200-141gb"))
