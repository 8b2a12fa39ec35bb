"""The picture of `sparkwell compare --plot`: what it shows, and where it cannot be drawn."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.cli.compare.plot import draw, memory_split, title
from sparkwell.cli.extras import install_command
from sparkwell.cli.picture import check_picture, drawn, plain_numbers
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.engines.vllm import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.compare import Candidate, Comparison, compare
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.question import Question

CATALOG = load_catalog()
NAMES = tuple(recipe.name for recipe in CATALOG if recipe.repo)


def plan(
    name: str, share: float = 0.85, machine: str = "dgx-spark", version: str = "0.25.0"
) -> Plan:
    flags: dict[str, FlagValue] = {"gpu_memory_utilization": share, "max_model_len": 16384}
    described = describe_recipe(CATALOG.get(name))
    return make_plan(Question(described, find_machine(machine), rules_for(version), flags))


def comparison(*names: str) -> Comparison:
    broken = Candidate("nope", "balanced", error=UsageError("There is no such model."))
    return compare([*(Candidate(name, "balanced", plan(name)) for name in names), broken])


@given(
    st.sampled_from(NAMES),
    st.floats(0.3, 1.0),
    st.sampled_from(["dgx-spark", "h100-80gb", "h200-141gb"]),
    st.sampled_from(["0.10.1.1", "0.25.0"]),
)
def test_the_parts_are_all_of_the_memory(
    name: str, share: float, machine: str, version: str
) -> None:
    made = plan(name, share, machine, version)
    headroom = made.memory.headroom
    assert headroom is not None
    assert sum(memory_split(made).values()) == made.memory.total + max(0, -headroom)


def test_no_part_is_nothing() -> None:
    split = memory_split(plan("llama33-70b-fp8", 0.5, "h100-80gb"))
    assert "KV cache" not in split
    assert "system" not in split
    assert all(size > 0 for size in split.values())


def test_the_title_names_machine_version_and_profile() -> None:
    said = title(comparison("qwen3-8b-fp8"))
    assert said == "NVIDIA DGX Spark (GB10, 128 GB), vLLM 0.25.0, profile balanced"


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml")])
def test_it_draws_the_same_bytes_each_time(tmp_path: Path, name: str, magic: bytes) -> None:
    made = comparison("qwen3-32b-fp8", "qwen3-8b-fp8", "llama33-70b-fp8")
    file = tmp_path / name
    draw(made, file)
    first = file.read_bytes()
    assert first.startswith(magic)
    draw(made, file)
    assert file.read_bytes() == first


def test_the_picture_says_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    greedy = Candidate("greedy", "balanced", plan("qwen3-32b-fp8", 0.99))
    made = comparison("qwen3-8b-fp8")
    draw(Comparison((*made.candidates, greedy), made.rows), file)
    text = file.read_text("utf-8")
    expected = ("qwen3-8b-fp8", "nope", "cannot be planned", "does not fit", "GiB too much")
    parts = ("weights", "overhead", "KV cache", "headroom", "requests at once")
    assert [word for word in (*expected, *parts) if word not in text] == []
    assert "<dc:date>" not in text


def test_a_machine_of_unknown_bandwidth(tmp_path: Path) -> None:
    machine = find_machine("cpu")
    described = describe_recipe(CATALOG.get("demo-qwen3"))
    made = make_plan(Question(described, machine, rules_for("0.32.0"), {}))
    file = tmp_path / "a.svg"
    candidates = [Candidate(name, "balanced", made) for name in "ab"]
    draw(compare(candidates), file)
    assert ("not known" in file.read_text("utf-8")) == (made.speed is None)


@pytest.mark.parametrize("name", ["a.gif", "a", "a.png.txt", ".png"])
def test_another_suffix(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="PNG or SVG"):
        check_picture(tmp_path / name)


def test_no_folder_no_file_no_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentFault, match="there is no folder"):
        check_picture(tmp_path / "none" / "a.png")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        check_picture(tmp_path / "b.png")
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        check_picture(tmp_path / "a.png")


@pytest.mark.parametrize(("step", "said"), [(0.05, "0.05"), (20.0, "20"), (2e6, "2,000,000")])
def test_a_step_of_a_scale_has_all_its_digits(step: float, said: str) -> None:
    with drawn((2, 2)) as figure:
        axes = figure.subplots()
        plain_numbers(axes)
        assert axes.xaxis.get_major_formatter()(step, 0) == said
        assert axes.yaxis.get_major_formatter()(step, 0) == said


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_picture(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(EnvironmentFault, match="not installed") as caught:
        check_picture(tmp_path / "a.png")
    assert caught.value.hint == install_command("plot")
    assert "pip install 'sparkwell[plot]'" in install_command("plot")
