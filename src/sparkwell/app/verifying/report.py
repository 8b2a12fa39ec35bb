"""The report of a verification as a document: what was asked, done, planned, claimed, measured.

Pure. Names carry their units; what is None is not known. With ``question`` in it a planner can
plan the same start again, on any machine (``again.py``).
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

import sparkwell
from sparkwell.app.verifying.figures import Figure, planned_phases
from sparkwell.app.verifying.gathered import Gathered
from sparkwell.catalog.described import Described
from sparkwell.hardware.machine import Machine
from sparkwell.planner.plan import Plan
from sparkwell.planner.report import contract

FORMAT = 1
KIND = "sparkwell-verify"
Json = dict[str, Any]
DESCRIBED: TypeAdapter[Described] = TypeAdapter(Described)
MACHINE: TypeAdapter[Machine] = TypeAdapter(Machine)


def report(
    found: Gathered, rows: Sequence[Figure], claims: Iterable[Mapping[str, Any]], *, requests: bool
) -> Json:
    """The document; with ``requests`` every request of the measurement stands in it."""
    failed = found.failed
    return {
        "kind": KIND,
        "format": FORMAT,
        "sparkwell": sparkwell.__version__,
        "at": found.at,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.at)),
        "model": found.model,
        "repo": None if found.plan is None else found.plan.question.described.repo,
        "suite": found.suite,
        "repeats": found.repeats,
        "whole": failed is None,
        "failed": None if failed is None else {"step": failed.name, "why": failed.why},
        "steps": [each.to_json() for each in found.steps],
        "machine": MACHINE.dump_python(found.machine, mode="json"),
        "system": dict(found.system),
        "engine": _engine(found),
        "question": None if found.plan is None else question(found.plan),
        "plan": None if found.plan is None else contract(found.plan, claims),
        "figures": [_figure(each) for each in rows],
        "summary": summary(rows),
        "measured": {
            "start": found.started.to_json(),
            "start_planned": None if found.plan is None else _phases(found),
            "bench": None if found.bench is None else bench_part(found.bench, requests=requests),
        },
        "preflight": found.preflight,
        "doctor": found.doctor,
    }


def _phases(found: Gathered) -> dict[str, float]:
    """What was expected of each phase that stands beside it."""
    assert found.plan is not None  # noqa: S101 - report() has looked
    return planned_phases(found.plan, warm=found.started.warm is True)


def question(plan: Plan) -> Json:
    """What has to be known to plan it again; the machine stands in the report beside it."""
    q = plan.question
    return {
        "described": DESCRIBED.dump_python(q.described, mode="json"),
        "engine": q.rules.engine,
        "engine_version": q.rules.version,
        "flags": dict(q.flags),
        "sleep_level": q.sleep_level,
    }


def summary(rows: Iterable[Figure]) -> Json:
    """How many verdicts of each kind there are, on the plan and on the guides."""
    rows = list(rows)
    return {
        "plan": _counts(row.verdict for row in rows),
        "guides": _counts(each.verdict for row in rows for each in row.guides),
    }


def _counts(told: Iterable[str | None]) -> dict[str, int]:
    counts = {"holds": 0, "does not hold": 0, "not measured": 0}
    for each in filter(None, told):
        counts[each] += 1
    return counts


def _figure(row: Figure) -> Json:
    """A figure: measured, planned, claimed, side by side."""
    return {
        "key": row.key,
        "name": row.name,
        "unit": row.unit,
        "measured": row.measured,
        "planned": row.planned,
        "off": row.off,
        "tolerance": row.tolerance,
        "verdict": row.verdict,
        "why": row.why,
        "guides": [asdict(each) for each in row.guides],
    }


def _engine(found: Gathered) -> Json | None:
    """The run in the daemon's words, without where it lies."""
    told = found.instance
    if told is None:
        return None
    names = ("driver", "engine", "engine_version", "image", "back_end", "flags")
    return {**{name: told.get(name) for name in names}, "ran_before": found.ran_before}


def bench_part(bench: Mapping[str, Any], *, requests: bool) -> Json:
    """The measurement without its URL and its command line; with ``requests`` each of them."""
    left_out = ("url", "command")
    part = {name: value for name, value in bench.items() if name not in left_out}
    part["cases"] = [_case(case, requests=requests) for case in bench["cases"]]
    versions = part["versions"]
    part["versions"] = {**versions, "system": _short_system(versions.get("system"))}
    return part


def short_release(release: str) -> str:
    """A kernel's "6.8" of "6.8.0-1012-nvidia": what follows may name who built the machine."""
    return ".".join(release.partition("-")[0].split(".")[:2])


def _short_system(system: str | None) -> str | None:
    """The same of "Linux-6.8.0-1012-nvidia-aarch64-with-glibc2.39"; None where nothing is known."""
    if system is None:
        return None
    name, _, rest = system.partition("-")
    release = short_release(rest)
    _, known, libc = rest.rpartition("-with-")
    return f"{name}-{release}" + (f"{known}{libc}" if known else "")


def _case(case: Mapping[str, Any], *, requests: bool) -> Json:
    lists = {name: _slim(case[name]) for name in ("repeats", "set_aside") if name in case}
    return dict(case) if requests else {**case, **lists}


def _slim(repeats: Iterable[Mapping[str, Any]]) -> list[Json]:
    return [{name: each[name] for name in each if name != "requests"} for each in repeats]
