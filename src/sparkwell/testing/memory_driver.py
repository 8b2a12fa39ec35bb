"""A driver without processes: what runs, what it says and how it ends is what a test says."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sparkwell.core.errors import ConflictError, SparkwellError, UsageError
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running
from sparkwell.drivers.ended import latest_first, surplus


@dataclass(slots=True)
class _Run:
    """One instance, from its start to its end."""

    running: Running
    lines: list[str] = field(default_factory=list)
    record: ExitRecord | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


class MemoryDriver:
    """The Driver protocol over a dictionary.

    ``refusal`` is raised by every start while it is set. ``gate`` holds starts back while it is
    clear, ``stop_gate`` stops. ``launched`` and ``stopped`` list what was asked for, in order.
    """

    name = "memory"

    def __init__(self) -> None:
        self.refusal: Exception | None = None
        self.gate = _open_gate()
        self.stop_gate = _open_gate()
        self.launched: list[str] = []
        self.stopped: list[str] = []
        self._runs: dict[str, _Run] = {}

    # ── what a test does to it ──────────────────────────────────────────────────────────────

    def leave(self, spec: LaunchSpec) -> None:
        """Pretend that an earlier daemon has started this instance."""
        number = len(self._runs) + 1
        self._runs[spec.instance] = _Run(Running(spec, number, number, time.time()))

    async def say(self, instance: str, line: str) -> None:
        """Let the engine write a line."""
        run = self._run(instance)
        async with run.changed:
            run.lines.append(line)
            run.changed.notify_all()

    async def end(
        self,
        instance: str,
        *,
        code: int | None = 0,
        signal: int | None = None,
        requested: bool = False,
    ) -> ExitRecord:
        """Let the engine end, by itself unless ``requested``."""
        run = self._run(instance)
        async with run.changed:
            last = tuple(run.lines[-5:])
            run.record = run.record or ExitRecord(code, signal, requested, time.time(), last)
            run.changed.notify_all()
        return run.record

    # ── the protocol ────────────────────────────────────────────────────────────────────────

    def endpoint(self, instance: str) -> Endpoint:
        """Where it would answer, if anybody did."""
        return Endpoint(uds=f"/nowhere/{instance}.sock")

    def endpoint_for(self, instance: str, *, container: bool) -> Endpoint:  # noqa: ARG002
        """The same for a container."""
        return self.endpoint(instance)

    async def start(self, spec: LaunchSpec) -> Running:
        """Begin a run; an id is good for one run, for ever."""
        self.launched.append(spec.instance)
        await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        if spec.instance in self._runs:
            raise ConflictError(f"Instance {spec.instance} exists already.")
        self.leave(spec)
        return self._runs[spec.instance].running

    async def wait(self, instance: str) -> ExitRecord:
        """Return when the run has ended."""
        run = self._run(instance)
        async with run.changed:
            await run.changed.wait_for(lambda: run.record is not None)
        return _record(run)

    async def stop(self, instance: str, grace_s: float | None = None) -> ExitRecord:  # noqa: ARG002
        """End the run as SIGTERM would."""
        self.stopped.append(instance)
        await self.stop_gate.wait()
        return await self.end(instance, code=None, signal=15, requested=True)

    async def running(self) -> list[Running]:
        """All runs that have not ended."""
        return [run.running for run in self._runs.values() if run.record is None]

    def knows(self, instance: str) -> bool:
        """Whether there is a run of that id."""
        return instance in self._runs

    def log_path(self, instance: str) -> str:
        """A file that is not there."""
        return f"/nowhere/{instance}.log"

    async def follow(self, instance: str, *, from_start: bool = True) -> AsyncIterator[str]:
        """Lines as they come, until the run has ended."""
        run = self._run(instance)
        position = 0 if from_start else len(run.lines)
        while True:
            while position < len(run.lines):
                yield run.lines[position]
                position += 1
            if run.record is not None:
                return
            await self._more(run, position)

    async def written(self, instance: str) -> tuple[list[str], list[str]]:
        """Lines so far."""
        return list(self._run(instance).lines), []

    def ended(self) -> list[tuple[LaunchSpec, ExitRecord]]:
        """Runs that have ended, the latest end first."""
        return latest_first((run.running.spec, run.record) for run in self._runs.values())

    def prune(self, keep_per_model: int) -> list[str]:
        """Forget ended runs but the latest few of each model."""
        gone = list(surplus(self.ended(), keep_per_model))
        for instance in gone:
            del self._runs[instance]
        return gone

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    def _run(self, instance: str) -> _Run:
        try:
            return self._runs[instance]
        except KeyError:
            raise UsageError(f"There is no instance {instance}.") from None

    async def _more(self, run: _Run, position: int) -> None:
        async with run.changed:
            await run.changed.wait_for(lambda: len(run.lines) > position or run.record is not None)


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


def _record(run: _Run) -> ExitRecord:
    if run.record is None:
        raise SparkwellError("The run has not ended.")
    return run.record
