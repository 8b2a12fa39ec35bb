"""How many cores there are to compute with."""

import os

import psutil
import pytest

from sparkwell.hardware.cores import usable_cores


@pytest.mark.parametrize(
    ("physical", "allowed", "cores"),
    [(8, 16, 8), (8, 4, 4), (None, 4, 4), (1, 2, 1)],
)
def test_threads_of_a_core_count_once_and_the_affinity_bounds(
    monkeypatch: pytest.MonkeyPatch, physical: int | None, allowed: int, cores: int
) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: None if logical else physical)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)))
    assert usable_cores() == cores


def test_where_nothing_says_how_many_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: None)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores() is None
