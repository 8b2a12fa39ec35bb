"""From facts to the machine that is planned for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import EnvironmentFault
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.facts import Facts, GpuFacts, MemoryFacts, NvmlFacts
from sparkwell.hardware.recognise import recognise

GIB = 1024**3
MIB = 1024**2
RTX = GpuFacts("NVIDIA GeForce RTX 4090", (8, 9), 24_564 * MIB, 450 * MIB, 24_000 * MIB)


def with_gpus(facts: Facts, *gpus: GpuFacts) -> Facts:
    return replace(facts, nvml=replace(facts.nvml, gpus=gpus))


def test_a_dgx_spark_is_its_description_with_its_own_memory(spark: Facts) -> None:
    machine, described = recognise(spark), find_machine("dgx-spark")
    assert machine.total_bytes == 127_600_748 * 1024
    assert machine.sources[0] == ("total_bytes", "read from this machine: MemTotal")
    same = replace(
        described, total_bytes=machine.total_bytes, seen_totals=(), sources=machine.sources
    )
    assert machine == same


def test_the_memory_that_was_read_holds_for_every_engine(spark: Facts) -> None:
    small = replace(spark, memory=MemoryFacts(total_bytes=125_483_396 * 1024))
    machine = recognise(small)
    assert {machine.total_for(v) for v in (None, "0.10.1.1", "0.31.0")} == {125_483_396 * 1024}


@pytest.mark.parametrize(
    ("product", "family"),
    [
        ("NVIDIA_DGX_Spark", None),
        ("DGX Spark", None),
        ("Dell Pro Max with GB10 FCM1253", None),
        ("HP ZGX Nano G1n AI Station", "DGX Spark"),
    ],
)
def test_a_spark_without_nvml_is_known_by_its_firmware(
    spark: Facts, product: str, family: str | None
) -> None:
    silent = NvmlFacts(problem="Driver Not Loaded")
    machine = recognise(replace(spark, nvml=silent, product=product, family=family))
    assert (machine.name, machine.gpus) == ("dgx-spark", 1)
    assert "NVML does not answer (Driver Not Loaded)" in machine.notes[0]
    assert product in machine.notes[0]


def test_a_gpu_of_another_name_with_sm_12_1_is_a_gb10_with_a_note(spark: Facts) -> None:
    machine = recognise(with_gpus(spark, GpuFacts("NVIDIA N1X", (12, 1))))
    assert machine.name == "dgx-spark"
    assert "NVIDIA N1X" in machine.notes[0]


def test_a_spark_whose_memory_is_unknown_keeps_the_described(spark: Facts) -> None:
    described = find_machine("dgx-spark")
    assert recognise(replace(spark, memory=MemoryFacts())) == described


def test_an_h100_without_what_the_driver_keeps(h100: Facts) -> None:
    machine = recognise(h100)
    assert machine.total_bytes == (81_559 - 479) * MIB
    assert round(machine.total_bytes / GIB, 2) == 79.18
    assert machine.bandwidth_bytes_per_s == 3.35e12
    assert not machine.unified


def test_an_h100_whose_driver_does_not_tell_has_the_measured_total(h100: Facts) -> None:
    gpu = replace(h100.nvml.gpus[0], reserved_bytes=None)
    assert recognise(with_gpus(h100, gpu)) == find_machine("h100-80gb")


def test_several_alike(h100: Facts) -> None:
    (gpu,) = h100.nvml.gpus
    assert recognise(with_gpus(h100, *[gpu] * 8)).gpus == 8


def test_unlike_gpus_are_left_out_and_named(h100: Facts) -> None:
    (gpu,) = h100.nvml.gpus
    machine = recognise(with_gpus(h100, gpu, RTX, gpu))
    assert machine.gpus == 2
    assert machine.notes[0] == "Not planned for: NVIDIA GeForce RTX 4090."


@pytest.mark.parametrize(
    "name", ["NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA H200 NVL", "NVIDIA GH200 480GB"]
)
def test_relatives_are_not_taken_for_one_another(h100: Facts, name: str) -> None:
    machine = recognise(with_gpus(h100, replace(h100.nvml.gpus[0], name=name)))
    assert machine.title == name
    assert machine.bandwidth_bytes_per_s is None


def test_an_h200(h100: Facts) -> None:
    gpu = GpuFacts("NVIDIA H200", (9, 0), 143_771 * MIB, 600 * MIB)
    machine = recognise(with_gpus(h100, gpu))
    assert (machine.name, machine.total_bytes) == ("h200-141gb", 143_171 * MIB)


def test_another_gpu_is_what_nvml_says(h100: Facts) -> None:
    machine = recognise(with_gpus(h100, RTX))
    assert machine.name == "nvidia-geforce-rtx-4090"
    assert machine.total_bytes == (24_564 - 450) * MIB
    assert (machine.sm, machine.device, machine.unified) == (89, "cuda", False)
    unknown = (machine.bandwidth_bytes_per_s, machine.max_utilization, machine.sleep_mode_safe)
    assert unknown == (None, None, None)
    assert machine.dense_flops == {}


def test_the_total_of_an_old_driver_comes_with_a_note(h100: Facts) -> None:
    machine = recognise(with_gpus(h100, replace(RTX, reserved_bytes=None)))
    assert machine.total_bytes == 24_564 * MIB
    assert "which the driver keeps" in machine.notes[0]


def test_a_gpu_without_memory_of_its_own_shares_the_systems(h100: Facts) -> None:
    machine = recognise(with_gpus(h100, GpuFacts("NVIDIA Thor", (11, 0))))
    assert (machine.unified, machine.total_bytes) == (True, 128 * GIB)


def test_a_gpu_that_tells_nothing(h100: Facts) -> None:
    machine = recognise(with_gpus(h100, GpuFacts()))
    assert (machine.name, machine.compute_capability) == ("unnamed-nvidia-gpu", None)


def test_no_gpu() -> None:
    facts = Facts(MemoryFacts(16 * GIB), nvml=NvmlFacts(problem="there is no libnvidia-ml.so.1"))
    machine = recognise(facts)
    assert (machine.name, machine.device, machine.total_bytes) == ("cpu", "cpu", 16 * GIB)
    assert (machine.bandwidth_bytes_per_s, machine.sm) == (None, None)


@pytest.mark.parametrize("gpus", [(), (GpuFacts("NVIDIA Thor", (11, 0)),)])
def test_without_any_memory_there_is_nothing_to_plan(gpus: tuple[GpuFacts, ...]) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be read from /proc/meminfo") as caught:
        recognise(Facts(nvml=NvmlFacts(gpus=gpus)))
    assert "sparkwell hardware --list" in (caught.value.hint or "")


sizes = st.none() | st.integers(1, 2**50)
gpus = st.builds(
    GpuFacts,
    st.none() | st.text(max_size=20) | st.sampled_from(["NVIDIA GB10", "NVIDIA H200"]),
    st.none() | st.tuples(st.integers(0, 20), st.integers(0, 9)),
    sizes,
    sizes,
    sizes,
)


@given(st.lists(gpus, max_size=3), st.none() | st.text(max_size=20))
def test_whatever_was_found_there_is_a_machine(found: list[GpuFacts], product: str | None) -> None:
    facts = Facts(MemoryFacts(64 * GIB), nvml=NvmlFacts(gpus=tuple(found)), product=product)
    machine = recognise(facts)
    assert machine.total_bytes > 0
    assert 1 <= machine.gpus <= max(1, len(found))
