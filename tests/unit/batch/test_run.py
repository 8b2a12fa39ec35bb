import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.batch.conftest import Write, line

from sparkwell.batch.asking import Answer
from sparkwell.batch.concurrency import Concurrency
from sparkwell.batch.ledger import opened
from sparkwell.batch.lines import read_lines
from sparkwell.batch.run import Batch, Course, answer_all
from sparkwell.core.errors import NotReadyError
from sparkwell.gateway.usage import usage_of

USED = b'{"text": "yes", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}'
Reply = Callable[[Mapping[str, Any]], Answer]


class Endpoint:
    """Answers, and remembers what it was asked and how much at a time."""

    def __init__(self, reply: Reply = lambda _body: Answer(200, USED, "req-1")) -> None:
        self.reply = reply
        self.asked: list[dict[str, Any]] = []
        self.now = self.most = 0

    async def __call__(self, path: str, body: bytes) -> Answer:
        self.asked.append(json.loads(body))
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        return self.reply(json.loads(body))


async def answered(file: Path, endpoint: Endpoint, at_once: int = 4) -> Course:
    lines, folder = read_lines(file), file.parent
    wanted = frozenset(each.custom_id for each in lines)
    seen: list[int] = []
    with opened(folder / "out.jsonl", folder / "failed.jsonl", wanted) as ledger:
        course = await answer_all(
            Batch(
                file, lines, endpoint, lambda _model, _lines: Concurrency(at_once, "so"), usage_of,
                lambda course: seen.append(course.left),
            ),
            ledger,
        )  # fmt: skip
    assert seen == sorted(seen, reverse=True)
    return course


def entries(file: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in file.read_text().splitlines()]


async def test_each_answer_is_a_line_as_openai_has_it(write: Write) -> None:
    file = write(line("a"))
    course = await answered(file, Endpoint())
    (entry,) = entries(file.with_name("out.jsonl"))
    assert entry["id"].startswith("batch_req_")
    assert entry["custom_id"] == "a"
    assert entry["error"] is None
    assert entry["response"] == {
        "status_code": 200, "request_id": "req-1", "body": json.loads(USED)
    }  # fmt: skip
    assert (course.answered, course.prompt_tokens, course.output_tokens) == (1, 3, 2)


async def test_so_many_at_a_time(write: Write) -> None:
    endpoint = Endpoint()
    course = await answered(write(*(line(str(n)) for n in range(40))), endpoint, at_once=4)
    assert endpoint.most == 4
    assert course.answered == 40


async def test_the_first_of_a_model_goes_alone(write: Write) -> None:
    def not_here(_body: Mapping[str, Any]) -> Answer:
        raise NotReadyError("not on this machine")

    endpoint = Endpoint(not_here)
    with pytest.raises(NotReadyError):
        await answered(write(*(line(str(n)) for n in range(40))), endpoint)
    assert len(endpoint.asked) == 1


async def test_models_take_turns_once(write: Write) -> None:
    endpoint = Endpoint()
    lines = [line(str(n), model="ab"[n % 2]) for n in range(10)]
    await answered(write(*lines), endpoint)
    assert [each["model"] for each in endpoint.asked] == ["a"] * 5 + ["b"] * 5


async def test_refusals_are_kept_apart_and_tried_again(write: Write) -> None:
    def picky(body: Mapping[str, Any]) -> Answer:
        refused = body["prompt"] == "bad"
        return Answer(400, b'{"error": {"message": "no"}}') if refused else Answer(200, USED)

    file = write(line("a"), line("b", prompt="bad"), line("c"))
    course = await answered(file, Endpoint(picky))
    assert (course.answered, course.failed) == (2, 1)
    (refusal,) = entries(file.with_name("failed.jsonl"))
    assert refusal["custom_id"] == "b"
    assert refusal["response"]["status_code"] == 400
    assert refusal["response"]["body"]["error"]["message"] == "no"

    again = Endpoint()
    course = await answered(file, again)
    assert [each["prompt"] for each in again.asked] == ["bad"]
    assert (course.before, course.answered, course.failed) == (2, 1, 0)
    assert not file.with_name("failed.jsonl").exists()


async def test_what_ends_it_leaves_what_was_answered(write: Write) -> None:
    count = 0

    def tired(_body: Mapping[str, Any]) -> Answer:
        nonlocal count
        count += 1
        if count > 5:
            raise NotReadyError("enough")
        return Answer(200, USED)

    file = write(*(line(str(n)) for n in range(20)))
    with pytest.raises(NotReadyError, match="enough"):
        await answered(file, Endpoint(tired), at_once=3)
    assert len(entries(file.with_name("out.jsonl"))) == 5
    course = await answered(file, Endpoint())
    assert (course.before, course.answered) == (5, 15)


async def test_answers_of_several_lines_become_one_and_others_their_text(write: Write) -> None:
    bodies = {"a": b'{\n "b": [1,\n 2]\n}\n', "b": b"<html>\nno</html>"}
    file = write(line("a", prompt="a"), line("b", prompt="b"))
    await answered(file, Endpoint(lambda body: Answer(200, bodies[body["prompt"]])))
    first, second = entries(file.with_name("out.jsonl"))
    assert first["response"]["body"] == {"b": [1, 2]}
    assert second["response"]["body"] == "<html>\nno</html>"


async def test_nothing_is_asked_where_all_is_answered(write: Write) -> None:
    file = write(line("a"))
    await answered(file, Endpoint())
    again = Endpoint()
    course = await answered(file, again)
    assert again.asked == []
    assert course.left == 0
