"""Starts of models in Ollama: their context, their room, and what is fetched first."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparkwell.app.config import Settings
from sparkwell.app.ollama_flags import NUM_CTX, wanted_context
from sparkwell.app.ollama_server import OllamaServer
from sparkwell.app.planning import Planning
from sparkwell.app.served import Served
from sparkwell.app.starter import HELD, Start
from sparkwell.app.starting import StartWish
from sparkwell.catalog.ollama import is_ollama
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError, SparkwellError, UsageError
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.drivers.ollama import OllamaDriver
from sparkwell.drivers.ollama.plan import Kept, OllamaPlan, plan_model
from sparkwell.engines.ollama import ollama_spec
from sparkwell.planner.placement import Fixed, place
from sparkwell.supervisor.start import OnMark

logger = logging.getLogger(__name__)


class OllamaStarts:
    """Makes starts of models in the server of one driver."""

    def __init__(
        self,
        driver: OllamaDriver,
        server: OllamaServer,
        planning: Planning,
        settings: Settings,
        kept: Kept,
    ) -> None:
        self._driver = driver
        self._server = server
        self._planning = planning
        self._settings = settings
        self._kept = kept
        self._plans: dict[str, OllamaPlan] = {}

    async def held_bytes(self, served: Served, flags: Mapping[str, FlagValue]) -> int | None:
        """What a model will take with these flags; None where nobody can tell.

        Raises UsageError for a flag other than num_ctx.
        """
        wanted = wanted_context(served.name, self._settings, flags)
        size = "" if served.size_bytes is None else f"={served.size_bytes}B"
        plan = await plan_model(
            served.name + size, self._kept, api=self._driver.api, wanted_ctx=wanted
        )
        self._plans[served.name] = plan
        if plan.correction:
            logger.warning("%s", plan.correction)
        return plan.held_bytes

    def start(self, served: Served, wish: StartWish, given: Mapping[str, str]) -> Start:
        """Everything that has to happen for a model to be loaded.

        ``held_bytes`` must have been asked before. Raises ConflictError when there is no room,
        UsageError for a profile, an image or a driver.
        """
        _refuse_what_it_has_not(served, wish)
        plan = self._plans[served.name]
        self._refuse_what_does_not_fit(plan, wish)
        labels = {
            **given,
            "flags": json.dumps({NUM_CTX: plan.num_ctx}),
            **({} if plan.held_bytes is None else {HELD: str(plan.held_bytes)}),
        }
        specs: list[LaunchSpec] = []

        def prepare(instance: str) -> LaunchSpec:
            endpoint = self._driver.endpoint(instance)
            spec = ollama_spec(plan.name, instance, endpoint, num_ctx=plan.num_ctx)
            specs.append(replace(spec, labels={**spec.labels, **labels}))
            return specs[0]

        async def provide(on_mark: OnMark) -> LaunchSpec:
            await self._driver.fetch(plan.name.short, on_mark)
            return specs[0]

        return Start(prepare, provide, plan.held_bytes)

    async def tidy(self, running: Sequence[str]) -> None:
        """End a server of ours that none of the running models needs; never raises."""
        if not any(map(is_ollama, running)):
            try:
                await self._server.stop()
            except SparkwellError as error:
                logger.warning("Ollama's container is still there: %s", error)

    def _refuse_what_does_not_fit(self, plan: OllamaPlan, wish: StartWish) -> None:
        if wish.force:
            return
        if plan.held_bytes is None:
            self._refuse_the_unknown(plan, wish)
            return
        others = [Fixed(name, size) for name, size in wish.beside.items()]
        placement = place([Fixed(str(plan.name), plan.held_bytes), *others], self._planning.here)
        if not placement.fits:
            ways = [f"- `sparkwell down {name}` makes room." for name in wish.beside]
            raise ConflictError(
                f"{plan.name} does not fit on this machine: {placement.why_not}",
                hint="\n".join([*ways, "- --force starts it all the same."]),
            )

    def _refuse_the_unknown(self, plan: OllamaPlan, wish: StartWish) -> None:
        """Alone on the machine it may take what it takes; beside others somebody must know."""
        if not wish.beside:
            return
        held = ", ".join(f"{name} ({size / GIB:.1f} GiB)" for name, size in wish.beside.items())
        raise ConflictError(
            f"Nobody here can tell what {plan.name} takes, and it is to run beside {held}.",
            hint=f"Say it: `sparkwell up {plan.name}=20GiB`; or pull it first, then it is known.",
        )


def _refuse_what_it_has_not(served: Served, wish: StartWish) -> None:
    """Raise UsageError for what only an engine of a recipe has."""
    given = {"--profile": wish.profile, "--image": wish.image, "--driver": wish.driver}
    for option, value in given.items():
        if value is not None:
            raise UsageError(
                f"{served.name} is a model in Ollama's server, and takes no {option} ({value}).",
                hint=f"Leave {option} out. `--set {NUM_CTX}=N` sets its context; the server's "
                "image is containers.images.ollama in the settings.",
            )
