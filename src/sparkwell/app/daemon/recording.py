"""Stores what every start took of the memory, as soon as it is ready."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping

from sparkwell.catalog import Catalog
from sparkwell.core.errors import SparkwellError
from sparkwell.core.launch import LaunchSpec
from sparkwell.hardware.detect import detect
from sparkwell.hardware.machine import Machine
from sparkwell.store import Starts
from sparkwell.store.record import start_record

logger = logging.getLogger(__name__)


class Recorder:
    """Takes a start's figures and stores them; that this fails never harms the start.

    ``machine`` is asked for at every start, in a thread of its own: NVML can take a while.
    """

    def __init__(
        self,
        starts: Starts,
        catalog: Catalog,
        *,
        machine: Callable[[], Machine] = detect,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._starts = starts
        self._catalog = catalog
        self._machine = machine
        self._now = now

    async def __call__(self, spec: LaunchSpec, facts: Mapping[str, float]) -> None:
        """Store the start, unless it said nothing of its memory."""
        at = self._now()
        try:
            machine = await asyncio.to_thread(self._machine)
            recipe = self._catalog.find(spec.model)
            if record := start_record(spec, facts, machine, recipe, at):
                self._starts.add(record)
        except (SparkwellError, sqlite3.Error) as error:
            logger.warning("What this start took is not remembered: %s", error)
