"""The control API: every route, what it refuses, the version handshake, the event stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from itertools import count
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError, web
from aiohttp.test_utils import TestClient, TestServer

from sparkwell.admin import API_VERSION, VERSION_HEADER
from sparkwell.admin.api import UpBody, admin_application
from sparkwell.core.errors import ConflictError, UnknownModelError
from sparkwell.core.events import Event
from sparkwell.supervisor.journal import Journal

Client = TestClient[web.Request, web.Application]


class FakeControl:
    """Notes what it was asked; answers something that can be told apart."""

    def __init__(self) -> None:
        ticks = count(100)
        self.asked: list[tuple[object, ...]] = []
        self.journal = Journal(lambda: float(next(ticks)))
        self.error: Exception | None = None

    def _note(self, *what: object) -> Mapping[str, Any]:
        self.asked.append(what)
        if self.error:
            raise self.error
        return {"did": what[0]}

    def version(self) -> Mapping[str, Any]:
        return self._note("version")

    def status(self) -> Mapping[str, Any]:
        return self._note("status")

    def snapshot(self) -> Mapping[str, Any]:
        return self._note("snapshot")

    async def up(self, body: UpBody) -> Mapping[str, Any]:
        return self._note("up", body.models, body.flags, body.driver, body.force)

    async def down(self, model: str | None) -> Mapping[str, Any]:
        return self._note("down", model)

    async def restart(self, model: str | None) -> Mapping[str, Any]:
        return self._note("restart", model)

    def events(self, cursor: int) -> AsyncIterator[Event]:
        self._note("events", cursor)
        return self.journal.follow(cursor)

    def ui_link(self) -> Mapping[str, Any]:
        return self._note("ui-link")

    def shut_down(self, *, stop_engines: bool) -> None:
        self._note("shutdown", stop_engines)


@pytest.fixture
async def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
async def client(control: FakeControl) -> AsyncIterator[Client]:
    server = TestServer(admin_application(control), shutdown_timeout=0.0)
    async with TestClient(server) as client:
        yield client


@pytest.mark.parametrize("path", ["version", "status", "snapshot"])
async def test_what_can_be_read(client: Client, control: FakeControl, path: str) -> None:
    async with client.get(f"/admin/{path}") as response:
        assert (response.status, await response.json()) == (200, {"did": path})
    assert control.asked == [(path,)]


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("up", {}, ("up", (), (), None, False)),
        ("up", {"models": ["m", "n"]}, ("up", ("m", "n"), (), None, False)),
        ("up", {"models": ["m"], "flags": ["a=1"]}, ("up", ("m",), ("a=1",), None, False)),
        ("up", {"driver": "compose", "force": True}, ("up", (), (), "compose", True)),
        ("down", {}, ("down", None)),
        ("down", None, ("down", None)),
        ("down", {"model": "m"}, ("down", "m")),
        ("down", {"model": None}, ("down", None)),
        ("restart", {}, ("restart", None)),
        ("restart", {"model": "m"}, ("restart", "m")),
    ],
)
async def test_what_can_be_done(
    client: Client,
    control: FakeControl,
    path: str,
    body: dict[str, object] | None,
    asked: tuple[object, ...],
) -> None:
    data = None if body is None else json.dumps(body)
    async with client.post(f"/admin/{path}", data=data) as response:
        assert (response.status, await response.json()) == (200, {"did": path})
    assert control.asked == [asked]


async def test_a_link_to_the_dashboard(client: Client, control: FakeControl) -> None:
    async with client.post("/admin/ui-link", json={}) as response:
        assert (response.status, await response.json()) == (200, {"did": "ui-link"})


@pytest.mark.parametrize(("body", "stop"), [({}, False), ({"stop_engines": True}, True)])
async def test_shutdown(
    client: Client, control: FakeControl, body: dict[str, object], stop: bool
) -> None:
    async with client.post("/admin/shutdown", json=body) as response:
        assert (response.status, await response.json()) == (200, {"ending": True})
    assert control.asked == [("shutdown", stop)]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("up", b"not json", "body: Invalid JSON"),
        ("up", b"\xff", "body: Invalid JSON"),
        ("up", b"[]", "body: Input should be an object"),
        ("up", b'{"model": "m"}', "model: Extra inputs are not permitted"),
        ("up", b'{"models": "m"}', "models: Input should be a valid"),
        ("up", b'{"models": [5]}', "models.0: Input should be a valid string"),
        ("up", b'{"flags": "a"}', "flags: Input should be a valid"),
        ("up", b'{"driver": "magic"}', "driver: Input should be 'process' or 'compose'"),
        ("down", b'{"modle": "m"}', "modle: Extra inputs are not permitted"),
        ("restart", b"5", "body: Input should be an object"),
        ("shutdown", b'{"stop_engines": "perhaps"}', "stop_engines: Input should be a valid"),
    ],
)
async def test_wrong_bodies(
    client: Client, control: FakeControl, path: str, body: bytes, message: str
) -> None:
    async with client.post(f"/admin/{path}", data=body) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert error["code"] == "invalid_request"
    assert error["message"].startswith(message)
    assert control.asked == []


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            ConflictError("m is ready.", hint="Run down."),
            409,
            {"code": "conflict", "message": "m is ready.", "hint": "Run down."},
        ),
        (
            UnknownModelError("There is no model 'x'."),
            404,
            {"code": "model_not_found", "message": "There is no model 'x'.", "hint": None},
        ),
    ],
)
async def test_refusals_keep_message_and_hint_apart(
    client: Client, control: FakeControl, error: Exception, status: int, body: object
) -> None:
    control.error = error
    async with client.post("/admin/up", json={"models": ["x"]}) as response:
        assert (response.status, await response.json()) == (status, {"error": body})


@pytest.mark.parametrize("spoken", ["1", "3", "0", "", "x"])
async def test_another_version_is_told_to_restart(
    client: Client, control: FakeControl, spoken: str
) -> None:
    headers = {VERSION_HEADER: spoken}
    async with client.get("/admin/version", headers=headers) as response:
        assert response.status == 409
        error = (await response.json())["error"]
    assert error["code"] == "conflict"
    assert error["message"] == (
        f"This daemon speaks version {API_VERSION} of the control API, not {spoken}."
    )
    assert "Restart it" in error["hint"]
    assert control.asked == []


async def test_the_same_version_is_served(client: Client) -> None:
    headers = {VERSION_HEADER: str(API_VERSION)}
    async with client.get("/admin/version", headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/admin/nothing", 404), ("GET", "/admin/up", 405), ("POST", "/admin/status", 405)],
)
async def test_no_such_route(client: Client, method: str, path: str, status: int) -> None:
    async with client.request(method, path) as response:
        assert response.status == status


# ── events ──────────────────────────────────────────────────────────────────────────────────


async def test_events_come_from_the_cursor_on_and_as_they_happen(
    client: Client, control: FakeControl
) -> None:
    for number in (1, 2):
        control.journal.add("a", f"old {number}", model="m", data={"n": number})
    async with client.get("/admin/events?after=1") as response:
        assert response.content_type == "application/x-ndjson"
        first = json.loads(await asyncio.wait_for(response.content.readline(), 5))
        assert first == {
            "seq": 2,
            "at": 101.0,
            "kind": "a",
            "message": "old 2",
            "model": "m",
            "instance": None,
            "data": {"n": 2},
        }
        control.journal.add("b", "new")
        second = json.loads(await asyncio.wait_for(response.content.readline(), 5))
        assert (second["seq"], second["message"]) == (3, "new")
    assert control.asked == [("events", 1)]


async def test_events_from_the_beginning_when_nothing_is_said(
    client: Client, control: FakeControl
) -> None:
    control.journal.add("a", "A")
    async with client.get("/admin/events") as response:
        line = await asyncio.wait_for(response.content.readline(), 5)
    assert json.loads(line)["seq"] == 1


async def test_who_follows_may_leave_without_a_word(
    client: Client,
    control: FakeControl,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def gone(*_: object) -> None:
        raise ClientConnectionResetError("Cannot write to closing transport")

    control.journal.add("a", "A")
    monkeypatch.setattr(web.StreamResponse, "write", gone)
    async with client.get("/admin/events") as response:
        await response.read()
    assert not caplog.records


@pytest.mark.parametrize("after", ["x", "1.5", ""])
async def test_a_cursor_is_a_whole_number(client: Client, after: str) -> None:
    async with client.get("/admin/events", params={"after": after}) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert error["message"] == f"The cursor `after` is a whole number, not {after!r}."
