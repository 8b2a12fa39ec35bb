"""JSON of all kinds into the parts that read and edit it as bytes."""

import json
import time
from contextlib import suppress
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sparkwell.core.errors import UsageError
from sparkwell.gateway.request import DEEPEST, read_model_request
from sparkwell.gateway.splicing import depth

texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["model", "stream", '"', "\\", "[{", "}]", "\\u0022", '","model":"x', "\u2028", "\x7f", "💡"]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
spaces = st.sampled_from(["", "", " ", "\n", "\r\n\t "])


@st.composite
def bodies(draw: Any) -> bytes:
    """An object as text, fields twice, escapes and white space included."""

    def key(name: str) -> str:
        plain: str = json.dumps(name, ensure_ascii=draw(st.booleans()))
        escape = draw(st.booleans()) and name.startswith("m")
        return plain.replace("m", "\\u006d", 1) if escape else plain

    fields = draw(st.lists(st.tuples(texts | st.just("model"), values), max_size=6))
    written = [
        f"{draw(spaces)}{key(name)}{draw(spaces)}:{draw(spaces)}"
        f"{json.dumps(value, ensure_ascii=draw(st.booleans()))}{draw(spaces)}"
        for name, value in fields
    ]
    return f"{draw(spaces)}{{{','.join(written)}}}{draw(spaces)}".encode()


def deep(value: object) -> int:
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    return 0 if inner is None else 1 + max(map(deep, inner), default=0)


@given(values)
@settings(max_examples=150, deadline=None)
def test_depth_is_that_of_the_parsed(value: object) -> None:
    assert depth(json.dumps(value, indent=1).encode()) == deep(value)


@st.composite
def broken(draw: Any) -> bytes:
    """Such an object with a few bytes changed."""
    data = bytearray(draw(bodies()))
    odd = st.binary(max_size=2) | st.sampled_from(
        [
            b'"',
            b"\\",
            b"{",
            b"]",
            b",",
            b"NaN",
            b"\\ud800",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\0",
            b"1e999",
        ]
    )
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(odd)
    return bytes(data)


@given(st.one_of(bodies(), broken(), st.binary(max_size=60)), texts)
@settings(max_examples=150, deadline=None)
@example(b'{"model":"a","x":NaN}', "m")
@example(b'{"model":"\\ud800"}', "m")
@example('{"model":"a"}'.encode("utf-16"), "m")
@example(b"\xef\xbb\xbf" + b'{"model":"a"}', "m")
@example(b'{"model":"a","model":"b"}', "m")
@example(b'{"model":"a","x":{"model":"a"}}', "m")
@example(b'{"x":"\\\\","model":"a","y":"\\"model\\":\\"a\\""}', "m")
@example(b'{"model":"a","\\u006dodel":"a"}', "m")
@example(b'{"\\u006dodel":"a","model":"a"}', "m")
def test_whoever_reads_a_body_finds_the_model_that_an_engine_would_find(
    body: bytes, name: str
) -> None:
    try:
        asked = read_model_request(body)
    except UsageError:
        return
    try:
        data = json.loads(body.decode("utf-8-sig"))
    except ValueError:  # what is passed over is not checked: an engine refuses it
        return
    assert asked.model == data["model"]
    assert asked.stream is (data.get("stream") is True)
    assert asked.edited(asked.model) == body
    try:
        edited = asked.edited(name, with_usage=True)
    except UsageError:  # a name that is written with escapes cannot be found
        assert b"\\u" in body
        return
    options = data.get("stream_options")
    wish = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    wanted = {**data, "model": name, "stream_options": wish}
    # A name that is there twice, plain and with escapes: an engine refuses what it reads then.
    assert b"\\u" in body or json.loads(edited.decode("utf-8-sig")) == wanted


def test_many_names_alike_take_no_longer_than_their_bytes() -> None:
    inner = b'{"model":"DEMO"},' * 4_000
    asked = read_model_request(b'{"model":"DEMO","x":[' + inner + b"0]}")
    began = time.perf_counter()
    with suppress(UsageError):
        asked.edited("demo")
    assert time.perf_counter() - began < 1.0


@given(st.integers(1, 400), st.sampled_from(["[]", "{}", "mixed"]))
def test_depth_is_counted_exactly(levels: int, kind: str) -> None:
    opens, closes = {"[]": ("[", "]"), "{}": ('{"a":', "}"), "mixed": ('[{"a":', "}]")}[kind]
    inner = opens * levels + "0" + closes * levels
    body = f'{{"model":"a","x":{inner}}}'.encode()
    nested = 1 + levels * (2 if kind == "mixed" else 1)
    assert depth(body) == nested
    try:
        read_model_request(body)
        assert nested <= DEEPEST
    except UsageError:
        assert nested > DEEPEST
