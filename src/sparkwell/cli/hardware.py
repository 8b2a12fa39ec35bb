"""`sparkwell hardware`."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from sparkwell.cli.context import json_option
from sparkwell.cli.table import table
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.hardware.facts import Facts, MemoryFacts, NvmlFacts
from sparkwell.hardware.machine import Machine

UNKNOWN = "not reported"


@click.command(short_help="Show this machine, or one that is described.")
@click.argument("machine", metavar="[NAME|FILE]", required=False)
@click.option("--list", "as_list", is_flag=True, help="List the machines that come with Sparkwell.")
@json_option
def hardware(machine: str | None, as_list: bool, as_json: bool) -> None:
    """Show this machine as a planner sees it, or a described one by NAME or YAML FILE."""
    if as_list and machine:
        raise UsageError(
            "--list shows all machines, not one.", hint=f"Leave out --list, or {machine}."
        )
    if as_list:
        _list(as_json)
    elif machine is not None:
        _show_described(machine, as_json)
    else:
        _show_this(as_json)


def _show_described(name_or_file: str, as_json: bool) -> None:
    from sparkwell.hardware.description import find_machine

    _show(find_machine(name_or_file), None, as_json)


def _show_this(as_json: bool) -> None:
    from sparkwell.hardware.detect import read_facts
    from sparkwell.hardware.recognise import recognise

    facts = read_facts()
    _show(recognise(facts), facts, as_json)


def _list(as_json: bool) -> None:
    from sparkwell.hardware.description import shipped_machines

    machines = list(shipped_machines())
    if as_json:
        click.echo(json.dumps({"machines": [_entry(machine) for machine in machines]}))
        return
    rows = [_row(machine) for machine in machines]
    head = ("MACHINE", "GPUS", "MEMORY", "BANDWIDTH", "SM", "WHAT IT IS")
    click.echo(table(head, rows))


def _row(machine: Machine) -> tuple[str, ...]:
    return (
        machine.name,
        str(_gpus(machine)),
        _gib(machine.total_bytes),
        _rate(machine.bandwidth_bytes_per_s) if machine.bandwidth_bytes_per_s else "-",
        str(machine.sm or "-"),
        machine.title,
    )


def _show(machine: Machine, facts: Facts | None, as_json: bool) -> None:
    if as_json:
        found = _facts_entry(machine, facts) if facts else None
        click.echo(json.dumps({**_entry(machine), "detected": bool(facts), "facts": found}))
        return
    click.echo(f"{'This machine: ' if facts else ''}{machine.title}\n")
    for label, value in [*_figures(machine), *(_live(machine, facts) if facts else [])]:
        click.echo(f"{label:<15}{value}")
    _bullets("Notes", machine.notes)
    _bullets("Sources", [f"{what}: {where}" for what, where in machine.sources])


def _entry(machine: Machine) -> dict[str, Any]:
    """The machine as JSON: its own fields, the compute capability as people write it."""
    return {
        **asdict(machine),
        "gpus": _gpus(machine),
        "compute_capability": _capability(machine.compute_capability),
        "sm": machine.sm,
        "sources": [source._asdict() for source in machine.sources],
    }


def _facts_entry(machine: Machine, facts: Facts) -> dict[str, Any]:
    entry = asdict(facts)
    for gpu, found in zip(entry["nvml"]["gpus"], facts.nvml.gpus, strict=True):
        gpu["compute_capability"] = _capability(found.compute_capability)
    return {**entry, "available_bytes": _available_bytes(machine, facts)}


def _figures(machine: Machine) -> list[tuple[str, str]]:
    """What a description says, line by line."""
    each = " each" if _gpus(machine) > 1 else ""
    return [
        ("Name", machine.name),
        ("Memory", f"{_gib(machine.total_bytes)}{each}, {_whose(machine)}"),
        *(
            ("", f"{_gib(seen.total_bytes)} seen by engines before {seen.before}")
            for seen in machine.seen_totals
        ),
        ("Bandwidth", _rate(machine.bandwidth_bytes_per_s)),
        ("GPUs", _count(machine)),
        *(_gpu_figures(machine) if machine.device == "cuda" else []),
    ]


def _gpu_figures(machine: Machine) -> list[tuple[str, str]]:
    safe = {True: "safe", False: "not safe; see the notes", None: UNKNOWN}
    lines = [
        ("Capability", _capability(machine.compute_capability) or UNKNOWN),
        ("Dense compute", _flops(machine)),
        ("Sleep mode", safe[machine.sleep_mode_safe]),
    ]
    if machine.max_utilization is not None:
        lines.append(("Utilization", f"at most {machine.max_utilization:g}"))
    if machine.gpus > 1:
        lines.append(("Interconnect", _rate(machine.interconnect_bytes_per_s)))
    if machine.unified:
        lines.append(("Held by system", _gib(machine.system_bytes)))
        lines.append(("Guard's floor", _gib(machine.floor_bytes)))
    return lines


def _live(machine: Machine, facts: Facts) -> list[tuple[str, str]]:
    """What only the machine itself can say."""
    return [
        ("Available now", _gib(_available_bytes(machine, facts))),
        ("Swap", _swap(facts.memory)),
        ("NVIDIA driver", _driver(facts.nvml)),
        ("CPU", f"{facts.cpu.count or UNKNOWN} x {facts.cpu.model or UNKNOWN}"),
        ("Model", facts.product or facts.vendor or UNKNOWN),
    ]


def _driver(nvml: NvmlFacts) -> str:
    cuda = f", CUDA up to {nvml.cuda_version}" if nvml.cuda_version else ""
    problem = f" ({nvml.problem})" if nvml.problem else ""
    return f"{nvml.driver_version or UNKNOWN}{cuda}{problem}"


def _swap(memory: MemoryFacts) -> str:
    if memory.swap_total_bytes == 0:
        return "none"
    if memory.swap_total_bytes is None:
        return UNKNOWN
    return f"{_gib(memory.swap_free_bytes)} free of {_gib(memory.swap_total_bytes)}"


def _available_bytes(machine: Machine, facts: Facts) -> int | None:
    """What an engine could take now, in bytes: of the GPU's own memory, else of the system's."""
    if machine.unified or not facts.nvml.gpus:
        return facts.memory.available_bytes
    return facts.nvml.gpus[0].free_bytes


def _whose(machine: Machine) -> str:
    if machine.device == "cpu":
        return "the system's"
    return "shared by CPU and GPU" if machine.unified else "the GPU's own"


def _count(machine: Machine) -> str:
    nodes = f" in {machine.nodes} nodes" if machine.nodes > 1 else ""
    return f"{_gpus(machine) or 'none'}{nodes}"


def _gpus(machine: Machine) -> int:
    """GPUs alone; a Machine counts the CPU of a host without one as its device."""
    return machine.gpus if machine.device == "cuda" else 0


def _capability(capability: tuple[int, int] | None) -> str | None:
    return ".".join(map(str, capability)) if capability else None


def _flops(machine: Machine) -> str:
    formats = [f"{name.upper()} {value / 1e12:,.0f}" for name, value in machine.dense_flops.items()]
    return f"{', '.join(formats)} TFLOP/s" if formats else UNKNOWN


def _gib(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count / GIB:.2f} GiB"


def _rate(bytes_per_s: float | None) -> str:
    return UNKNOWN if bytes_per_s is None else f"{bytes_per_s / 1e9:,.0f} GB/s"


def _bullets(title: str, lines: Iterable[str]) -> None:
    texts = list(lines)
    if texts:
        click.echo("\n".join([f"\n{title}", *(f"  - {text}" for text in texts)]))
