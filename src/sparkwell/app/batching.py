"""A batch on this host: asked of the gateway, as many at a time as the model's engine takes."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.planning import Target, Wish
from sparkwell.app.service import ModelService
from sparkwell.batch.asking import Asker
from sparkwell.batch.concurrency import Concurrency, Room, concurrency
from sparkwell.batch.ledger import opened
from sparkwell.batch.lines import Line
from sparkwell.batch.run import Batch, Course, answer_all
from sparkwell.core.errors import SparkwellError
from sparkwell.gateway.usage import usage_of
from sparkwell.planner.plan import make_plan
from sparkwell.planner.question import Question
from sparkwell.supervisor.instance import State

Json = Mapping[str, Any]
CONNECT_S = 10.0
_STAY = {State.STARTING, State.READY, State.SLEEPING, State.ASLEEP, State.WAKING}


@dataclass(frozen=True, slots=True)
class BatchWish:
    """What somebody asked for. ``requests`` are ``lines``; the other two files are written.

    ``url`` is the endpoint, ``key`` is sent to it, ``trust`` is how its certificate is checked.
    ``concurrency`` None: as ``room`` says of a model.
    """

    requests: Path
    lines: Sequence[Line]
    answers: Path
    failed: Path
    url: str
    key: str | None = None
    trust: ssl.SSLContext | bool = True
    concurrency: int | None = None
    room: Callable[[str], Room | None] = lambda _model: None


async def answer_file(wish: BatchWish, tell: Callable[[Course], None]) -> Course:
    """Answer what has no answer yet, and keep each as it comes; ``tell`` hears how it goes.

    Raises SparkwellError for what ends the batch. What was answered before stays.
    """

    def at_a_time(model: str, lines: Sequence[Line]) -> Concurrency:
        room = wish.room(model) if wish.concurrency is None else None
        return concurrency(lines, room, wish.concurrency)

    wanted = frozenset(line.custom_id for line in wish.lines)
    with opened(wish.answers, wish.failed, wanted) as ledger:
        async with _session(wish) as session:
            ask = Asker(session, wish.url)
            return await answer_all(
                Batch(wish.requests, wish.lines, ask, at_a_time, usage_of, tell), ledger
            )


def _session(wish: BatchWish) -> aiohttp.ClientSession:
    """No limit of time: a request may wait for its model as long as the gateway lets it."""
    return aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {wish.key}"} if wish.key else {},
        connector=aiohttp.TCPConnector(limit=0, ssl=wish.trust),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
    )


def room_of(models: ModelService, name: str, instances: Sequence[Json] = ()) -> Room | None:
    """What its engine takes: the one that runs, else one that this host would start.

    ``instances`` are those of the daemon's status. None for what cannot be planned here: Ollama's
    models, one that has no recipe.
    """
    try:
        target = models.planning.target(name)
        plan = make_plan(_question(models, target, _running(target, instances)))
    except SparkwellError:
        return None
    return Room(plan.settings.max_num_seqs, plan.memory.kv_tokens)


def _running(target: Target, instances: Sequence[Json]) -> Json | None:
    """The engine that will answer; one that is on its way out, or has failed, will not."""
    model = None if target.recipe is None else target.recipe.name
    there = (each for each in instances if each["model"] == model and each["state"] in _STAY)
    return next(there, None)


def _question(models: ModelService, target: Target, running: Json | None) -> Question:
    if running is None:
        return models.planning.question(target, as_started(models, target, Wish()))
    flags = dict(running["flags"])
    asked = Wish(version=running["engine_version"], flags=flags)
    question = models.planning.question(target, asked)
    return replace(question, flags=flags)  # no more than it was given
