"""How a model makes room: what the settings want, and what is safe on this machine."""

from dataclasses import replace
from typing import Any

import pytest

from sparkwell.app.daemon.back_ends import (
    choose_back_end,
    host_total_bytes,
    sleep_environment,
    sleep_flags,
)
from sparkwell.app.launching.ways import Way
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import ConflictError
from sparkwell.core.units import GIB
from sparkwell.drivers.environments import Installed
from sparkwell.engines.vllm.sleep import BackEnd
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine

RECIPE = load_catalog().get("qwen3-8b-fp8")
SPARK, H100 = find_machine("dgx-spark"), find_machine("h100-80gb")
SAFE = replace(H100, sleep_mode_safe=True)
INSTALLED = Installed("vllm", "vllm", "cuda", "0.25.0", "/e", "/e/bin/python", "")
PROCESS = Way("0.25.0", "cuda", environment=INSTALLED)
CONTAINER = Way("0.25.0", "cuda", image="x/y:1")


def chosen(
    wanted: str, way: Way = PROCESS, machine: Machine = SAFE, host_gib: float | None = 126
) -> BackEnd:
    host = None if host_gib is None else int(host_gib * GIB)
    return choose_back_end(wanted, RECIPE, way, lambda: machine, lambda: host)


def test_by_itself_the_fastest_that_is_safe() -> None:
    assert chosen("auto") is BackEnd.SLEEP_1


@pytest.mark.parametrize(
    ("way", "machine"),
    [
        (PROCESS, SPARK),  # waking hung such machines
        (PROCESS, replace(H100, sleep_mode_safe=False)),
        (PROCESS, replace(H100, sleep_mode_safe=None)),
        (CONTAINER, SAFE),  # its developers' routes could be reached by everybody here
        (replace(PROCESS, device="cpu"), SAFE),
        (replace(PROCESS, version="0.8.0"), SAFE),
    ],
)
def test_by_itself_it_ends_where_anything_speaks_against_sleep(way: Way, machine: Machine) -> None:
    assert chosen("auto", way, machine) is BackEnd.COLD


@pytest.mark.parametrize("machine", [SPARK, H100])
@pytest.mark.parametrize("way", [PROCESS, CONTAINER])
def test_a_setting_overrules_what_is_said_of_the_machine(way: Way, machine: Machine) -> None:
    assert chosen("sleep-2", way, machine) is BackEnd.SLEEP_2
    assert chosen("cold", way, machine) is BackEnd.COLD


@pytest.mark.parametrize(
    "way", [replace(PROCESS, version="0.10.2"), replace(PROCESS, device="cpu")]
)
def test_a_setting_does_not_overrule_what_the_engine_cannot_do(way: Way) -> None:
    with pytest.raises(ConflictError, match="qwen3-8b-fp8 cannot make room by sleep-2") as refused:
        chosen("sleep-2", way)
    assert "auto or cold" in str(refused.value.hint)


def test_the_machine_is_looked_at_only_where_it_matters() -> None:
    def never() -> Any:
        raise AssertionError("a look at the machine takes a while")

    def large() -> int:
        return 126 * GIB

    assert choose_back_end("cold", RECIPE, PROCESS, never, never) is BackEnd.COLD
    assert choose_back_end("auto", RECIPE, CONTAINER, never, never) is BackEnd.COLD
    assert choose_back_end("sleep-1", RECIPE, PROCESS, never, large) is BackEnd.SLEEP_1


# Level 1 takes 1.5 bytes of the host for each of 8.8 GiB of weights; 8 GiB are kept for all else.


@pytest.mark.parametrize(
    ("host_gib", "expected"),
    [(21.1, BackEnd.SLEEP_2), (21.3, BackEnd.SLEEP_1), (None, BackEnd.SLEEP_1)],
)
def test_weights_sleep_in_the_host_only_where_it_has_the_memory(
    host_gib: float | None, expected: BackEnd
) -> None:
    assert chosen("auto", host_gib=host_gib) is expected


def test_an_engine_too_old_for_level_2_ends_where_the_host_is_small() -> None:
    assert chosen("auto", replace(PROCESS, version="0.11.0"), host_gib=16) is BackEnd.COLD
    assert chosen("auto", replace(PROCESS, version="0.11.0")) is BackEnd.SLEEP_1


def test_a_setting_does_not_make_the_host_larger() -> None:
    with pytest.raises(ConflictError, match=r"13\.2 GiB of the host's memory.*16\.0") as refused:
        chosen("sleep-1", host_gib=16)
    assert "sleep-2" in str(refused.value.hint)
    assert chosen("sleep-2", host_gib=16) is BackEnd.SLEEP_2


def test_unified_memory_has_no_host_beside_it() -> None:
    """There the plan counts the weights that sleep."""
    assert chosen("sleep-1", machine=SPARK, host_gib=16) is BackEnd.SLEEP_1


def test_this_host_has_memory() -> None:
    assert (host_total_bytes() or 0) > GIB / 4


def test_what_a_start_needs_for_it() -> None:
    assert sleep_flags(BackEnd.COLD) == sleep_environment(BackEnd.COLD) == {}
    for each in (BackEnd.SLEEP_1, BackEnd.SLEEP_2):
        assert sleep_flags(each) == {"enable_sleep_mode": True}
        assert sleep_environment(each) == {"VLLM_SERVER_DEV_MODE": "1"}
