"""One start from a wish to a launch spec: what is checked first, fetched next, launched last."""

import json
import logging
import platform
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sparkwell.app.daemon.back_ends import sleep_environment
from sparkwell.app.launching.flags import Chosen, StartWish
from sparkwell.app.launching.images import require_image
from sparkwell.app.launching.ways import Way
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.catalog import Recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.launch import BACK_END, HELD, Endpoint, LaunchSpec
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.vllm import read_flag
from sparkwell.engines.vllm.sleep import BackEnd
from sparkwell.supervisor.start import OnMark

logger = logging.getLogger(__name__)
SET, PROFILE, FORCE, DRIVER, IMAGE = "set", "profile", "force", "driver", "image"
WAY_BACK = "way_back"
"""The profile that tuned flags were compared with."""


class Endpoints(Protocol):
    """Says where an instance will answer."""

    def endpoint_for(self, instance: str, *, container: bool) -> Endpoint:
        """A Unix socket for a process, a loopback port for a container."""
        ...


OnShare = Callable[[float | None], None]
"""Told which share of the work is done (0 to 1); None when unknown."""


class Fetchers(Protocol):
    """Fetches what a start lacks; each returns when it is there, and raises SparkwellError."""

    async def check(self, recipe: Recipe, way: Way, wish: StartWish) -> None:
        """Raise EnvironmentFault for what would make the start fail in minutes from now."""
        ...

    async def image(self, image: str, on_share: OnShare) -> None:
        """Pull an image unless it is here."""
        ...

    async def weights(self, recipe: Recipe, wish: StartWish, on_share: OnShare) -> Path:
        """Download the weights, and say where they are."""
        ...


@dataclass(frozen=True, slots=True)
class Start:
    """A start that is about to begin: its spec for looking at, and how to get the real one.

    ``held_bytes`` is what it will hold by its plan; None where nobody can tell.
    """

    prepare: Callable[[str], LaunchSpec]
    provide: Callable[[OnMark], Awaitable[LaunchSpec]]
    held_bytes: int | None = None


class OllamaStarts(Protocol):
    """Makes starts of models in Ollama."""

    async def held_bytes(self, served: Served, flags: Mapping[str, FlagValue]) -> int | None:
        """What a model will take with these flags; None where nobody can tell."""
        ...

    def start(self, served: Served, wish: StartWish, given: Mapping[str, str]) -> Start:
        """Everything that has to happen for the model to be loaded."""
        ...

    async def must_be_here(self, served: Served) -> None:
        """Raise NotReadyError for a model that would have to be downloaded first."""
        ...

    async def tidy(self, running: Sequence[str]) -> None:
        """End a server of ours that none of the running models needs."""
        ...


@dataclass(frozen=True, slots=True)
class Starter:
    """Makes starts."""

    models: ModelService
    endpoints: Endpoints
    fetchers: Fetchers
    ollama: OllamaStarts

    async def sizes(self, wishes: Mapping[Served, StartWish]) -> dict[str, int]:
        """Bytes that models in Ollama will take, by name; who cannot be told is left out."""
        found = {
            each.name: await self.ollama.held_bytes(each, wish.flags)
            for each, wish in wishes.items()
            if each.ollama
        }
        return {name: size for name, size in found.items() if size is not None}

    def start(self, served: Served, wish: StartWish, given: Mapping[str, str]) -> Start:
        """Everything that has to happen for a model to be launched.

        ``given`` are labels for the instance. Raises SparkwellError for a wish that cannot be
        granted: no way to run it here, flags that there are not, no room.
        """
        if served.recipe is None:
            return self.ollama.start(served, wish, given)
        return self._of_recipe(served.recipe, wish, given)

    def _of_recipe(self, recipe: Recipe, wish: StartWish, given: Mapping[str, str]) -> Start:
        self.models.must_be_fetchable(recipe)
        way = self.models.ways.way(recipe, wish.driver, wish.image)
        if way.image:
            self._check_image(way.image, recipe, wish)
        back_end = self.models.back_end(recipe, way)
        chosen = self.models.choose_flags(recipe, way, wish)
        specs: list[LaunchSpec] = []

        def spec(instance: str, checkpoint: Path | None) -> LaunchSpec:
            endpoint = self.endpoints.endpoint_for(instance, container=way.image is not None)
            made = self.models.launch_spec(
                recipe, instance, endpoint, chosen.flags, way, checkpoint
            )
            labels = {**made.labels, **given, **_of_choice(chosen), **_back_end(back_end)}
            env = {**made.env, **sleep_environment(back_end)}
            return replace(made, labels=labels, env=env)

        def prepare(instance: str) -> LaunchSpec:
            specs.append(spec(instance, self.models.checkpoint(recipe)))
            return specs[0]

        async def provide(on_mark: OnMark) -> LaunchSpec:
            await self.fetchers.check(recipe, way, wish)
            if way.image:
                await self.fetchers.image(way.image, _telling(on_mark, Phase.PULL))
            checkpoint = self.models.checkpoint(recipe)
            if checkpoint is None:
                on_share = _telling(on_mark, Phase.DOWNLOAD)
                checkpoint = await self.fetchers.weights(recipe, wish, on_share)
            return spec(specs[0].instance, checkpoint)

        return Start(prepare, provide, chosen.held_bytes)

    def _check_image(self, image: str, recipe: Recipe, wish: StartWish) -> None:
        """Refuse one that cannot work here; what only speaks against it is logged."""
        machine, architecture = self.models.planning.here, platform.machine()
        warnings = require_image(
            image, machine, recipe, architecture=architecture, force=wish.force
        )
        for warning in warnings:
            logger.warning("The image for %s: %s", recipe.name, warning.why)


def _telling(on_mark: OnMark, phase: Phase) -> OnShare:
    return lambda share: on_mark(PhaseMark(phase, share))


def _of_choice(chosen: Chosen) -> dict[str, str]:
    held = {} if chosen.held_bytes is None else {HELD: str(chosen.held_bytes)}
    return {**held, WAY_BACK: chosen.way_back} if chosen.way_back else held


def _back_end(back_end: BackEnd) -> dict[str, str]:
    return {} if back_end is BackEnd.COLD else {BACK_END: back_end.value}


def given_labels(wish: StartWish) -> dict[str, str]:
    """What `up` was given, as labels: `restart` knows it also after the daemon was replaced."""
    flags = [f"{name}={_written(value)}" for name, value in wish.flags.items()]
    return {
        SET: json.dumps(flags),
        PROFILE: wish.profile or "",
        FORCE: "1" if wish.force else "",
        DRIVER: wish.driver or "",
        IMAGE: wish.image or "",
    }


def wish_of(labels: Mapping[str, str], beside: Mapping[str, int] | None = None) -> StartWish:
    """What a person had given, out of an instance's labels; but for force, which is said each time.

    ``beside`` are bytes that others hold, by name.
    """
    flags: list[str] = json.loads(labels.get(SET) or "[]")
    return StartWish(
        flags=dict(read_flag(flag) for flag in flags),
        profile=labels.get(PROFILE) or None,
        driver=labels.get(DRIVER) or None,
        image=labels.get(IMAGE) or None,
        beside=beside or {},
    )


def _written(value: FlagValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
