"""Bodies that are packed, deep, double, huge or not what they seem."""

import asyncio
import base64
import gzip
import json
import time
import zlib
from contextlib import suppress

import pytest

from tests.security.conftest import MAX_BODY_MB, Target
from tests.security.raw import MODEL, Answer, Wire, ask, chunked, completion, exchange, get, post

MIB = 2**20


def bomb(window_bits: int, megabytes: int = 1024) -> bytes:
    """Zeros, packed a thousand to one; what stands between two full flushes can be repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    first = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (megabytes - 1) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "window_bits"),
    [(b"gzip", 31), (b"deflate", 15), (b"deflate", -15)],
    ids=["gzip", "zlib", "raw deflate"],
)
async def test_a_gigabyte_of_zeros_packed_takes_no_memory(
    target: Target, coding: bytes, window_bits: int
) -> None:
    before = target.resident_bytes()
    target.forget_peak()
    data = post(bomb(window_bits), b"Content-Encoding: " + coding)
    answer = await ask(target.port, data, timeout=15)
    assert answer.status in (400, 413, 415)
    assert target.peak_bytes() - before < 100 * MIB
    assert target.tap.posts() == []


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"compress", b"gzip, gzip", b"x", b"gzip"])
async def test_a_coding_that_is_not_there_is_refused(target: Target, coding: bytes) -> None:
    data = post(b"\x1f\x8b not packed at all", b"Content-Encoding: " + coding)
    assert (await ask(target.port, data)).status in (400, 415)
    assert target.tap.posts() == []


async def test_a_packed_request_is_refused_or_reaches_the_engine_in_a_form_that_it_reads(
    target: Target,
) -> None:
    body = completion("packed")
    answer = await ask(target.port, post(gzip.compress(body), b"Content-Encoding: gzip"))
    if answer.status != 200:
        assert answer.status in (400, 415)
        return
    (asked,) = target.tap.posts()
    packed = asked.all("content-encoding") == ["gzip"]
    assert (gzip.decompress(asked.body) if packed else asked.body) == body


# ── size ────────────────────────────────────────────────────────────────────────────────────


async def test_a_body_beyond_the_limit_is_refused_by_its_length_alone(target: Target) -> None:
    framing = b"Content-Length: %d" % (MAX_BODY_MB * 10**6 + 1)
    (answer,) = await exchange(target.port, post(b"", framing=framing), timeout=3)
    assert answer.status == 413


async def test_a_chunked_body_beyond_the_limit_is_refused_and_not_kept(target: Target) -> None:
    before = target.resident_bytes()
    target.forget_peak()
    async with Wire(target.port) as wire:
        await wire.send(post(b"", framing=b"Transfer-Encoding: chunked"))
        for _ in range(200):
            await wire.send(b"100000\r\n" + b" " * MIB + b"\r\n")
        assert (await wire.answer()).status == 413
    assert target.peak_bytes() - before < 60 * MIB


async def test_a_body_in_tiny_chunks_costs_no_more_than_it_weighs(target: Target) -> None:
    before = target.resident_bytes()
    target.forget_peak()
    body = completion("y" * 300_000)
    data = post(chunked(body, 1), framing=b"Transfer-Encoding: chunked")
    assert (await ask(target.port, data, timeout=15)).status in (200, 400)
    assert target.peak_bytes() - before < 100 * MIB


CHUNKED = post(b"", framing=b"Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (CHUNKED + b"2\r\n{}\r\n0\r\nX: ", b"y" * MIB),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * (MIB // 6)),
        (CHUNKED + b"2;", b"y" * MIB),
        (CHUNKED, b"0" * MIB),
        (b"", b"\r\n" * (MIB // 2)),
    ],
    ids=["a trailer", "trailers", "a chunk extension", "a chunk size", "empty lines"],
)
async def test_what_has_no_length_of_its_own_has_an_end(
    target: Target, first: bytes, piece: bytes
) -> None:
    before = target.resident_bytes()
    target.forget_peak()
    async with Wire(target.port) as wire:
        await wire.send(first)
        for _ in range(32):
            await wire.send(piece)
        said = await wire.rest(5)
    assert said == b"" or said[9:12] in (b"400", b"413", b"431")
    assert target.peak_bytes() - before < 30 * MIB
    assert target.tap.posts() == []


# ── JSON ────────────────────────────────────────────────────────────────────────────────────


def deep(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    inner = opening * levels + closing * levels
    return b'{"model":"demo-qwen3","prompt":"deep","max_tokens":8,"x":' + inner.encode() + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        deep(100_000),
        deep(100_000, '{"a":[', "]}"),
        deep(200),
        deep(129),
        b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 7_000_000,
    ],
    ids=["lists", "objects", "whole", "in a field", "mixed", "200", "129", "model", "7 MB"],
)
async def test_a_body_that_is_nested_too_deeply_is_refused(target: Target, body: bytes) -> None:
    answer = await ask(target.port, post(body), timeout=10)
    assert answer.status == 400
    assert "message" in answer.error
    assert target.tap.posts() == []


@pytest.mark.parametrize(
    "inner",
    [b"{}," * 2_300_000, b'{"model":"DEMO-QWEN3"},' * 5_000, b'"\\"",' * 1_000_000],
    ids=["brackets", "names of models", "texts"],
)
async def test_a_body_full_of_something_keeps_nobody_waiting(target: Target, inner: bytes) -> None:
    """It is looked through for its depth and its model: that must not stop the event loop."""
    asked = b'{"model":"DEMO-QWEN3","prompt":"x","x":[' + inner + b"0]}"
    async with Wire(target.port) as wire:
        await wire.send(post(asked))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        assert (await ask(target.port, get(b"/health"), timeout=20)).status == 200
        took_s = time.monotonic() - began
        assert (await wire.answer(20)).status in (200, 400)
    assert took_s < 2.0


async def test_brackets_in_a_text_are_not_nesting(target: Target) -> None:
    for prompt in ("[" * 100_000, '\\"[{' * 1000, "\\\\" * 999 + "[" * 999, '"' + "[" * 999):
        asked = completion(prompt, max_tokens=1)
        answer = await ask(target.port, post(asked))
        assert answer.status in (200, 400)  # the fake engine has a context of 2,048 words
        assert [each.body for each in target.tap.posts()] == [asked]
        target.tap.clear()
    assert (await ask(target.port, post(deep(100)))).status == 200


NAMED_TWICE = {
    "ours, theirs": b'{"model":"demo-qwen3","prompt":"a","model":"other"}',
    "theirs, ours": b'{"model":"other","prompt":"a","model":"demo-qwen3"}',
    "ours in other case, ours": b'{"model":"DEMO-QWEN3","prompt":"a","model":"demo-qwen3"}',
    "ours, ours in other case": b'{"model":"demo-qwen3","prompt":"a","model":"DEMO-QWEN3"}',
    "the second escaped": b'{"model":"demo-qwen3","prompt":"a","\\u006dodel":"other"}',
    "the first escaped": b'{"\\u006dodel":"other","prompt":"a","model":"demo-qwen3"}',
    "alone and escaped": b'{"\\u006d\\u006fdel":"DEMO-QWEN3","prompt":"a"}',
    "the value escaped": b'{"model":"\\u0044EMO-QWEN3","prompt":"a"}',
    "null, ours": b'{"model":null,"prompt":"a","model":"DEMO-QWEN3"}',
    "ours, null": b'{"model":"DEMO-QWEN3","prompt":"a","model":null}',
    "stream twice": b'{"model":"DEMO-QWEN3","prompt":"a","stream":true,"stream":false}',
}


@pytest.mark.parametrize("body", NAMED_TWICE.values(), ids=list(NAMED_TWICE))
async def test_gateway_and_engine_understand_the_same_model(target: Target, body: bytes) -> None:
    """What the gateway admitted is what the engine reads."""
    answer = await ask(target.port, post(body))
    assert answer.status in (200, 400, 404)
    for asked in target.tap.posts():
        assert json.loads(asked.body)["model"] == MODEL  # of two the last counts, as for vLLM


async def test_only_the_model_at_the_top_is_replaced(target: Target) -> None:
    body = (
        b' \t{"a" : {"model": "DEMO-QWEN3"}, "prompt":"\\u00e9 \\"model\\": \\"x\\"", "n": 1.0,'
        b'"model"\n:\r"DEMO-QWEN3" ,"max_tokens":4, "b":[{"model":"DEMO-QWEN3"}], "c":1e2}\r\n '
    )
    assert (await ask(target.port, post(body))).status == 200
    (asked,) = target.tap.posts()
    wanted = body.replace(b'\r"DEMO-QWEN3" ,', b'\r"demo-qwen3" ,')
    assert asked.body == wanted


@pytest.mark.parametrize(
    "body",
    [
        completion("x").replace(b"32}", b"1" * 5000 + b"}"),
        completion("x").replace(b"32}", b"-" + b"1" * 400_000 + b"}"),
        completion("x").replace(b"32}", b"1e400}"),
        completion("x").replace(b"32}", b"1e" + b"9" * 5000 + b"}"),
        completion("x").replace(b"32}", b"0." + b"1" * 100_000 + b"}"),
        completion("x").replace(b"32}", b'32,"x":NaN}'),
        completion("x").replace(b"32}", b'32,"x":-Infinity}'),
        completion("x").replace(b"32}", b"0x20}"),
        completion("x").replace(b"32}", b"032}"),
        completion("\ud800"),
        completion("x").replace(b'"x"', b'"\\ud800\\ud800"'),
        completion("x").replace(b'"x"', b'"\\u0000"'),
        completion("x").replace(b'"x"', b'"\x00"'),
        completion("x").replace(b'"x"', b'"\xff\xfe"'),
        completion("x").replace(b'"x"', b'"\xed\xa0\x80"'),
        completion("x").decode().encode("utf-16"),
        completion("x").decode().encode("utf-32"),
        b"\xef\xbb\xbf" + completion("x"),
        completion("x") + b"\x00",
        completion("x") + completion("y"),
        completion("x")[:-1],
        completion("x") + b" garbage",
        b"\x0c" + completion("x"),
        b"",
        b" ",
        b"null",
        b'"demo-qwen3"',
        b"{}",
        b'{"model":{}}',
        b'{"model":[]}',
        b'{"model":0}',
        b'{"model":true}',
        b"{'model':'demo-qwen3'}",
        b'{model:"demo-qwen3"}',
        b'{"model":"demo-qwen3",}',
        b'{"model":"demo-qwen3"/**/}',
        b'\x80\x04\x95\x0b\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.',
    ],
)  # fmt: skip
async def test_strange_json_is_an_answer_and_not_a_mistake(target: Target, body: bytes) -> None:
    answer = await ask(target.port, post(body), timeout=10)
    assert answer.status in (200, 400, 404)
    assert answer.status == 200 or "message" in answer.error
    for asked in target.tap.posts():
        assert asked.body == body


# ── an engine that answers nonsense ─────────────────────────────────────────────────────────

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
NONSENSE = {
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 90\r\n\r\n{}",
    "length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}",
    "a negative length": OK + b"Content-Length: -2\r\n\r\n{}",
    "a NUL in a header": OK + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "no HTTP": b"hello\r\n\r\n",
    "nothing": b"",
    "half a head": OK,
    "a head without end": OK + b"X: " + b"y" * 200_000,
    "a bad status": b"HTTP/1.1 2OO OK\r\nContent-Length: 2\r\n\r\n{}",
    "status 101": b"HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}",
    "TLS": bytes.fromhex("15030100020228"),
}
CUT = {
    "fewer bytes than said": OK + b"Content-Length: 200\r\n\r\n{}",
    "a chunk that lacks its end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
    "a chunk of words": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n",
}


def played(data: bytes) -> bytes:
    return post(completion("odd"), b"x-tap: bytes " + base64.b64encode(data))


@pytest.mark.parametrize("data", [each for each in NONSENSE.values() if len(each) < 9000])
async def test_an_engine_s_nonsense_is_a_502_or_the_end_of_the_connection(
    target: Target, data: bytes
) -> None:
    async with Wire(target.port) as wire:
        await wire.send(played(data))
        try:
            answer = await wire.answer(8)
        except EOFError:
            return
        assert answer.status in (502, 503)
        assert "message" in answer.error


@pytest.mark.parametrize("data", CUT.values(), ids=list(CUT))
async def test_half_an_answer_is_not_taken_for_a_whole_one(target: Target, data: bytes) -> None:
    async with Wire(target.port) as wire:
        await wire.send(played(data))
        with suppress(EOFError):  # its status had been sent: then the end says that it is half
            assert (await wire.answer(8)).status == 502


async def test_an_answer_has_one_length_and_no_more_than_it_says(target: Target) -> None:
    data = OK + b"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with Wire(target.port) as wire:
        await wire.send(played(data))
        answer: Answer = await wire.answer()
        assert (answer.status, answer.body) == (200, b"{}")
        await wire.send(post(completion("next")))
        with suppress(EOFError):
            assert b"next" in (await wire.answer()).body
