"""Descriptions in YAML: the shipped ones are right, a wrong one is told where."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkwell.core.errors import DocumentError, UsageError
from sparkwell.hardware.description import find_machine, load_machine, machine_names
from sparkwell.hardware.machine import SeenTotal, Source

GIB = 1024**3
NAMES = ("cpu", "dgx-spark", "dgx-spark-x2", "h100-80gb", "h200-141gb")
MINE: dict[str, Any] = {
    "name": "mine",
    "title": "My machine",
    "device": "cuda",
    "total_bytes": "24 GiB",
    "unified": False,
    "sources": [{"what": "total_bytes", "where": "nvidia-smi"}],
}


def described(tmp_path: Path, **changes: Any) -> Path:
    """A description with changes; None leaves a field out."""
    values = {key: value for key, value in (MINE | changes).items() if value is not None}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    return file


def complaint(file: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        load_machine(file)
    return caught.value.message.replace(f"{file.parent}/", "")


def test_the_shipped_machines() -> None:
    assert machine_names() == NAMES
    for name in NAMES:
        machine = find_machine(name)
        assert machine.name == name
        assert machine.sources


def test_a_dgx_spark() -> None:
    spark = find_machine("dgx-spark")
    assert spark.total_bytes == 127_601_452 * 1024
    assert round(spark.total_for("0.10.1.1") / GIB, 2) == 119.67
    assert round(spark.total_for("0.11.0") / GIB, 2) == 121.69
    assert spark.sm == 121
    assert spark.bandwidth_bytes_per_s == 273e9
    assert spark.dense_flops == {"bf16": 125e12, "fp8": 250e12, "fp4": 500e12}
    assert spark.unified
    assert spark.sleep_mode_safe is False
    assert spark.floor_bytes == 8 * GIB


def test_two_sparks_are_two_of_one() -> None:
    one, two = find_machine("dgx-spark"), find_machine("dgx-spark-x2")
    own = {"name", "title", "gpus", "nodes", "interconnect_bytes_per_s", "sources", "notes"}
    for name in set(one.__dataclass_fields__) - own:
        assert getattr(one, name) == getattr(two, name), name
    assert (two.gpus, two.nodes, two.interconnect_bytes_per_s) == (2, 2, 25e9)


def test_hopper() -> None:
    h100, h200 = find_machine("h100-80gb"), find_machine("h200-141gb")
    assert round(h100.total_bytes / GIB, 2) == 79.18
    assert (h100.bandwidth_bytes_per_s, h200.bandwidth_bytes_per_s) == (3.35e12, 4.8e12)
    assert h100.dense_flops == h200.dense_flops == {"bf16": 989e12, "fp8": 1979e12}
    assert (h100.floor_bytes, h100.system_bytes) == (0, None)


def test_names_without_regard_to_case() -> None:
    assert find_machine("DGX-Spark") == find_machine("dgx-spark")


@pytest.mark.parametrize(
    ("name", "near"),
    [("dgx-sparc", "Did you mean dgx-spark"), ("h100", "Did you mean h100-80gb"), ("zzz", "")],
)
def test_an_unknown_name(name: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"There is no machine '{name}'") as caught:
        find_machine(name)
    hint = caught.value.hint or ""
    assert hint.startswith(near)
    assert all(known in hint for known in NAMES)
    assert ("Did you mean" in hint) == bool(near)


def test_a_name_of_megabytes_is_cut() -> None:
    with pytest.raises(UsageError) as caught:
        find_machine("dgx-spark" * 100_000)
    assert len(str(caught.value)) < 500


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = described(
        tmp_path,
        bandwidth_bytes_per_s="1008 GB/s",
        compute_capability=8.9,
        dense_flops={"bf16": "165 TFLOP/s"},
        gpus=2,
        interconnect_bytes_per_s=32_000_000_000,
        seen_totals=[{"before": "0.12", "total_bytes": "23 GiB"}],
        notes=["under the desk"],
    )
    machine = find_machine(str(file))
    assert machine == load_machine(file) == find_machine(file)
    assert machine.total_bytes == 24 * GIB
    assert machine.bandwidth_bytes_per_s == 1008e9
    assert machine.compute_capability == (8, 9)
    assert machine.dense_flops == {"bf16": 165e12}
    assert machine.interconnect_bytes_per_s == 32e9
    assert machine.seen_totals == (SeenTotal("0.12", 23 * GIB),)
    assert machine.sources == (Source("total_bytes", "nvidia-smi"),)
    assert machine.notes == ("under the desk",)
    assert machine.total_for("0.11") == 23 * GIB


def test_sizes_may_be_bytes(tmp_path: Path) -> None:
    assert load_machine(described(tmp_path, total_bytes=25_769_803_776)).total_bytes == 24 * GIB


def test_only_what_is_needed_is_required(tmp_path: Path) -> None:
    machine = load_machine(described(tmp_path))
    assert (machine.bandwidth_bytes_per_s, machine.max_utilization, machine.sm) == (None,) * 3
    assert (machine.gpus, machine.floor_bytes) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"totl_bytes": 1}, "mine.yaml:9: totl_bytes: unknown key; did you mean 'total_bytes'?"),
        ({"colour": "red"}, "mine.yaml:9: colour: unknown key; expected one of: name, title"),
        ({"dense_flops": {"fp6": 1}}, "mine.yaml:10: dense_flops.fp6: "),
        ({"total_bytes": None}, "mine.yaml:1: total_bytes: this field is required and missing"),
        ({"sources": None}, "sources: this field is required and missing"),
        ({"total_bytes": -1}, "mine.yaml:4: total_bytes: input should be greater than 0 (got -1)"),
        ({"total_bytes": 0}, "total_bytes: input should be greater than 0"),
        ({"total_bytes": "-24 GiB"}, "total_bytes: expected a number, or one with a unit: B, kB"),
        ({"total_bytes": "24 Gb"}, "(got '24 Gb')"),
        ({"total_bytes": True}, "total_bytes: input should be a number"),
        ({"total_bytes": 2**63}, "total_bytes: input should be less than or equal to"),
        ({"total_bytes": 1.5}, "total_bytes: input should be a valid integer"),
        ({"floor_bytes": -1}, "floor_bytes: input should be greater than or equal to 0"),
        ({"bandwidth_bytes_per_s": -273.0}, "bandwidth_bytes_per_s: input should be greater"),
        ({"bandwidth_bytes_per_s": float("inf")}, "input should be a finite number"),
        ({"bandwidth_bytes_per_s": "273 GB"}, "expected a number, or one with a unit: B/s"),
        ({"dense_flops": {"bf16": float("nan")}}, "dense_flops.bf16: input should be"),
        ({"compute_capability": "12"}, "compute_capability"),
        ({"compute_capability": "twelve.one"}, "compute_capability"),
        ({"compute_capability": -8.9}, "compute_capability"),
        ({"device": "tpu"}, "device: input should be 'cuda' or 'cpu' (got 'tpu')"),
        ({"name": "My Machine"}, "name: string should match pattern"),
        ({"gpus": 0}, "gpus: input should be greater than 0"),
        ({"gpus": 3, "nodes": 2}, "gpus (3) must be a multiple of nodes (2)"),
        ({"max_utilization": 1.5}, "max_utilization: input should be less than or equal to 1"),
        ({"max_utilization": 0}, "max_utilization: input should be greater than 0"),
        ({"system_bytes": "1 GiB"}, "system_bytes is for unified memory only"),
        ({"floor_bytes": "24 GiB"}, "leave nothing of total_bytes"),
        ({"seen_totals": [{"before": 0.11, "total_bytes": 1}]}, "seen_totals[0].before: "),
        ({"seen_totals": [{"before": "new", "total_bytes": 1}]}, "string should match pattern"),
    ],
)
def test_what_a_description_may_not_say(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in complaint(described(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "just words", "[", "name: x\n\tdevice: y", b"\xff\xfe"])
def test_files_that_describe_nothing(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert complaint(file).startswith("bad.yaml:")


@pytest.mark.parametrize("path", ["./none.yaml", "none.yml", "/", "a/b\0c"])
def test_files_that_are_not_there(path: str) -> None:
    with pytest.raises(DocumentError, match="this file cannot be read"):
        find_machine(path)
