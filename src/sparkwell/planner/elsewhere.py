"""What would make a plan fit elsewhere: alone, on more GPUs, in fewer bits, on another machine."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.planner.fit import UTILIZATION, Case, Flags, largest_safe_utilization
from sparkwell.planner.online import in_format
from sparkwell.planner.trouble import Advice, Change, Trouble, addition, first_that_helps


def alone(trouble: Trouble) -> Iterator[Advice]:
    """Without what runs beside it."""
    beside = trouble.case.beside_bytes
    change = _somehow(replace(trouble.case, beside_bytes=0), trouble.flags) if beside else None
    if change is not None:
        said = f"Stop what holds {beside / GIB:.1f} GiB beside it"
        yield trouble.advice("alone", f"{said}{addition(change)}.", change)


def more_gpus(trouble: Trouble) -> Iterator[Advice]:
    """Shared by more of the machine's GPUs."""
    case = trouble.case
    if case.plan(trouble.flags)[0].gpus > 1:
        return
    heads = case.described.shape.num_attention_heads
    counts = [each for each in (2, 4, 8, 16) if each <= case.machine.gpus and heads % each == 0]
    yield from first_that_helps(trouble, "more-gpus", "tensor_parallel_size", counts)


def smaller_sibling(trouble: Trouble) -> Iterator[Advice]:
    """The same model in a format with fewer bits, the most bits that fit."""
    case, own = trouble.case, trouble.case.described.quantization.weight_bits
    known = [(in_format(case.described, name), repo) for name, repo in trouble.siblings.items()]
    smaller = [(each, repo) for each, repo in known if each and each.quantization.weight_bits < own]
    flags = {name: value for name, value in trouble.flags.items() if name != "quantization"}
    for described, repo in sorted(smaller, key=lambda pair: -pair[0].quantization.weight_bits):
        change = _somehow(replace(case, described=described, calibration=None), flags)
        if change is not None:
            bits = described.quantization.weight_bits
            size = described.parts.total / GIB
            said = f"Take {repo}{addition(change)}: {bits} bits, {size:.1f} GiB of weights."
            yield trouble.advice("quantized-repository", said, change)
            return


def other_machine(trouble: Trouble) -> Iterator[Advice]:
    """The smallest other machine that takes these flags."""
    others = [each for each in trouble.others if each.device == "cuda"]
    for machine in sorted(others, key=lambda each: (each.total_bytes * each.gpus, each.name)):
        case = trouble.case.on(machine)
        change = _somehow(case, trouble.flags)
        if change is None and machine.gpus > 1:
            change = _somehow(case, trouble.flags, {"tensor_parallel_size": machine.gpus})
        if change is not None:
            said = f"On {machine.name} ({machine.title}) it fits{addition(change, 'with')}."
            yield trouble.advice("other-machine", said, change)
            return


def _somehow(case: Case, flags: Flags, change: Change | None = None) -> Change | None:
    """The change with which it fits there, with another share if it takes one, else None.

    None as well where the flags mean nothing there: more GPUs, or more bytes, than it has.
    """
    whole = {**flags, **(change or {})}
    try:
        if case.fits(whole):
            return change or {}
        share = largest_safe_utilization(case, whole)
    except UsageError:
        return None
    return None if share is None else {**(change or {}), UTILIZATION: share}
