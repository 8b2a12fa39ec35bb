"""Methods, versions, targets and upgrades that are none of the gateway's, or that it must bear."""

import asyncio

import pytest

from tests.security.conftest import MAX_BODY_MB, Target
from tests.security.raw import Wire, ask, chunked, completion, exchange, get, post

HELLO = (
    bytes.fromhex("1603010075010000710303")
    + bytes(32)
    + bytes.fromhex("00000213010100")
    + bytes(70)
)
"""As much of a TLS ClientHello as a server looks at first."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)
SOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize(
    ("data", "allowed"),
    [
        (get(b"*", method=b"OPTIONS"), {400, 404, 405, 501}),
        (get(b"/v1/models", method=b"OPTIONS"), {405}),
        (get(b"example.com:443", method=b"CONNECT"), {400, 404, 405, 501}),
        (get(b"127.0.0.1:22", method=b"CONNECT"), {400, 404, 405, 501}),
        (get(b"/v1/models", b"X-Secret: told", method=b"TRACE"), {405, 501}),
        (get(b"/v1/models", b"X-Secret: told", method=b"TRACK"), {400, 405, 501}),
        (get(b"/v1/models", method=b"DELETE"), {405}),
        (get(b"/v1/completions"), {405}),
        (get(b"/v1/completions", method=b"PUT"), {405}),
        (get(b"/v1/models", method=b"PROPFIND"), {400, 405, 501}),
        (get(b"/v1/models", method=b"get"), {400, 405, 501}),
        (get(b"/v1/models", method=b"G\tT"), {400}),
        (get(b"/v1/models", method=b"G" * 5000), {400, 414, 501}),
        (get(b"/v1/models", method=b"\x80"), {400}),
        (get(b"/v1/models", method=b""), {400}),
    ],
)  # fmt: skip
async def test_a_method_that_is_not_served_is_refused(
    target: Target, data: bytes, allowed: set[int]
) -> None:
    answer = await ask(target.port, data)
    assert answer.status in allowed
    assert b"told" not in answer.body
    assert answer.one("access-control-allow-origin") is None
    assert target.tap.posts() == []


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/models",
        b"GET /v1/models HTTP/1.1 HTTP/1.1",
        b"GET /v1/models\tHTTP/1.1",
        b"GET /v1/models HTTP/1.",
        b"GET /v1/models HTTP/11",
        b"GET /v1/models HTTP/1.10",
        b"GET /v1/models HTTP/2.0",
        b"GET /v1/models HTTP/0.9",
        b"GET /v1/models HTTP/-1.1",
        b"GET /v1/models http/1.1",
        b"GET /v1/models HTTPS/1.1",
        b"GET /v1/models ICY",
        b" GET /v1/models HTTP/1.1",
        b"GET",
        b"\x00",
    ],
)
async def test_a_wrong_request_line_is_refused_and_ends_the_connection(
    target: Target, line: bytes
) -> None:
    found = await exchange(target.port, line + b"\r\nHost: 127.0.0.1\r\n\r\n" + get())
    assert [each.status for each in found] in ([400], [505], [])


@pytest.mark.parametrize(
    "data",
    [
        HELLO,
        PREFACE,
        b"GET /\r\n\r\n",
        b"\x80\x2e\x01\x03\x01",
        b"SSH-2.0-x\r\n",
        b"\x05\x01\x00\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "HTTP/0.9", "SSL 2", "SSH", "SOCKS"],
)
async def test_another_protocol_ends_the_connection_at_once(target: Target, data: bytes) -> None:
    async with Wire(target.port) as wire:
        await wire.send(data)
        if data.startswith(b"\x80"):
            await wire.send(b"\r\n\r\n")
        said = await wire.rest(2)
    assert said == b"" or said[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 505 ")
    assert not target.tap.posts()


# ── versions and keep-alive ─────────────────────────────────────────────────────────────────


async def test_http_1_0_is_a_proxy_s_without_a_key(target: Target) -> None:
    """nginx asks by it unless it is told otherwise, and would open the machine to everybody."""
    (answer,) = await exchange(target.port, post(completion("old"), version=b"HTTP/1.0"))
    assert answer.status == 401
    assert "sparkwell keys add" in answer.error["message"]


async def test_connection_close_is_heeded(target: Target) -> None:
    (answer,) = await exchange(target.port, post(completion("last"), b"Connection: close"))
    assert answer.status == 200


# ── targets ─────────────────────────────────────────────────────────────────────────────────


async def test_an_absolute_target_is_this_server_or_refused(target: Target) -> None:
    own = b"http://127.0.0.1:%d/v1/completions" % target.port
    assert (await ask(target.port, post(completion("own"), path=own))).status in (200, 400)
    target.tap.clear()
    foreign = post(completion("foreign"), path=b"http://evil.example/v1/completions")
    assert (await ask(target.port, foreign)).status in (400, 401, 403, 404, 421)
    assert target.tap.posts() == []


@pytest.mark.parametrize(
    "path", [b"v1/models", b"", b"?", b"#", b"//", b"http:", b"http://", b"[::1]", b"/\x80"]
)
async def test_a_target_that_is_no_path_is_refused(target: Target, path: bytes) -> None:
    found = await exchange(target.port, get(path, b"Connection: close"))
    assert [each.status for each in found] in ([400], [404])


# ── upgrades ────────────────────────────────────────────────────────────────────────────────


async def test_java_s_offer_of_h2c_is_served_as_http_1_1(target: Target) -> None:
    async with Wire(target.port) as wire:
        for word in ("first", "second"):
            await wire.send(post(completion(word), *UPGRADE))
            answer = await wire.answer()
            assert answer.status == 200
            assert word in answer.json["choices"][0]["text"].split()
    for asked in target.tap.posts():
        assert asked.all("upgrade") == asked.all("http2-settings") == []


async def test_an_offer_of_h2c_with_a_chunked_body_is_served(target: Target) -> None:
    data = post(chunked(completion("c")), *UPGRADE, framing=b"Transfer-Encoding: chunked")
    async with Wire(target.port) as wire:
        await wire.send(data + get())
        assert [(await wire.answer()).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (
            post(
                chunked(completion("x")),
                *UPGRADE,
                framing=b"Transfer-Encoding: chunked",
                host=b"evil.example",
            ),
            421,
        ),
        (post(b"", *UPGRADE, framing=b"Content-Length: %d" % (MAX_BODY_MB * 10**6 + 1)), 413),
    ],
    ids=["another host", "a body that is too large"],
)
async def test_a_refusal_behind_an_offer_of_h2c_is_said(
    target: Target, data: bytes, status: int
) -> None:
    (answer,) = await exchange(target.port, data)
    assert answer.status == status


@pytest.mark.parametrize("data", [get(b"/v1/models", *SOCKET), get(b"/v1/models", *UPGRADE)])
async def test_nothing_is_upgraded(target: Target, data: bytes) -> None:
    async with Wire(target.port) as wire:
        await wire.send(data + get())
        first = await wire.answer()
        assert first.status in (200, 400)
        if first.status == 200:
            assert (await wire.answer()).status == 200


async def test_a_method_and_path_for_a_web_socket_of_the_engine_is_not_relayed(
    target: Target,
) -> None:
    assert (await ask(target.port, get(b"/v1/realtime", *SOCKET))).status in (400, 404)


# ── Expect ──────────────────────────────────────────────────────────────────────────────────


async def test_who_waits_for_100_gets_it(target: Target) -> None:
    body = completion("patience")
    head, _, _ = post(body, b"Expect: 100-continue").partition(b"\r\n\r\n")
    async with Wire(target.port) as wire:
        await wire.send(head + b"\r\n\r\n")
        assert (await wire.answer(2)).status == 100
        await wire.send(body)
        assert (await wire.answer()).status == 200
    (asked,) = target.tap.posts()
    assert asked.all("expect") == []


async def test_who_asks_for_100_and_does_not_wait_is_served(target: Target) -> None:
    async with Wire(target.port) as wire:
        await wire.send(post(completion("hasty"), b"Expect: 100-continue"))
        answer = await wire.answer()
        if answer.status == 100:
            answer = await wire.answer()
        assert answer.status == 200


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent(target: Target) -> None:
    framing = b"Content-Length: %d" % (MAX_BODY_MB * 10**6 + 1)
    (answer,) = await exchange(
        target.port, post(b"", b"Expect: 100-continue", framing=framing), timeout=3
    )
    assert answer.status == 413


async def test_another_expectation_is_refused_or_ignored(target: Target) -> None:
    answer = await ask(target.port, post(completion("x"), b"Expect: the-unexpected"))
    assert answer.status in (200, 417)


async def test_a_head_request_has_no_body(target: Target) -> None:
    async with Wire(target.port) as wire:
        await wire.send(get(b"/health", method=b"HEAD") + get())
        first = await wire.answer(head_only=True)
        assert first.status in (200, 405)
        assert (await wire.answer()).json["object"] == "list"
    await asyncio.sleep(0)
