"""Whether the memory of an ended engine has come back: judged from looks at the machine. Pure.

An engine's memory comes back a while after its last process: the driver frees it. Most often it
takes less than a second. Where it does not come back, that may be another program's doing; only
when nothing explains it is the word "reboot" said, and then as a suspicion with its evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sparkwell.core.units import GIB, MIB

SUSPECT_S = 120.0
GIVE_UP_S = 600.0
"""So long what an engine that nobody accounts for may hold is waited for."""
NOTICE_S = 5.0
_LEAST_TOLERANCE = 512 * MIB
_TOLERANCE_SHARE = 0.01
_OVER_PLAN = 0.06
"""How much more than its plan an engine beside may hold, as a share of it. On an H100 with vLLM
0.25.0 and sleep mode it was 1.6 GiB of 56.0, and after waking from level 2 it is up to 1.5 GiB more
(docs/switching-back-ends.md, 2026-11-21); 1% of the GPU alone was too little for that."""


@dataclass(frozen=True, slots=True)
class Look:
    """The machine's memory at one moment; bytes. None is unknown.

    ``available_bytes`` is what engines could take. ``others_bytes`` is what the kernel
    knows that programs hold, and itself; memory that an engine's driver keeps is not in it.
    """

    at: float
    available_bytes: int
    others_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the memory was before an engine started, and so should be again after it.

    ``newer_bytes`` is what started after it holds by its plan.
    """

    look: Look
    newer_bytes: int = 0

    @property
    def expected_bytes(self) -> int:
        """What should be available again."""
        return self.look.available_bytes - self.newer_bytes


class Verdict(StrEnum):
    """What the looks so far come to."""

    BACK = "back"  # the memory is there again
    WAIT = "wait"
    EXPLAINED = "explained"  # other programs have taken what is missing
    SUSPECT = "suspect"  # nothing explains it
    UNEXPLAINED = "unexplained"  # an engine that nobody accounts for may hold it, for long by now


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its figures: bytes that are missing, and bytes that others have taken."""

    verdict: Verdict
    missing_bytes: int
    others_bytes: int | None
    waited_s: float


def tolerance_bytes(total_bytes: int, newer_bytes: int = 0) -> int:
    """How far under its baseline memory may stay.

    The system's own needs vary, and what started since (``newer_bytes`` by plan) may hold more.
    """
    usual = max(_LEAST_TOLERANCE, int(_TOLERANCE_SHARE * total_bytes))
    return usual + int(_OVER_PLAN * newer_bytes)


def judge(
    baseline: Baseline, looks: Sequence[Look], total_bytes: int, *, engines_left: bool
) -> Judgement:
    """What the looks since the end of an engine say; the last one is now.

    ``engines_left`` tells whether a process or container of an engine remains that is not
    accounted for: then nothing is suspected, and after ``GIVE_UP_S`` it is not waited for.
    """
    last = looks[-1]
    waited_s = last.at - looks[0].at
    missing = baseline.expected_bytes - last.available_bytes
    tolerance = tolerance_bytes(total_bytes, baseline.newer_bytes)
    others = _taken_by_others(baseline.look, last)
    if missing <= tolerance:
        return Judgement(Verdict.BACK, max(0, missing), others, waited_s)
    if others is not None and missing - others <= tolerance:
        return Judgement(Verdict.EXPLAINED, missing, others, waited_s)
    return Judgement(_unless_back(waited_s, engines_left=engines_left), missing, others, waited_s)


def _unless_back(waited_s: float, *, engines_left: bool) -> Verdict:
    if engines_left:
        return Verdict.UNEXPLAINED if waited_s >= GIVE_UP_S else Verdict.WAIT
    return Verdict.SUSPECT if waited_s >= SUSPECT_S else Verdict.WAIT


def words_of(judgement: Judgement, model: str, baseline: Baseline, last: Look) -> str:
    """A sentence with the evidence."""
    expected, now = baseline.expected_bytes / GIB, last.available_bytes / GIB
    figures = f"{now:.1f} GiB available, {expected:.1f} were before it started"
    waited = f"{judgement.waited_s:.1f} s after the end of {model}"
    match judgement.verdict:
        case Verdict.BACK:
            return f"Memory is back {waited}: {figures}"
        case Verdict.EXPLAINED:
            taken = (judgement.others_bytes or 0) / GIB
            return f"Other programs have taken {taken:.1f} GiB since ({figures})"
        case Verdict.WAIT:
            return f"Memory is not back {waited}: {figures}"
        case Verdict.UNEXPLAINED:
            return (
                f"Memory has not come back {waited}: {figures}. An engine that nobody accounts "
                "for may hold it; it is not waited for any longer"
            )
        case Verdict.SUSPECT:
            return (
                f"Memory has not come back {waited}: {figures}, no engine's process or container "
                "is left, and other programs have not taken it. A reboot may be needed"
            )


def _taken_by_others(before: Look, now: Look) -> int | None:
    if before.others_bytes is None or now.others_bytes is None:
        return None
    return max(0, now.others_bytes - before.others_bytes)
