"""What has to be there of a report, before anything of it is shown or planned again. Pure."""

from typing import Any

import msgspec


class _Step(msgspec.Struct):
    name: str
    state: str
    seconds: float
    why: str | None
    hint: str | None = None


class _Guided(msgspec.Struct):
    claim: str
    says: str
    unit: str
    low: float
    high: float
    measured: float | None
    verdict: str
    why: str | None


class _Figure(msgspec.Struct):
    name: str
    unit: str
    measured: float | None
    planned: float | None
    off: float | None
    tolerance: float
    verdict: str | None
    why: str | None
    guides: list[_Guided]


class _Finding(msgspec.Struct):
    severity: str
    title: str


class _Checked(msgspec.Struct):
    findings: list[_Finding]


class _Summary(msgspec.Struct):
    plan: dict[str, int]
    guides: dict[str, int]


class _Case(msgspec.Struct):
    name: str
    notes: list[str]


class _Bench(msgspec.Struct):
    cases: list[_Case]


class _Measured(msgspec.Struct):
    bench: _Bench | None


class Report(msgspec.Struct):
    """What has to be there of a file that may be somebody else's."""

    kind: str
    format: int
    sparkwell: str
    at: float
    date: str
    model: str
    suite: str
    repeats: int
    whole: bool
    steps: list[_Step]
    machine: dict[str, Any]
    system: dict[str, str | None]
    engine: dict[str, Any] | None
    question: dict[str, Any] | None
    figures: list[_Figure]
    summary: _Summary
    measured: _Measured
    preflight: _Checked | None
    doctor: _Checked | None
