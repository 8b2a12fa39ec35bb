"""Headers: how many, what they may not carry through, and who may come in without a key."""

import string

import pytest

from tests.security.conftest import Target
from tests.security.raw import MODEL, Answer, Wire, ask, completion, get, post

NO_ENTRY = {400, 401, 403, 415, 421}


# ── how many ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers",
    [
        [b"X-%d: y" % at for at in range(101)],
        [b"X: " + b"y" * 40_000],
        [b"X-%d: %b" % (at, b"y" * 900) for at in range(40)],
        [b"X" * 40_000 + b": y"],
    ],
    ids=["101 headers", "a long value", "40 KB in all", "a long name"],
)
async def test_too_much_of_a_head_is_431_and_the_end(target: Target, headers: list[bytes]) -> None:
    async with Wire(target.port) as wire:
        await wire.send(post(completion("much"), *headers))
        answer = await wire.answer()
        assert answer.status == 431
        assert "message" in answer.error
        await wire.rest()
    assert target.tap.posts() == []


async def test_what_a_client_usually_sends_is_not_too_much(target: Target) -> None:
    headers = [b"X-%d: %b" % (at, b"y" * 250) for at in range(80)]
    assert (await ask(target.port, post(completion("fine"), *headers))).status == 200
    (asked,) = target.tap.posts()
    assert asked.all("x-79") == ["y" * 250]


async def test_a_head_without_end_is_refused_before_it_is_kept(target: Target) -> None:
    before = target.resident_bytes()
    async with Wire(target.port) as wire:
        await wire.send(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        for _ in range(64):
            await wire.send(b"X: " + b"y" * 2**20 + b"\r\n")
        assert b" 431 " in (await wire.some())[:40]
    assert target.resident_bytes() - before < 20 * 2**20


# ── what goes through ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        f"{MODEL}\r\nX-Injected: yes",
        f"{MODEL}\nX-Injected: yes",
        f"{MODEL}\r\n\r\nHTTP/1.1 200 OK",
        f"{MODEL}\x00",
        f"{MODEL}\x85",
        f"{MODEL}\u2028",
        f"{MODEL}嘊嘍X-Injected: yes",
        "DEMO-QWEN3\r\n",
        "ollama/x\r\nX-Injected: yes",
        "\U0001d521emo",
        "../../etc/passwd",
        "ollama/../../x",
        "m" * 256,
        "m" * 257,
        "嘊" * 255,
        "\ud800",
        "",
        " ",
    ],
)
async def test_a_model_s_name_stays_out_of_headers(target: Target, name: str) -> None:
    for stream in (False, True):
        answer = await ask(target.port, post(completion("x", model=name, stream=stream)))
        assert answer.status in (400, 404)
        assert answer.one("x-injected") is None
        assert "message" in answer.error
    assert target.tap.posts() == []


async def test_the_client_s_own_request_id_comes_back(target: Target) -> None:
    for own in (
        "abc",
        string.digits + string.ascii_letters + "-_./:;=+~!#$%&'*|^`(){}[]<>?@,\"",
        "x" * 128,
    ):
        answer = await ask(target.port, post(completion("id"), b"X-Request-Id: " + own.encode()))
        assert answer.all("x-request-id") == [own]


@pytest.mark.parametrize(
    "headers",
    [
        [b"X-Request-Id: " + b"x" * 129],
        [b"X-Request-Id: a b"],
        [b"X-Request-Id: \xe9"],
        [b"X-Request-Id: a\tb"],
        [b"X-Request-Id:"],
        [],
    ],
)
async def test_another_request_id_is_made_anew(target: Target, headers: list[bytes]) -> None:
    answer = await ask(target.port, post(completion("id"), *headers))
    (made,) = answer.all("x-request-id")
    assert 0 < len(made) <= 128
    assert made.isascii()
    assert made.isprintable()
    assert " " not in made
    assert made != "x" * 129


async def test_keys_cookies_and_what_belongs_to_the_connection_stay_here(target: Target) -> None:
    secret = b"sk-sw-" + b"s" * 43
    answer = await ask(
        target.port,
        post(
            completion("private"),
            b"Cookie: sparkwell=secret",
            b"Connection: keep-alive, X-Hop",
            b"Keep-Alive: timeout=5",
            b"Proxy-Authorization: Basic secret",
            b"Proxy-Connection: keep-alive",
            b"TE: trailers",
            b"Trailer: X",
            b"X-Hop: secret",
            b"X-Kept: kept",
        ),
    )
    assert answer.status == 200
    (asked,) = target.tap.posts()
    names = {name for name, _ in asked.headers}
    assert "x-kept" in names
    assert not names & {"cookie", "keep-alive", "proxy-authorization", "proxy-connection", "te"}
    assert not names & {"trailer", "x-hop", "authorization", "x-api-key"}
    await ask(target.port, post(completion("keyed"), b"Authorization: Bearer " + secret))
    await ask(target.port, post(completion("keyed"), b"x-api-key: " + secret))
    assert not target.tap.has_seen(secret.decode())


# ── who may come in without a key ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", [b"127.0.0.1", b"localhost", b"LOCALHOST:9", b"[::1]:8000"])
async def test_this_machine_s_own_names_are_served(target: Target, host: bytes) -> None:
    assert (await ask(target.port, post(completion("x"), host=host))).status == 200


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:8000",
        b"127.0.0.1.evil.example",
        b"localhost.evil.example",
        b"localhost@evil.example",
        b"evil.example#localhost",
        b"evil.example/localhost",
        b"evil.example?localhost",
        b"evil.example, localhost",
        b"localhost, evil.example",
        b"localhost evil.example",
        b"2130706433",
        b"0x7f000001",
        b"127.1",
        b"[evil.example]",
        b"[::1",
        b"::1]",
        b":8000",
        b"",
        b"%6cocalhost",
        b"localhost%00.evil.example",
        b"loc\xe4lhost",
        b"evil.localhost.example",
        None,
    ],
)
async def test_another_host_is_not_served(target: Target, host: bytes | None) -> None:
    """A page of evil.example whose name suddenly points to 127.0.0.1 (DNS rebinding)."""
    refused(target, await ask(target.port, post(completion("x"), host=host)))


async def test_two_hosts_are_refused(target: Target) -> None:
    refused(target, await ask(target.port, post(completion("x"), b"Host: evil.example")))
    refused(target, await ask(target.port, post(completion("x"), b"Host: 127.0.0.1")))


@pytest.mark.parametrize(
    "origin",
    [
        b"http://evil.example",
        b"http://127.0.0.1:1",
        b"http://localhost:3000",
        b"http://127.0.0.1.evil.example",
        b"null",
        b"",
        b"file://",
        b"chrome-extension://abcdef",
        b"http://127.0.0.1\x80",
        b"http://evil.example, http://127.0.0.1",
    ],
)
async def test_a_page_from_elsewhere_may_not_use_the_models(target: Target, origin: bytes) -> None:
    refused(target, await ask(target.port, post(completion("x"), b"Origin: " + origin)))


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"CROSS-SITE", b"nonsense"])
async def test_a_browser_that_says_so_itself_is_believed(target: Target, site: bytes) -> None:
    refused(target, await ask(target.port, post(completion("x"), b"Sec-Fetch-Site: " + site)))


async def test_two_origins_are_refused(target: Target) -> None:
    own = b"Origin: http://127.0.0.1"
    refused(
        target, await ask(target.port, post(completion("x"), own, b"Origin: http://evil.example"))
    )
    refused(
        target, await ask(target.port, post(completion("x"), b"Origin: http://evil.example", own))
    )


async def test_our_own_page_may(target: Target) -> None:
    host = b"127.0.0.1:%d" % target.port
    data = post(
        completion("x"), b"Origin: http://" + host, b"Sec-Fetch-Site: same-origin", host=host
    )
    assert (await ask(target.port, data)).status == 200


@pytest.mark.parametrize(
    "header",
    [
        b"Forwarded: for=8.8.8.8",
        b"Forwarded: for=127.0.0.1",
        b"Forwarded:",
        b"X-Forwarded-For: 8.8.8.8",
        b"x-forwarded-FOR: 127.0.0.1",
        b"X-Forwarded-Host: localhost",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Port: 443",
        b"X-Forwarded-Server: proxy",
        b"X-Real-IP: 127.0.0.1",
        b"Via: 1.1 proxy",
    ],
)
async def test_behind_a_proxy_nobody_is_served_without_a_key(target: Target, header: bytes) -> None:
    answer = await ask(target.port, post(completion("x"), header))
    refused(target, answer)
    assert "sparkwell keys add" in answer.error["message"]


@pytest.mark.parametrize(
    "content_type",
    [
        b"text/plain",
        b"text/plain;application/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"application/jsonx",
        b"application/json, text/plain",
        b"",
        None,
    ],
)
async def test_what_a_form_can_send_is_not_taken(
    target: Target, content_type: bytes | None
) -> None:
    refused(target, await ask(target.port, post(completion("x"), content_type=content_type)))


@pytest.mark.parametrize(
    "content_type", [b"application/json; charset=utf-8", b"Application/JSON", b"application/json;"]
)
async def test_json_by_its_other_spellings_is_taken(target: Target, content_type: bytes) -> None:
    assert (await ask(target.port, post(completion("x"), content_type=content_type))).status == 200


async def test_cross_origin_requests_are_off(target: Target) -> None:
    asks = (b"Origin: http://evil.example", b"Access-Control-Request-Method: POST")
    answer = await ask(target.port, get(b"/v1/completions", *asks, method=b"OPTIONS"))
    assert answer.status in (403, 405)
    assert not [name for name, _ in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: Bearer sk-sw-" + b"x" * 43,
        b"Authorization: Bearer not-needed",
        b"Authorization: Basic Og==",
        b"Authorization:",
        b"x-api-key: " + b"x" * 5000,
    ],
)
async def test_a_key_that_nobody_asks_for_does_no_harm(target: Target, header: bytes) -> None:
    """Without keys a direct loopback peer is served, whatever its client sends as a key."""
    assert (await ask(target.port, post(completion("x"), header))).status == 200


def refused(target: Target, answer: Answer) -> None:
    assert answer.status in NO_ENTRY, answer
    assert "message" in answer.error
    assert target.tap.posts() == []
