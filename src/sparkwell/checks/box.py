"""Is the box well: what has failed, who watches the memory, how much of it is left. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sparkwell.checks.box_about import (
    AS_ROOT,
    FREE_SOME,
    GUARD_CANNOT_END,
    GUARD_MISSING,
    GUARD_UNPROTECTED,
    KEYS_LOST,
    OPEN_TO_ALL,
    UNDER_FLOOR,
)
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import GIB

OFTEN = 3
"""Restarts within an hour from which on somebody should look."""


@dataclass(frozen=True, slots=True)
class FailedModel:
    """A model whose start failed, or whose engine ended by itself, and why."""

    model: str
    error: str
    hint: str | None = None
    last_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BoxState:
    """The box at one moment; None where it is unknown.

    ``guarded`` is whether the memory guard runs, where it should (``guard_wanted``), and
    ``protected`` whether the kernel spares it when memory runs out. ``cannot_end`` are models that
    it could not end, with the reasons. ``floor_bytes`` is what has to stay available.
    ``restarts`` are those of the last hour, by model. ``open_to_all`` is the address where
    everybody is served without a key, None where keys are asked for. ``keys_lost`` says in a
    sentence that there have been keys and where they should be, None where none are missing.
    """

    failed: tuple[FailedModel, ...] = ()
    guard_wanted: bool = False
    guarded: bool | None = None
    protected: bool | None = None
    cannot_end: tuple[tuple[str, str], ...] = ()
    available_bytes: int | None = None
    floor_bytes: int | None = None
    restarts: tuple[tuple[str, int], ...] = ()
    open_to_all: str | None = None
    keys_lost: str | None = None


def look_at(box: BoxState) -> tuple[Finding, ...]:
    """All findings, what endangers the host first."""
    return (*_memory(box), *failed(box.failed), *_guard(box), *_restarts(box), *_door(box))


def failed(models: Iterable[FailedModel]) -> Iterator[Finding]:
    """A finding for each model that failed."""
    for each in models:
        name = each.model
        hinted = [Remedy(each.hint)] if each.hint else []
        yield Finding(
            "model-failed",
            Severity.ERROR,
            f"{name} failed",
            evidence=each.last_lines[-3:],
            cause=each.error,
            remedies=(
                *hinted,
                Remedy("Read the errors in its log.", f"sparkwell logs {name} --errors"),
                Remedy("Try again.", f"sparkwell up {name}"),
            ),
        )


def _guard(box: BoxState) -> Iterator[Finding]:
    if box.guard_wanted and box.guarded is False:
        yield GUARD_MISSING.finding()
    elif box.guard_wanted and box.protected is False:
        yield GUARD_UNPROTECTED.finding()
    if box.guard_wanted and box.guarded and box.cannot_end:
        yield _out_of_reach(box.cannot_end)


def _out_of_reach(models: tuple[tuple[str, str], ...]) -> Finding:
    names = ", ".join(model for model, _ in models)
    return Finding(
        GUARD_CANNOT_END.id,
        GUARD_CANNOT_END.severity,
        f"The memory guard cannot end {names}",
        evidence=tuple(f"{model}: {why}" for model, why in models),
        cause=GUARD_CANNOT_END.cause,
        remedies=(
            AS_ROOT,
            Remedy(f"Until then stop it before memory runs out: `sparkwell down {models[0][0]}`."),
        ),
    )


def _memory(box: BoxState) -> Iterator[Finding]:
    available, floor = box.available_bytes, box.floor_bytes
    if available is None or floor is None or available >= floor:
        return
    yield Finding(
        UNDER_FLOOR,
        Severity.ERROR,
        f"Only {available / GIB:.1f} GiB of memory are available",
        evidence=(f"available {available / GIB:.1f} GiB, floor {floor / GIB:.1f} GiB",),
        cause="The memory guard ends the newest engine when this lasts.",
        remedies=FREE_SOME,
    )


def _restarts(box: BoxState) -> Iterator[Finding]:
    for model, count in box.restarts:
        if count >= OFTEN:
            yield Finding(
                "crash-loop",
                Severity.WARNING,
                f"{model} was started again {count} times in the last hour",
                cause="It fails, comes back and fails again; each time takes memory and time.",
                remedies=(
                    Remedy(
                        "The first failure is often the cause of the others.",
                        f"sparkwell logs {model} --first-failure",
                    ),
                    Remedy("Read what happened.", f"sparkwell events --model {model}"),
                ),
            )


def _door(box: BoxState) -> Iterator[Finding]:
    if box.keys_lost is not None:
        yield KEYS_LOST.finding(box.keys_lost)
    if box.open_to_all is not None:
        yield OPEN_TO_ALL.finding(f"gateway.auth: none on {box.open_to_all}")
