"""The deciding parts of the process driver: values in, values out."""

import json
import os
from pathlib import Path

import pytest

from sparkwell.core.errors import UsageError
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec
from sparkwell.drivers.process import ProcessDriver
from sparkwell.drivers.process.folder import check_instance
from sparkwell.drivers.process.inherited import DEFAULT_PATH, base_environment
from sparkwell.drivers.process.records import (
    exit_from_json,
    spec_from_json,
    spec_to_json,
    unseen_end,
)
from sparkwell.drivers.process.remains import survivors
from sparkwell.drivers.process.shim.proc import Stat
from sparkwell.drivers.process.sockets import LONGEST_PATH, socket_folder

SPEC = LaunchSpec(
    instance="qwen3-8b-fp8.1",
    model="qwen3-8b-fp8",
    engine="vllm",
    engine_version="0.25.0",
    argv=("vllm", "serve", "Qwen/Qwen3-8B-FP8"),
    endpoint=Endpoint(port=8101),
    env={"VLLM_LOGGING_LEVEL": "DEBUG"},
    labels={"plan": "é"},
    stop_grace_s=12.5,
)


def test_a_spec_survives_json() -> None:
    assert spec_from_json(json.loads(json.dumps(spec_to_json(SPEC)))) == SPEC


def test_a_damaged_spec_is_no_spec() -> None:
    with pytest.raises(KeyError):
        spec_from_json({"instance": "x"})


def test_what_an_exit_record_does_not_say_was_not_seen() -> None:
    assert exit_from_json({}) == ExitRecord(None, None, requested=False, ended_at=0.0)
    unseen = unseen_end(requested=True, ended_at=5.0, last_lines=["a"])
    assert exit_from_json(unseen) == ExitRecord(None, None, True, 5.0, ("a",))


def test_an_engine_inherits_little() -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/home/u",
        "HF_TOKEN": "secret",
        "OPENAI_API_KEY": "secret",
        "PYTHONPATH": "/src",
        "LD_PRELOAD": "x.so",
        "CUDA_HOME": "/usr/local/cuda",
        "NVIDIA_VISIBLE_DEVICES": "all",
        "no_proxy": "localhost",
        "my_proxy": "x",
        "HTTPS_PROXY": "p",
    }
    assert base_environment(environ).keys() == {
        "PATH", "HOME", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES", "no_proxy", "HTTPS_PROXY"
    }  # fmt: skip
    assert base_environment({}) == {"PATH": DEFAULT_PATH}


def test_an_engine_counts_gpus_as_the_plan_does() -> None:
    chosen = base_environment({"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"})
    assert (chosen["CUDA_VISIBLE_DEVICES"], chosen["CUDA_DEVICE_ORDER"]) == ("1", "PCI_BUS_ID")


def test_rendering_changes_nothing(tmp_path: Path) -> None:
    driver = ProcessDriver(tmp_path / "i", environ={"PATH": "/bin", "HF_TOKEN": "secret"})
    document = driver.render(SPEC)
    assert document["env"] == {"PATH": "/bin", "VLLM_LOGGING_LEVEL": "DEBUG"}
    assert document["argv"] == list(SPEC.argv)
    assert document["stop_grace_s"] == 12.5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("instance", ["a", "qwen3-8b-fp8.1", "0_x"])
def test_plain_names_are_instance_ids(instance: str) -> None:
    assert check_instance(instance) == instance


@pytest.mark.parametrize(
    "instance", ["", ".", "..", "-a", "a/b", "A", "a b", "a\0", "é", "a" * 129]
)
def test_other_names_are_not(instance: str) -> None:
    with pytest.raises(UsageError):
        check_instance(instance)


def test_sockets_lie_in_the_folder_when_their_path_is_short_enough() -> None:
    name = len("/engine.sock")
    longest = Path("/" + "r" * (LONGEST_PATH - name - 1))
    assert len(os.fsencode(longest)) + name == LONGEST_PATH
    assert socket_folder(longest, Path("/s"), uid=7) == longest
    too_long = longest.with_name(longest.name + "r")
    short = socket_folder(too_long, Path("/s"), uid=7)
    assert short.parent == Path("/s/sparkwell-7")
    assert short == socket_folder(too_long, Path("/s"), uid=7)
    assert short != socket_folder(too_long / "other", Path("/s"), uid=7)


def test_the_limit_counts_bytes_not_letters() -> None:
    assert socket_folder(Path("/" + "é" * 60), Path("/s"), uid=7).is_relative_to("/s")


TABLE = {
    1: Stat("S", 0, 1, 0),
    10: Stat("S", 1, 10, 100),  # the engine's main process, orphaned
    11: Stat("S", 10, 10, 101),  # its child
    20: Stat("S", 1, 20, 102),  # forked twice, a session of its own
    21: Stat("S", 1, 20, 103),  # of that session
    30: Stat("S", 1, 30, 104),  # writes into the shim's pipe
    40: Stat("Z", 1, 40, 105),  # a zombie
    50: Stat("S", 1, 50, 106),  # a stranger
}


@pytest.mark.parametrize(
    ("listed", "holders", "expected"),
    [
        ([(10, 100)], [], {10, 11}),
        ([(20, 102)], [], {20, 21}),
        ([], [30], {30}),
        ([(10, 99), (50, 1)], [], set()),  # those pids belong to others by now
        ([(40, 105), (99, 5)], [], set()),
        ([(10, 100), (20, 102)], [30], {10, 11, 20, 21, 30}),
    ],
)
def test_who_is_left_of_an_instance(
    listed: list[tuple[int, int]], holders: list[int], expected: set[int]
) -> None:
    assert {pid for pid, _ in survivors(TABLE, listed, holders)} == expected
