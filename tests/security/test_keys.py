"""With keys: who has a right one is served, whoever else says what, and nobody learns more."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.security.conftest import Target, running, unharmed
from tests.security.raw import Answer, Wire, ask, completion, exchange, get, post


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, str, str]]:
    """A daemon with a good key and a revoked one."""
    with running(tmp_path_factory.mktemp("keyed"), {}) as target:
        good = target.home.ok("keys", "add", "good").strip()
        gone = target.home.ok("keys", "add", "gone").strip()
        target.home.ok("keys", "revoke", "gone")
        yield target, good, gone


@pytest.fixture
async def guarded(keyed: tuple[Target, str, str]) -> AsyncIterator[Target]:
    target = keyed[0]
    bearer = b"Authorization: Bearer " + keyed[1].encode()
    async for each in unharmed(target, bearer):
        yield each


@pytest.fixture
def good(keyed: tuple[Target, str, str]) -> str:
    return keyed[1]


@pytest.fixture
def gone(keyed: tuple[Target, str, str]) -> str:
    return keyed[2]


async def with_(target: Target, *headers: str, path: bytes = b"/v1/completions") -> Answer:
    return await ask(
        target.port, post(completion("keyed"), *(h.encode() for h in headers), path=path)
    )


@pytest.mark.parametrize(
    "header",
    ["Authorization: Bearer {}", "authorization: bearer {}", "x-api-key: {}", "X-API-KEY: {}"],
)
async def test_a_right_key_is_served_and_goes_no_further(
    guarded: Target, good: str, header: str
) -> None:
    assert (await with_(guarded, header.format(good))).status == 200
    assert len(guarded.tap.posts()) == 1
    assert not guarded.tap.has_seen(good)


@pytest.mark.parametrize(
    "header",
    [
        "X: none",
        "Authorization:",
        "Authorization: Bearer",
        "Authorization: Bearer  ",
        "Authorization: {}",
        "Authorization: Basic {}",
        "Authorization: Bearer {}x",
        "Authorization: Bearer x{}",
        "Authorization: Bearer {} {}",
        "Authorization: Bearer {},{}",
        "Authorization: Bearer sk-sw-",
        "Authorization: Bearer ' OR 1=1 --",
        "Authorization: Bearer %00",
        "x-api-key: not-needed",
        "Cookie: key={}",
        "X-Forwarded-Authorization: Bearer {}",
        "Proxy-Authorization: Bearer {}",
    ],
)
async def test_all_else_is_401_and_reaches_nothing(guarded: Target, good: str, header: str) -> None:
    refused(guarded, await with_(guarded, header.format(good, good)))


async def test_a_part_of_a_key_opens_nothing(guarded: Target, good: str) -> None:
    for length in range(len(good)):
        refused(guarded, await with_(guarded, f"Authorization: Bearer {good[:length]}"))
    swapped = good[:-1] + ("A" if good[-1] != "A" else "B")
    refused(guarded, await with_(guarded, f"Authorization: Bearer {swapped}"))
    other = good[:6] + good[6:].swapcase()
    refused(guarded, await with_(guarded, f"Authorization: Bearer {other}"))


async def test_a_revoked_key_is_told_so_and_a_wrong_one_is_not(guarded: Target, gone: str) -> None:
    answer = await with_(guarded, f"Authorization: Bearer {gone}")
    refused(guarded, answer)
    assert "revoked" in answer.error["message"]
    wrong = await with_(guarded, f"Authorization: Bearer {gone[:-1]}")
    refused(guarded, wrong)
    assert "revoked" not in wrong.error["message"]
    assert "gone" not in wrong.error["message"]


async def test_a_key_in_the_path_is_none(guarded: Target, good: str) -> None:
    path = f"/v1/completions?api_key={good}&key={good}".encode()
    refused(guarded, await with_(guarded, path=path))


async def test_two_keys_are_the_first_one_or_refused(guarded: Target, good: str) -> None:
    right, wrong = f"Authorization: Bearer {good}", "Authorization: Bearer sk-sw-" + "x" * 43
    assert (await with_(guarded, right, wrong)).status in (200, 400, 401)
    guarded.tap.clear()
    assert (await with_(guarded, wrong, right)).status in (400, 401)
    assert guarded.tap.posts() == []


async def test_anthropic_s_clients_get_their_own_envelope(guarded: Target) -> None:
    for path in (b"/v1/messages", b"/v1/messages/count_tokens"):
        answer = await with_(guarded, "x-api-key: wrong", path=path)
        assert answer.status == 401
        assert answer.json["type"] == "error"
        assert answer.json["error"]["type"] == "authentication_error"


async def test_a_key_is_enough_behind_a_proxy(guarded: Target, good: str) -> None:
    key = f"Authorization: Bearer {good}"
    answer = await with_(guarded, key, "X-Forwarded-For: 8.8.8.8", "Origin: http://evil.example")
    assert answer.status == 200


@pytest.mark.parametrize("path", [b"/metrics", b"/docs", b"/openapi.json", b"/v1/models"])
async def test_pages_behind_a_proxy_need_a_key(guarded: Target, good: str, path: bytes) -> None:
    proxy, key = b"X-Forwarded-For: 8.8.8.8", f"Authorization: Bearer {good}".encode()
    assert (await ask(guarded.port, get(path, proxy))).status == 401
    assert (await ask(guarded.port, get(path, proxy, key))).status == 200


async def test_health_tells_a_stranger_little(guarded: Target) -> None:
    answer = await ask(guarded.port, get(b"/health", b"X-Forwarded-For: 8.8.8.8"))
    assert answer.status in (200, 503)
    assert b"demo-qwen3" not in answer.body


async def test_no_secret_is_in_a_log_or_a_file(guarded: Target, good: str, gone: str) -> None:
    await with_(guarded, f"Authorization: Bearer {good}")
    await with_(guarded, f"Authorization: Bearer {gone}")
    for file in guarded.home.root.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert good.encode() not in data, file
            assert gone.encode() not in data, file


# ── HTTP/1.0, which nobody speaks without a key ─────────────────────────────────────────────


def bearer(secret: str) -> bytes:
    return b"Authorization: Bearer " + secret.encode()


async def test_http_1_0_is_answered_and_closed(guarded: Target, good: str) -> None:
    (answer,) = await exchange(
        guarded.port, post(completion("old"), bearer(good), version=b"HTTP/1.0")
    )
    assert answer.status == 200
    assert answer.one("transfer-encoding") is None


async def test_a_stream_for_http_1_0_is_not_chunked_and_ends_with_the_connection(
    guarded: Target, good: str
) -> None:
    data = post(completion("old stream", stream=True), bearer(good), version=b"HTTP/1.0")
    (answer,) = await exchange(guarded.port, data)
    assert answer.status == 200
    assert answer.one("transfer-encoding") is None
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_http_1_0_with_keep_alive_is_answered(guarded: Target, good: str) -> None:
    data = post(completion("old"), b"Connection: keep-alive", bearer(good), version=b"HTTP/1.0")
    async with Wire(guarded.port) as wire:
        await wire.send(data)
        answer = await wire.answer()
        assert answer.status == 200
        if "keep-alive" in (answer.one("connection") or ""):
            await wire.send(data)
            assert (await wire.answer()).status == 200
        else:
            assert await wire.rest() == b""


def refused(target: Target, answer: Answer) -> None:
    assert answer.status == 401, answer
    assert answer.error["code"] == "invalid_api_key"
    assert answer.all("www-authenticate") == ["Bearer"]
    assert target.tap.posts() == []
