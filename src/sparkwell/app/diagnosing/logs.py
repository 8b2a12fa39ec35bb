"""The logs of runs: of those that live or failed, and of the first failure in a row of them."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sparkwell.checks.logs.digest import digest
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Gap
from sparkwell.core.errors import SparkwellError
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.doctor.run_logs import read_run_log
from sparkwell.store import BreakerRow

LIMIT_S = 10.0
MOST = 16
"""Logs that are read; a host with more runs than that has other troubles."""


@dataclass(frozen=True, slots=True)
class RunLogs:
    """Reads logs of runs; ``specs`` are those of the runs that a driver remembers."""

    driver: Driver
    specs: Mapping[str, LaunchSpec]

    async def read(
        self, runs: Iterable[Run], rows: Iterable[BreakerRow]
    ) -> tuple[tuple[LogDigest, ...], tuple[Gap, ...]]:
        """The digests, each run's once, and what could not be read."""
        first = {row.first_instance: row for row in rows}
        wanted = list(dict.fromkeys([*(run.id for run in runs), *first]))[:MOST]
        answers = await asyncio.gather(*(self._one(each, first.get(each)) for each in wanted))
        found = tuple(each for each in answers if isinstance(each, LogDigest))
        return found, tuple(each for each in answers if isinstance(each, Gap))

    async def _one(self, instance: str, row: BreakerRow | None) -> LogDigest | Gap | None:
        """The log where there is one; else what the store has kept of its end."""
        spec = self.specs.get(instance)
        if spec is None:
            return _kept(row) if row and row.first_lines else None
        try:
            async with asyncio.timeout(LIMIT_S):
                return await read_run_log(self.driver, spec, LIMIT_S)
        except TimeoutError:
            return Gap(f"log of {instance}", f"not read within {LIMIT_S:.0f} s")
        except (SparkwellError, OSError) as error:
            return Gap(f"log of {instance}", str(error))
        except Exception as error:  # a log that nobody foresaw hides no other one
            return Gap(f"log of {instance}", f"not read: {type(error).__name__}")


def _kept(row: BreakerRow) -> LogDigest:
    found = digest(row.first_lines, f"{row.first_instance} (its last lines)")
    return replace(found, instance=row.first_instance, model=row.model)
