"""The plan of a run: what was to be expected of the flags that it really has."""

import asyncio
import json
import logging
from collections.abc import Callable, Collection
from dataclasses import replace

from sparkwell.app.planning.planning import Planning, Target, Wish
from sparkwell.catalog import Catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.core.errors import SparkwellError
from sparkwell.core.launch import LaunchSpec
from sparkwell.planner.plan import Plan, make_plan

logger = logging.getLogger(__name__)
Make = Callable[[LaunchSpec], Plan | None]


def plan_of(planning: Planning, catalog: Catalog, spec: LaunchSpec) -> Plan | None:
    """The plan of a vLLM run on this machine; None where there is no recipe, or no plan."""
    recipe = catalog.find(spec.model)
    if recipe is None or spec.engine != "vllm" or "flags" not in spec.labels:
        return None
    flags = json.loads(spec.labels["flags"])
    try:
        asked = Wish(version=spec.engine_version, flags=flags)
        question = planning.question(Target(describe_recipe(recipe), recipe), asked)
        return make_plan(replace(question, flags=flags))  # no more than the run was given
    except SparkwellError as error:
        logger.info("%s runs without a plan: %s", spec.instance, error)
        return None


class RunPlans:
    """Plans by instance, made once, in a thread. Belongs to one event loop."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._plans: dict[str, Plan | None] = {}
        self._making: dict[str, asyncio.Task[None]] = {}

    def of(self, spec: LaunchSpec) -> Plan | None:
        """The plan of a run; None where there is none, and until it has been made."""
        if spec.instance not in self._plans and spec.instance not in self._making:
            self._making[spec.instance] = asyncio.create_task(self._add(spec))
        return self._plans.get(spec.instance)

    def known(self, instance: str) -> Plan | None:
        """The plan of a run if it has been made."""
        return self._plans.get(instance)

    def keep(self, instances: Collection[str]) -> None:
        """Forget the plans of all others."""
        self._plans = {name: plan for name, plan in self._plans.items() if name in instances}

    async def close(self) -> None:
        """Wait for what is being made."""
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    async def _add(self, spec: LaunchSpec) -> None:
        try:
            self._plans[spec.instance] = await asyncio.to_thread(self._make, spec)
        except Exception:
            logger.exception("A plan of %s could not be made", spec.instance)
            self._plans[spec.instance] = None
        finally:
            self._making.pop(spec.instance, None)
