import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.batch.conftest import Write, line

from sparkwell.batch.lines import USUAL_ANSWER, LineError, body_of, read_lines


def test_a_line_is_told_by_what_it_names(write: Write) -> None:
    (found,) = read_lines(write(line("a", max_tokens=100)))
    assert (found.custom_id, found.url, found.model) == ("a", "/v1/completions", "m")
    assert 100 < found.tokens < 120


@pytest.mark.parametrize("bound", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_how_long_an_answer_may_be(write: Write, bound: str) -> None:
    (bounded,) = read_lines(write(line("a", **{bound: 4000})))
    (open_,) = read_lines(write(line("a")))
    assert bounded.tokens > 4000
    assert USUAL_ANSWER < open_.tokens < USUAL_ANSWER + 50


def test_bodies_are_sent_as_they_stand_in_the_file(write: Write) -> None:
    body = '{"model":"m",  "prompt": "h\\u00e9", "temperature": 1.0 }'
    text = f'{{"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {body}}}'
    file = write("", line("0"), "   ", text)
    _, found = read_lines(file)
    kept = file.read_bytes()[found.at : found.at + found.size]
    assert body_of(kept) == body.encode()
    assert found.number == 4


def test_a_mark_of_the_byte_order_is_no_part_of_a_line(write: Write) -> None:
    file = write(line("a"), line("b"), start="\ufeff")
    for found in read_lines(file):
        body_of(file.read_bytes()[found.at : found.at + found.size])


def test_method_may_be_left_out(write: Write) -> None:
    without = line("a")
    del without["method"]
    assert read_lines(write(without))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("hello", "malformed"),
        ("[1]", "Expected `object`"),
        ({**line("a"), "custom_id": ""}, "custom_id is empty"),
        ({"url": "/v1/completions", "body": {"model": "m"}}, "custom_id"),
        ({**line("a"), "custom_id": 3}, "custom_id"),
        ({**line("a"), "method": "GET"}, "method is 'GET'"),
        ({**line("a"), "url": "/v1/models"}, "url is '/v1/models'; it can be /v1/chat"),
        ({**line("a"), "url": "http://x/v1/completions"}, "url is"),
        ({**line("a"), "body": None}, "Expected `object`, got `null`"),
        ({**line("a"), "body": {}}, "model"),
        (line("a", stream=True), "stream is true"),
        (line("a", model=None), "model"),
    ],
)
def test_what_is_no_request_is_named_with_its_line(write: Write, bad: Any, why: str) -> None:
    file = write(line("good"), bad)
    with pytest.raises(LineError) as caught:
        read_lines(file)
    assert "line 2: " in caught.value.message
    assert why in caught.value.message
    assert "Nothing was sent" in (caught.value.hint or "")


def test_an_id_that_stands_twice(write: Write) -> None:
    with pytest.raises(LineError, match="line 3: custom_id 'a' stands in 1 too"):
        read_lines(write(line("a"), line("b"), line("a")))


def test_many_problems_are_counted_and_the_first_are_told(write: Write) -> None:
    with pytest.raises(LineError, match="30 of its lines") as caught:
        read_lines(write(*["x"] * 30))
    assert "… and 22 more" in caught.value.message


def test_a_file_without_lines(write: Write) -> None:
    with pytest.raises(LineError, match="has no lines"):
        read_lines(write())


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(LineError, match="There is no file"):
        read_lines(tmp_path / "in.jsonl")


def test_bytes_that_are_no_text(write: Write) -> None:
    file = write()
    file.write_bytes(b"\xff\xfe\x00{\n" + json.dumps(line("a")).encode())
    with pytest.raises(LineError, match="line 1"):
        read_lines(file)
