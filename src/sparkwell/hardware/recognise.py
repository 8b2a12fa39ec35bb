"""Facts to a machine: which description fits, and what was measured here instead."""

import re
from dataclasses import replace

from sparkwell.core.errors import EnvironmentFault
from sparkwell.hardware.facts import Facts, GpuFacts
from sparkwell.hardware.machine import Machine, Source

# Exact names, as NVML gives them: the PCIe and NVL cards of both have other memory and speed, and
# a GH200 is no H200.
_BY_GPU_NAME = {"NVIDIA H100 80GB HBM3": "h100-80gb", "NVIDIA H200": "h200-141gb"}
_GB10_CAPABILITY = (12, 1)
_LIVE = "read from this machine"


def recognise(facts: Facts) -> Machine:
    """The machine that these facts are of.

    A known one is its shipped description with the totals of this machine; of another, only what
    the facts say. Raises EnvironmentFault when not even the memory is known.
    """
    gpu = facts.nvml.gpus[0] if facts.nvml.gpus else None
    if _is_gb10(gpu, facts):
        return _spark(gpu, facts)
    if gpu is None:
        return _cpu_host(facts)
    if gpu.name in _BY_GPU_NAME:
        return _described_gpu(gpu, facts)
    return _other_gpu(gpu, facts)


def _is_gb10(gpu: GpuFacts | None, facts: Facts) -> bool:
    """By its GPU; without an answer from NVML, by what the firmware calls the machine."""
    if gpu is None:
        return any(_names_a_spark(name) for name in (facts.product, facts.family))
    return "GB10" in (gpu.name or "") or gpu.compute_capability == _GB10_CAPABILITY


def _names_a_spark(name: str | None) -> bool:
    """NVIDIA's own says NVIDIA_DGX_Spark; the makers' have "DGX Spark" as family, some GB10."""
    letters = re.sub(r"[^a-z0-9]", "", (name or "").lower())
    return "dgxspark" in letters or "gb10" in letters


def _spark(gpu: GpuFacts | None, facts: Facts) -> Machine:
    machine = _with_total(_shipped("dgx-spark"), facts.memory.total_bytes, "MemTotal")
    notes = (*_doubts(gpu, facts), *machine.notes)
    return replace(machine, gpus=_like_the_first(facts) or 1, notes=notes)


def _doubts(gpu: GpuFacts | None, facts: Facts) -> tuple[str, ...]:
    """What a user must know where a GB10 was recognised by less than its name."""
    if gpu is None:
        name = facts.product or facts.family
        why = facts.nvml.problem or "no GPU"
        return (f"NVML does not answer ({why}); known as a DGX Spark by its DMI name {name!r}.",)
    if "GB10" not in (gpu.name or ""):
        name = gpu.name or "nothing"
        return (f"NVML calls the GPU {name}; its SM 12.1 is a GB10's, so a GB10's figures hold.",)
    return ()


def _described_gpu(gpu: GpuFacts, facts: Facts) -> Machine:
    machine = _with_total(_shipped(_BY_GPU_NAME[gpu.name or ""]), gpu.usable_bytes, "NVML")
    notes = (*_other_cards(facts), *machine.notes)
    return replace(machine, gpus=_like_the_first(facts), notes=notes)


def _other_gpu(gpu: GpuFacts, facts: Facts) -> Machine:
    """A GPU without memory of its own in NVML shares the system's (GB10, Jetson)."""
    unified = gpu.total_bytes is None
    notes = _other_cards(facts)
    if unified:
        notes += ("NVML reports no memory for this GPU; it is taken to share the system's.",)
    elif gpu.reserved_bytes is None:
        notes += ("The total is NVML's; an engine sees up to 1 % less, which the driver keeps.",)
    title = gpu.name or "unnamed NVIDIA GPU"
    return Machine(
        name=_slug(title),
        title=title,
        device="cuda",
        total_bytes=_system_total(facts) if unified else gpu.usable_bytes or gpu.total_bytes or 0,
        unified=unified,
        compute_capability=gpu.compute_capability,
        gpus=_like_the_first(facts),
        sources=(Source("total_bytes", f"{_LIVE}: {'MemTotal' if unified else 'NVML'}"),),
        notes=notes,
    )


def _cpu_host(facts: Facts) -> Machine:
    return Machine(
        name="cpu",
        title="host without an NVIDIA GPU",
        device="cpu",
        total_bytes=_system_total(facts),
        unified=True,
        sources=(Source("total_bytes", f"{_LIVE}: MemTotal"),),
    )


def _with_total(machine: Machine, total_bytes: int | None, by: str) -> Machine:
    """The description with what is really there; then no version sees anything else."""
    if total_bytes is None:
        return machine
    described = tuple(source for source in machine.sources if source.what != "total_bytes")
    sources = (Source("total_bytes", f"{_LIVE}: {by}"), *described)
    return replace(machine, total_bytes=total_bytes, seen_totals=(), sources=sources)


def _like_the_first(facts: Facts) -> int:
    """GPUs of the same name as the first; an engine is not spread over unlike ones."""
    gpus = facts.nvml.gpus
    return sum(gpu.name == gpus[0].name for gpu in gpus)


def _other_cards(facts: Facts) -> tuple[str, ...]:
    gpus = facts.nvml.gpus
    others = [gpu.name or "unnamed" for gpu in gpus if gpu.name != gpus[0].name]
    return (f"Not planned for: {', '.join(others)}.",) if others else ()


def _system_total(facts: Facts) -> int:
    if facts.memory.total_bytes is None:
        raise EnvironmentFault(
            "The memory of this machine cannot be read from /proc/meminfo.",
            hint="Name a machine, or give a YAML file that describes this one; "
            "`sparkwell hardware --list` shows what there is.",
        )
    return facts.memory.total_bytes


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "gpu"


def _shipped(name: str) -> Machine:
    """Imported here: a host without a described GPU needs neither pydantic nor YAML."""
    from sparkwell.hardware.description import find_machine  # noqa: PLC0415

    return find_machine(name)
