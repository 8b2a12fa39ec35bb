"""A batch on this host: asked of the gateway, as many at a time as the model's plan allows."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.planning import Wish
from sparkwell.app.service import ModelService
from sparkwell.batch.asking import Asker
from sparkwell.batch.ledger import opened
from sparkwell.batch.lines import Line
from sparkwell.batch.pace import Pace, Room, pace
from sparkwell.batch.run import Batch, Course, answer_all
from sparkwell.core.errors import SparkwellError
from sparkwell.gateway.usage import usage_of

CONNECT_S = 10.0


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

    def paced(model: str, lines: Sequence[Line]) -> Pace:
        room = wish.room(model) if wish.concurrency is None else None
        return pace(lines, room, wish.concurrency)

    wanted = frozenset(line.custom_id for line in wish.lines)
    with opened(wish.answers, wish.failed, wanted) as ledger:
        async with _session(wish) as session:
            ask = Asker(session, wish.url)
            return await answer_all(
                Batch(wish.requests, wish.lines, ask, paced, usage_of, tell), ledger
            )


def _session(wish: BatchWish) -> aiohttp.ClientSession:
    """No limit of time: a request may wait for its model as long as the gateway lets it."""
    return aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {wish.key}"} if wish.key else {},
        connector=aiohttp.TCPConnector(limit=0, ssl=wish.trust),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
    )


def room_of(models: ModelService, name: str) -> Room | None:
    """What the plan of a start on this host lets the engine take.

    None for what cannot be planned here: Ollama's models, one that has no recipe.
    """
    try:
        target = models.planning.target(name)
        plan = models.planning.plan(name, as_started(models, target, Wish()))
    except SparkwellError:
        return None
    return Room(plan.settings.max_num_seqs, plan.memory.kv_tokens)
