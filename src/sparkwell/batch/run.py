"""A batch from its first request to its last: model by model, so many at a time, each kept."""

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sparkwell.batch.asking import Answer, Ask
from sparkwell.batch.concurrency import Concurrency
from sparkwell.batch.ledger import Ledger
from sparkwell.batch.lines import Line, body_of
from sparkwell.core.keys import Usage

Count = Callable[[bytes], Usage]


@dataclass(slots=True)
class Course:
    """How a batch goes: of ``total`` requests ``before`` had an answer when it began."""

    total: int
    before: int
    answered: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    model: str = ""
    concurrency: dict[str, Concurrency] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Requests of which nothing has come yet."""
        return self.total - self.before - self.answered - self.failed


@dataclass(frozen=True, slots=True)
class Batch:
    """What a run needs.

    ``concurrency`` says for a model and its lines how many are under way at a time, ``count`` what
    an answer used, and ``tell`` hears how it goes, after each answer.
    """

    file: Path
    lines: Sequence[Line]
    ask: Ask
    concurrency: Callable[[str, Sequence[Line]], Concurrency]
    count: Count
    tell: Callable[[Course], None]


async def answer_all(batch: Batch, ledger: Ledger) -> Course:
    """Ask all that have no answer yet. What is raised ends it; what was answered is kept.

    The lines of one model come one after the other, so that models are switched once each; the
    first of them goes alone, for the model may have to be started, and may not be to be had.
    """
    todo = [line for line in batch.lines if line.custom_id not in ledger.done]
    course = Course(len(batch.lines), len(batch.lines) - len(todo))
    batch.tell(course)
    with batch.file.open("rb") as file:
        work = _Work(batch, ledger, course, file.fileno())
        for model, lines in by_model(todo).items():
            course.model, most = model, batch.concurrency(model, lines)
            course.concurrency[model] = most
            await work.one(lines[0])
            await _together(work, iter(lines[1:]), most.at_once)
    return course


def by_model(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """The lines of each model, in the order in which models first come."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.model, []).append(line)
    return found


async def _together(work: "_Work", lines: Iterator[Line], at_once: int) -> None:
    """So many at a time, from one row of lines; the first error ends them all."""

    async def some() -> None:
        for line in lines:
            await work.one(line)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(some())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


class _Work:
    """Asks, and keeps what came."""

    def __init__(self, batch: Batch, ledger: Ledger, course: Course, file: int) -> None:
        self._batch, self._ledger, self._course, self._file = batch, ledger, course, file

    async def one(self, line: Line) -> None:
        """One request."""
        answer = await self._batch.ask(line.url, self._body(line))
        self._keep(line, answer)
        self._batch.tell(self._course)

    def _body(self, line: Line) -> bytes:
        return body_of(os.pread(self._file, line.size, line.at))

    def _keep(self, line: Line, answer: Answer) -> None:
        if not answer.good:
            self._course.failed += 1
            self._ledger.failed(written(line, answer))
            return
        used = self._batch.count(answer.body)
        self._ledger.answered(written(line, answer))
        self._course.answered += 1
        self._course.prompt_tokens += used.prompt_tokens or 0
        self._course.output_tokens += used.output_tokens or 0


def written(line: Line, answer: Answer) -> bytes:
    """An answer as a line of OpenAI's output files has it."""
    return msgspec.json.encode({
        "id": f"batch_req_{uuid.uuid4().hex}",
        "custom_id": line.custom_id,
        "response": {
            "status_code": answer.status,
            "request_id": answer.request_id,
            "body": _on_one_line(answer.body),
        },
        "error": None,
    })  # fmt: skip


def _on_one_line(body: bytes) -> msgspec.Raw:
    """The body as it came, if it is JSON on one line; else the same JSON so, or its text."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return msgspec.Raw(msgspec.json.encode(body.decode(errors="replace")))
    return msgspec.Raw(msgspec.json.encode(found) if b"\n" in body.strip() else body.strip())
