"""Starts of models in Ollama: their context, their room, and what is fetched first."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sparkwell.app.budget import BUDGET, budget_bytes, reserved_bytes
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.presence import not_here
from sparkwell.app.launching.starter import Start
from sparkwell.app.ollama.flags import NUM_CTX, wanted_context
from sparkwell.app.ollama.server import OllamaServer
from sparkwell.app.planning.planning import Planning
from sparkwell.app.served import Served
from sparkwell.app.settings.config import Settings
from sparkwell.catalog.ollama import is_ollama
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError, SparkwellError, UsageError
from sparkwell.core.launch import HELD, LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.drivers.ollama import OllamaDriver
from sparkwell.drivers.ollama.plan import Kept, OllamaPlan, plan_model
from sparkwell.engines.ollama import ollama_spec
from sparkwell.engines.ollama.state import key_of
from sparkwell.supervisor.start import OnMark

logger = logging.getLogger(__name__)


class OllamaStarts:
    """Makes starts of models in the server of one driver; ``settings`` are those in force."""

    def __init__(
        self,
        driver: OllamaDriver,
        server: OllamaServer,
        planning: Planning,
        settings: Callable[[], Settings],
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
        wanted = wanted_context(served.name, self._settings(), flags)
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

    async def must_be_here(self, served: Served) -> None:
        """Raise NotReadyError for a model that would have to be downloaded first."""
        plan = self._plans[served.name]
        if plan.source in ("file", "server") or await self._has(plan):
            return
        raise not_here(served.name)

    async def _has(self, plan: OllamaPlan) -> bool:
        try:
            stored = await self._driver.api.tags()
        except SparkwellError:
            return False
        return plan.name.key in {key_of(each.name) for each in stored}

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
        left = budget_bytes(self._settings(), self._planning.here) - sum(wish.beside.values())
        if plan.held_bytes > left:
            ways = [f"- `sparkwell down {name}` makes room." for name in wish.beside]
            raise ConflictError(
                f"{plan.name} does not fit on this machine{self._beside(wish)}: it takes "
                f"{plan.held_bytes / GIB:.1f} GiB, and {max(0, left) / GIB:.1f} GiB are there.",
                hint="\n".join([*ways, "- --force starts it all the same."]),
            )

    def _beside(self, wish: StartWish) -> str:
        """What has the rest of the memory, in words."""
        beside = f" beside {_held(wish)}" if wish.beside else ""
        kept = reserved_bytes(self._settings(), self._planning.here) / GIB
        return f"{beside}, where {BUDGET} leaves {kept:.1f} GiB unused" if kept else beside

    def _refuse_the_unknown(self, plan: OllamaPlan, wish: StartWish) -> None:
        """Alone on the machine it may take what it takes; beside others somebody must know."""
        if not wish.beside:
            return
        raise ConflictError(
            f"Nobody here can tell what {plan.name} takes, and it is to run beside {_held(wish)}.",
            hint=f"Say it: `sparkwell up {plan.name}=20GiB`; or pull it first, then it is known.",
        )


def _held(wish: StartWish) -> str:
    return ", ".join(f"{name} ({size / GIB:.1f} GiB)" for name, size in wish.beside.items())


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
