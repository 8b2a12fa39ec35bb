"""Why a run failed: its log is read when it has ended, and judged, before its failure is told."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

import sparkwell
from sparkwell.app.diagnosing.runs import run_of
from sparkwell.app.diagnosing.secrets import clean_runs
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity, has_errors
from sparkwell.core.launch import ExitRecord, LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.doctor.background import in_background
from sparkwell.doctor.run_logs import read_run_log
from sparkwell.supervisor.instance import Instance

logger = logging.getLogger(__name__)
LIMIT_S = 2.0
"""What reading and judging may take together: the failure is told after that in any case."""
KEPT = 32
_TELL = (Severity.ERROR, Severity.WARNING)
_NOT_WHY = ("model-failed", "crash-loop", "not-looked-at")


def findings_of(run: Run, log: LogDigest | None, taken_at: float) -> tuple[Finding, ...]:
    """What the log, and what is known of the run, say of its failure: the worst first.

    Nothing where no error is found: what is only suspicious would hide the log's own words.
    """
    snapshot = Snapshot(taken_at, sparkwell.__version__, runs=(run,), logs=(log,) if log else None)
    found = [each for each in judge(snapshot) if each.id not in _NOT_WHY]
    told = tuple(each for each in found if each.severity in _TELL)
    return told if has_errors(told) else ()


class FailedRuns:
    """The supervisor's ``Diagnose``. Each run is looked at once, however often it is asked for."""

    def __init__(self, driver: Driver, now: Callable[[], float] = time.time) -> None:
        self._driver, self._now = driver, now
        self._known: OrderedDict[str, asyncio.Task[tuple[Finding, ...]]] = OrderedDict()

    async def __call__(
        self, spec: LaunchSpec, instance: Instance, record: ExitRecord
    ) -> tuple[Finding, ...]:
        """Why it failed; nothing where that cannot be found out in time."""
        if spec.instance not in self._known:
            look = self._look(spec, instance, record)
            self._known[spec.instance] = asyncio.create_task(look)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return await asyncio.shield(self._known[spec.instance])

    async def _look(
        self, spec: LaunchSpec, instance: Instance, record: ExitRecord
    ) -> tuple[Finding, ...]:
        try:
            async with asyncio.timeout(LIMIT_S):
                log = await self._log(spec)
                (run,) = clean_runs([run_of(spec, instance, record)])
                at = self._now()
                return await in_background(lambda: findings_of(run, log, at), LIMIT_S)
        except TimeoutError:
            logger.warning("Why %s failed was not found within %.0f s", spec.model, LIMIT_S)
        except Exception:  # the failure itself is told all the same
            logger.exception("Why %s failed cannot be looked at", spec.model)
        return ()

    async def _log(self, spec: LaunchSpec) -> LogDigest | None:
        if not self._driver.knows(spec.instance):
            return None
        return await read_run_log(self._driver, spec, LIMIT_S)
