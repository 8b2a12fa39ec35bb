"""The control API's routes for keys: what they pass on, and what they refuse."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sparkwell.admin.api import admin_application
from sparkwell.admin.keys import AddKeyBody, RotateKeyBody, UsageWanted
from sparkwell.core.errors import UsageError

Client = TestClient[web.Request, web.Application]


class FakeKeys:
    """Notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def _note(self, *what: object) -> Mapping[str, Any]:
        self.asked.append(what)
        return {"did": what[0]}

    def keys(self) -> Mapping[str, Any]:
        return self._note("keys")

    def add_key(self, body: AddKeyBody) -> Mapping[str, Any]:
        if body.name == "taken":
            raise UsageError("Taken.", hint="Take another.")
        return self._note("add", body)

    def rotate_key(self, body: RotateKeyBody) -> Mapping[str, Any]:
        return self._note("rotate", body.key, body.overlap_s)

    def revoke_key(self, key: str) -> Mapping[str, Any]:
        return self._note("revoke", key)

    def reset_keys(self) -> Mapping[str, Any]:
        return self._note("reset")

    def usage(self, wanted: UsageWanted) -> Mapping[str, Any]:
        return self._note("usage", wanted.key, wanted.model, wanted.since)


@pytest.fixture
def keys() -> FakeKeys:
    return FakeKeys()


@pytest.fixture
async def client(keys: FakeKeys) -> AsyncIterator[Client]:
    control: Any = object()
    server = TestServer(admin_application(control, keys), shutdown_timeout=0.0)
    async with TestClient(server) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("keys", ("keys",)),
        ("usage", ("usage", None, None, None)),
        ("usage?key=b%20c&model=m&since=5.5", ("usage", "b c", "m", 5.5)),
    ],
)
async def test_what_can_be_read(
    client: Client, keys: FakeKeys, path: str, asked: tuple[object, ...]
) -> None:
    async with client.get(f"/admin/{path}") as response:
        assert (response.status, await response.json()) == (200, {"did": asked[0]})
    assert keys.asked == [asked]


@pytest.mark.parametrize(
    ("what", "body", "asked"),
    [
        ("add", {"name": "bob"}, ("add", AddKeyBody(name="bob"))),
        ("rotate", {"key": "bob"}, ("rotate", "bob", 0.0)),
        ("rotate", {"key": "bob", "overlap_s": 60}, ("rotate", "bob", 60.0)),
        ("revoke", {"key": "bob"}, ("revoke", "bob")),
        ("reset", {}, ("reset",)),
    ],
)
async def test_what_can_be_done(
    client: Client,
    keys: FakeKeys,
    what: str,
    body: Mapping[str, object],
    asked: tuple[object, ...],
) -> None:
    async with client.post(f"/admin/keys/{what}", json=body) as response:
        assert (response.status, await response.json()) == (200, {"did": what})
    assert keys.asked == [asked]


@pytest.mark.parametrize(
    ("what", "body", "said"),
    [
        ("add", {}, "name: Field required"),
        ("add", {"name": "a", "rpm": "many"}, "rpm: Input should be a valid integer"),
        ("add", {"name": "a", "rqm": 1}, "rqm: Extra inputs are not permitted"),
        ("add", {"name": "taken"}, "Taken."),
        ("revoke", {}, "key: Field required"),
        ("reset", {"all": True}, "all: Extra inputs"),
    ],
)
async def test_what_is_refused(
    client: Client, keys: FakeKeys, what: str, body: Mapping[str, object], said: str
) -> None:
    async with client.post(f"/admin/keys/{what}", json=body) as response:
        error = (await response.json())["error"]
        assert (response.status, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith(said)
    assert keys.asked == []


@pytest.mark.parametrize("query", ["since=yesterday", "who=bob"])
async def test_a_query_is_checked_too(client: Client, query: str) -> None:
    async with client.get(f"/admin/usage?{query}") as response:
        assert response.status == 400
