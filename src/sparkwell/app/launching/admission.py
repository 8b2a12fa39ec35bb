"""Which starts an `up` stands for, and whether the machine bears all of them: before any begins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparkwell.admin.api import UpBody
from sparkwell.app.launching.flags import DEFAULT_PROFILE, StartWish
from sparkwell.app.launching.starter import PROFILE, Start, Starter, given_labels
from sparkwell.app.launching.together import shared_out
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.status.describing import flags_of, label
from sparkwell.core.errors import ConflictError
from sparkwell.core.launch import LaunchSpec
from sparkwell.drivers.routing import route
from sparkwell.engines.vllm import read_flag

Held = Mapping[str, int | None]
"""Bytes that running models hold by their plans; None where nobody can tell."""


def own_wishes(wanted: UpBody, models: Sequence[Served]) -> dict[Served, StartWish]:
    """What each model is to be started with.

    Flags and image are the first one's. A model in Ollama takes neither profile nor driver: it is
    told so when it is the only one that they can be meant for.
    """
    every = StartWish(
        flags=dict(read_flag(flag) for flag in wanted.flags),
        profile=wanted.profile,
        force=wanted.force,
        driver=wanted.driver,
        image=wanted.image,
        folder=wanted.folder,
    )
    only = len(models) == 1
    wishes = {}
    for number, each in enumerate(models):
        wish = every if number == 0 else replace(every, flags={}, image=None)
        wishes[each] = wish if only or each.recipe else replace(wish, profile=None, driver=None)
    return wishes


async def admitted(
    starter: Starter, wishes: Mapping[Served, StartWish], held: Held
) -> dict[Served, Start]:
    """The starts of all these models, or an error and none.

    ``held`` is what runs already. Raises ConflictError when they do not fit beside it and each
    other, unless that is forced, and whatever else speaks against one of them.
    """
    _refuse_the_unknown(wishes, held)
    known = {name: size for name, size in held.items() if size is not None}
    sizes = await starter.sizes(wishes)
    shared = shared_out(starter.models, wishes, {**known, **sizes})
    starts: dict[Served, Start] = {}
    beside = {**known, **sizes}
    for each, wish in shared.items():
        others = {**beside, **wish.beside}
        others.pop(each.name, None)
        ready = replace(wish, beside=others)
        starts[each] = starter.start(each, ready, given_labels(wishes[each]))
        if (takes := starts[each].held_bytes) is not None:
            beside[each.name] = takes
    return starts


def refuse_other_wish(
    models: ModelService, served: Served, spec: LaunchSpec | None, wish: StartWish
) -> None:
    """What cannot be had of a model that runs already must not be passed over in silence."""
    if spec is None:
        return
    now = dict(read_flag(flag) for flag in flags_of(spec))
    usual = (models.changes(served.recipe).profile if served.recipe else None) or DEFAULT_PROFILE
    others = {
        "flags": bool(wish.flags) and now != wish.flags,
        "profile": wish.profile not in (None, label(spec, PROFILE) or usual),
        "image": wish.image not in (None, spec.container and spec.container.image),
        "driver": wish.driver not in (None, route(spec, ("ollama",))),
    }
    different = [name for name, differs in others.items() if differs]
    if different:
        raise ConflictError(
            f"{served.name} runs already, with other flags ({', '.join(different)}).",
            hint=f"Run `sparkwell down {served.name}`, then the same command again.",
        )


def _refuse_the_unknown(wishes: Mapping[Served, StartWish], held: Held) -> None:
    unknown = [name for name, size in held.items() if size is None]
    if not unknown or all(wish.force for wish in wishes.values()):
        return
    raise ConflictError(
        f"Nobody here can tell what {', '.join(unknown)} holds of the memory, so nothing can be "
        "started beside it.",
        hint=f"`sparkwell down {unknown[0]}` makes room; --force starts it all the same.",
    )
