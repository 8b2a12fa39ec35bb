"""Ended instances: the latest first, and the latest few of each model are kept."""

from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec
from sparkwell.drivers.ended import latest_first, surplus


def pair(instance: str, model: str, ended_at: float) -> tuple[LaunchSpec, ExitRecord]:
    spec = LaunchSpec(instance, model, "vllm", "1", ("x",), Endpoint(uds="/x"))
    return spec, ExitRecord(0, None, requested=False, ended_at=ended_at)


RUNS = [pair("m1", "m", 1.0), pair("n1", "n", 2.0), pair("m2", "m", 4.0), pair("m3", "m", 3.0)]


def test_the_latest_end_comes_first_and_halves_are_left_out() -> None:
    found = latest_first([*RUNS, (RUNS[0][0], None), (None, RUNS[0][1])])
    assert [spec.instance for spec, _ in found] == ["m2", "m3", "n1", "m1"]


def test_the_latest_few_of_each_model_are_kept() -> None:
    ended = latest_first(RUNS)
    assert list(surplus(ended, 3)) == []
    assert list(surplus(ended, 1)) == ["m3", "m1"]
    assert list(surplus(ended, 0)) == ["m2", "m3", "n1", "m1"]
