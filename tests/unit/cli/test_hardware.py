"""`sparkwell hardware`: what a person reads, and one JSON document."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sparkwell.cli.main import cli
from sparkwell.core.errors import DocumentError, UsageError
from sparkwell.hardware import detect
from sparkwell.hardware.facts import CpuFacts, Facts, GpuFacts, MemoryFacts, NvmlFacts

GIB = 1024**3
MIB = 1024**2
SPARK = Facts(
    MemoryFacts(127_601_452 * 1024, 115_669_068 * 1024, swap_total_bytes=0),
    CpuFacts(20, "Cortex-A725 + Cortex-X925"),
    NvmlFacts("580.173.02", "13.0", (GpuFacts("NVIDIA GB10", (12, 1)),)),
    vendor="NVIDIA",
    product="NVIDIA_DGX_Spark",
)
H100 = Facts(
    MemoryFacts(128 * GIB, 120 * GIB, swap_total_bytes=8 * GIB, swap_free_bytes=7 * GIB),
    nvml=NvmlFacts(
        "580.159.04",
        "13.0",
        (GpuFacts("NVIDIA H100 80GB HBM3", (9, 0), 81_559 * MIB, 479 * MIB, 70 * GIB),),
    ),
)
NO_GPU = Facts(MemoryFacts(16 * GIB), nvml=NvmlFacts(problem="there is no libnvidia-ml.so.1"))


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["hardware", *words])


def said(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this machine another one."""
    return lambda facts: monkeypatch.setattr(detect, "read_facts", lambda: facts)


def line(text: str, label: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(f"{label} ")]
    return found.removeprefix(label).strip()


def test_this_machine_is_a_dgx_spark(here: Any) -> None:
    here(SPARK)
    text = said()
    assert text.startswith("This machine: NVIDIA DGX Spark")
    assert line(text, "Memory") == "121.69 GiB, shared by CPU and GPU"
    assert line(text, "Available now") == "110.31 GiB"
    assert line(text, "Bandwidth") == "273 GB/s"
    assert line(text, "Capability") == "12.1"
    assert line(text, "NVIDIA driver") == "580.173.02, CUDA up to 13.0"
    assert line(text, "CPU") == "20 x Cortex-A725 + Cortex-X925"
    assert line(text, "Model") == "NVIDIA_DGX_Spark"
    assert line(text, "Swap") == "none"
    assert "seen by engines before" not in text


def test_this_machine_is_an_h100(here: Any) -> None:
    here(H100)
    text = said()
    assert line(text, "Memory") == "79.18 GiB, the GPU's own"
    assert line(text, "Available now") == "70.00 GiB"
    assert line(text, "Swap") == "7.00 GiB free of 8.00 GiB"
    assert line(text, "Model") == "not reported"
    assert "floor" not in text


def test_this_machine_has_no_gpu(here: Any) -> None:
    here(NO_GPU)
    text = said()
    assert line(text, "GPUs") == "none"
    assert line(text, "Bandwidth") == "not reported"
    assert line(text, "Available now") == "not reported"
    assert line(text, "Swap") == "not reported"
    assert line(text, "NVIDIA driver") == "not reported (there is no libnvidia-ml.so.1)"
    assert "Capability" not in text


def test_json_of_this_machine(here: Any) -> None:
    here(SPARK)
    body = json.loads(said("--json"))
    assert body["detected"] is True
    assert (body["name"], body["total_bytes"]) == ("dgx-spark", 127_601_452 * 1024)
    assert (body["compute_capability"], body["sm"], body["gpus"]) == ("12.1", 121, 1)
    assert body["dense_flops"]["fp8"] == 250e12
    assert body["sources"][0]["what"] == "total_bytes"
    facts = body["facts"]
    assert facts["available_bytes"] == 115_669_068 * 1024
    gpu = facts["nvml"]["gpus"][0]
    assert (gpu["compute_capability"], gpu["total_bytes"]) == ("12.1", None)


def test_json_of_a_host_without_a_gpu(here: Any) -> None:
    here(NO_GPU)
    body = json.loads(said("--json"))
    assert (body["device"], body["gpus"], body["compute_capability"]) == ("cpu", 0, None)
    assert body["facts"]["nvml"]["problem"] == "there is no libnvidia-ml.so.1"


def test_a_described_machine() -> None:
    text = said("dgx-spark")
    assert text.startswith("NVIDIA DGX Spark")
    assert "119.67 GiB seen by engines before 0.11" in text
    assert "Available now" not in text
    body = json.loads(said("dgx-spark", "--json"))
    assert (body["detected"], body["facts"]) == (False, None)
    assert body["seen_totals"][0]["before"] == "0.11"


def test_two_machines_as_one() -> None:
    text = said("dgx-spark-x2")
    assert line(text, "GPUs") == "2 in 2 nodes"
    assert line(text, "Memory") == "121.69 GiB each, shared by CPU and GPU"
    assert line(text, "Interconnect") == "25 GB/s"


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ntitle: My machine\ndevice: cuda\ntotal_bytes: 24 GiB\nunified: false\n"
        "sources: [{what: total_bytes, where: nvidia-smi}]\n"
    )
    text = said(str(file))
    assert line(text, "Memory") == "24.00 GiB, the GPU's own"
    unknown = [line(text, label) for label in ("Capability", "Dense compute", "Sleep mode")]
    assert unknown == ["not reported"] * 3
    assert "Notes" not in text


def test_the_list() -> None:
    text = said("--list")
    assert line(text, "dgx-spark").split()[:3] == ["1", "121.69", "GiB"]
    names = [row.split()[0] for row in text.splitlines()]
    assert names == ["MACHINE", "cpu", "dgx-spark", "dgx-spark-x2", "h100-80gb", "h200-141gb"]
    listed = json.loads(said("--list", "--json"))["machines"]
    assert [machine["name"] for machine in listed] == names[1:]


def test_what_cannot_be_shown(tmp_path: Path) -> None:
    assert isinstance(run("dgx-sparc").exception, UsageError)
    assert isinstance(run("--list", "dgx-spark").exception, UsageError)
    assert isinstance(run(str(tmp_path / "none.yaml")).exception, DocumentError)


def test_the_real_machine() -> None:
    assert "Memory" in said()
    assert json.loads(said("--json"))["detected"] is True
