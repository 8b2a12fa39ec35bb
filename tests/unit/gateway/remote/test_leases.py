"""Leases, places and passages of a worker, and what is left of them when it has gone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.gateway.conftest import READY, STOPPED, Around, FakeBackend, FakeLease, FakeTicket
from tests.unit.gateway.remote.conftest import Daemon

from sparkwell.core.errors import NotReadyError, SparkwellError, TooBusyError, UnknownModelError
from sparkwell.core.keys import Key
from sparkwell.gateway.backend import Waiting
from sparkwell.gateway.keys.errors import KeyRefusedError, RateLimitedError
from sparkwell.gateway.remote.backend import Remote, RemoteTicket

BOB = Key("key-1", "bob", b"b" * 32, "abcd", 0.0, rpm=6)


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_lease_comes_and_is_given_back(remote: Remote, backend: FakeBackend) -> None:
    lease = await remote.ensure_ready(READY.name).wait()
    assert (lease.model, lease.endpoint) == (READY.name, backend.endpoint)
    assert backend.leases == 1
    lease.release()
    await soon(lambda: backend.leases == 0)


async def test_requests_of_a_key_are_counted_by_the_daemon(
    remote: Remote, around: Around, backend: FakeBackend
) -> None:
    around.book.keys["secret"] = BOB
    around.turnstile.headers = {"x-ratelimit-limit-requests": "6"}
    passage = remote.enter(None, READY.name)
    lease = await remote.ensure_ready(READY.name, passage=passage).wait()
    assert passage.headers == {"x-ratelimit-limit-requests": "6"}
    lease.release()
    passage.leave(200, 3, None)
    await soon(lambda: bool(around.turnstile.passages[0].left))
    assert around.turnstile.passages[0].left == [(200, 3, None)]


async def test_what_the_turnstile_refuses_gets_no_lease(
    remote: Remote, around: Around, backend: FakeBackend
) -> None:
    headers = {"x-ratelimit-limit-requests": "6"}
    around.turnstile.refusal = RateLimitedError(
        "Too many.", limit="requests", retry_after_s=2.5, headers=headers, hint="Wait."
    )
    passage = remote.enter(None, READY.name)
    with pytest.raises(SparkwellError) as caught:
        await remote.ensure_ready(READY.name, passage=passage).wait()
    error: Any = caught.value
    assert (error.code, error.http_status, str(error)) == (
        "rate_limit_exceeded",
        429,
        "Too many. Wait.",
    )
    assert (error.retry_after_s, error.headers) == (2.5, headers)
    assert passage.headers == {}  # else the answer would have them twice
    assert (backend.granted, around.turnstile.passages) == (0, [])


async def test_who_was_let_in_and_gets_no_lease_has_the_headers_of_its_key(
    remote: Remote, around: Around, backend: FakeBackend
) -> None:
    around.turnstile.headers = {"x-ratelimit-limit-requests": "6"}
    passage = remote.enter(None, STOPPED.name)
    with pytest.raises(SparkwellError, match="is not loaded"):
        await remote.ensure_ready(STOPPED.name, passage=passage).wait()
    assert passage.headers == {"x-ratelimit-limit-requests": "6"}


async def test_a_second_word_hurries(daemon: Daemon, remote: Remote) -> None:
    hurried: list[bool] = []
    remote.hurry = lambda: hurried.append(True)
    daemon.hub.drain(30.0)
    await asyncio.wait_for(remote.over.wait(), 5)
    assert (remote.drain_s, hurried) == (30.0, [])
    daemon.hub.drain(0.0)
    await soon(lambda: hurried == [True])


async def test_who_comes_when_all_are_to_end_hears_it_too(daemon: Daemon) -> None:
    """It was started in the place of one that died, a moment before."""
    daemon.hub.drain(30.0)
    late = Remote()
    await late.connect(str(daemon.path))
    await asyncio.wait_for(late.over.wait(), 5)
    assert late.drain_s == 30.0
    await late.close()


async def test_a_key_that_was_revoked_just_now_opens_nothing(
    daemon: Daemon, remote: Remote, around: Around
) -> None:
    """The worker has not heard of it yet; the daemon has."""
    passage = remote.enter(BOB, READY.name)
    with pytest.raises(SparkwellError) as caught:
        await remote.ensure_ready(READY.name, passage=passage).wait()
    assert (caught.value.code, caught.value.http_status) == (KeyRefusedError.code, 401)


async def test_a_mistake_at_the_turnstile_serves_nobody(
    remote: Remote, around: Around, monkeypatch: pytest.MonkeyPatch, backend: FakeBackend
) -> None:
    monkeypatch.setattr(around.turnstile, "enter", None)
    passage = remote.enter(None, READY.name)
    with pytest.raises(RuntimeError):
        await remote.ensure_ready(READY.name, passage=passage).wait()
    assert backend.granted == 0


@pytest.mark.parametrize(
    "error",
    [
        NotReadyError("It failed.", hint="See its log."),
        TooBusyError("Full.", retry_after_s=61.2),
        UnknownModelError("There is none."),
    ],
)
async def test_errors_are_the_same_on_the_other_side(
    remote: Remote, backend: FakeBackend, error: SparkwellError
) -> None:
    backend.holds = True
    waiting = asyncio.create_task(remote.ensure_ready(READY.name).wait())
    (await backend.ticket()).refuse(error)
    with pytest.raises(SparkwellError) as caught:
        await waiting
    made = caught.value
    assert str(made) == str(error)
    assert (made.code, made.http_status, made.retry_after_s) == (
        error.code,
        error.http_status,
        error.retry_after_s,
    )
    assert isinstance(made, UnknownModelError) is isinstance(error, UnknownModelError)


async def test_who_waits_hears_how_far_it_is(remote: Remote, backend: FakeBackend) -> None:
    backend.holds = True
    ticket = remote.ensure_ready(READY.name)
    assert ticket.waiting() == Waiting(READY.name, "waiting for its turn")
    waiting = asyncio.create_task(ticket.wait())
    there = await backend.ticket()
    there.told = Waiting(READY.name, "loading weights", 45.0, 38.5, 3)
    await soon(lambda: ticket.waiting() == there.told)
    there.grant(backend.lease())
    (await waiting).release()
    await asyncio.sleep(0.02)
    looks = there.looked_at
    while not looks.locked():
        await looks.acquire()
    await asyncio.sleep(0.02)
    assert looks.locked()  # nobody waits: nobody asks


async def test_the_first_report_comes_unasked(
    remote: Remote, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "waits", lambda: None)
    monkeypatch.setattr(FakeTicket, "waiting", lambda _self: Waiting(READY.name, "draining"))
    backend.holds = True
    ticket = remote.ensure_ready(READY.name)
    waiting = asyncio.create_task(ticket.wait())
    await soon(lambda: ticket.waiting().phase == "draining")
    (await backend.ticket()).grant(backend.lease())
    (await waiting).release()


async def test_who_leaves_the_queue_is_withdrawn(remote: Remote, backend: FakeBackend) -> None:
    backend.holds = True
    waiting = asyncio.create_task(remote.ensure_ready(READY.name).wait())
    there = await backend.ticket()
    waiting.cancel()
    await asyncio.wait_for(there.withdrawn.wait(), 5)


async def test_who_leaves_at_once_is_withdrawn_too(remote: Remote, backend: FakeBackend) -> None:
    """Both messages come in one frame: the daemon's task has had no turn yet."""
    backend.holds = True
    ticket = remote.ensure_ready(READY.name)
    remote.drop(ticket._number)
    there = await asyncio.wait_for(backend.tickets.get(), 5)
    await asyncio.wait_for(there.withdrawn.wait(), 5)


async def test_a_lease_that_crosses_its_leaver_is_given_back(
    remote: Remote, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets: list[RemoteTicket] = []
    give = backend.lease

    def lease() -> FakeLease:
        remote.drop(tickets[0]._number)  # its client leaves in this moment
        return give()

    monkeypatch.setattr(backend, "lease", lease)
    tickets.append(remote.ensure_ready(READY.name))
    await soon(lambda: backend.granted == 1)
    await soon(lambda: backend.leases == 0)


async def test_when_a_worker_has_gone_nothing_of_it_is_left(
    daemon: Daemon, remote: Remote, backend: FakeBackend, around: Around
) -> None:
    passage = remote.enter(None, READY.name)
    await remote.ensure_ready(READY.name, passage=passage).wait()
    backend.holds = True
    later = remote.enter(None, READY.name)
    waiting = asyncio.create_task(remote.ensure_ready(READY.name, passage=later).wait())
    there = await backend.ticket()
    (worker,) = daemon.hub.workers
    assert worker.holds == 4
    assert remote._link._transport is not None
    remote._link._transport.abort()
    await soon(lambda: backend.leases == 0)
    await asyncio.wait_for(there.withdrawn.wait(), 5)
    served, waited = around.turnstile.passages
    assert (served.lost, served.left) == (1, [])  # only the worker knew what it used
    assert (waited.lost, waited.left) == (0, [(0, None, None)])
    assert (worker.holds, daemon.hub.workers) == (0, ())
    with pytest.raises(NotReadyError):
        await waiting


async def test_without_its_daemon_a_worker_gives_no_leases(
    daemon: Daemon, remote: Remote, backend: FakeBackend
) -> None:
    lease = await remote.ensure_ready(READY.name).wait()
    backend.holds = True
    waiting = asyncio.create_task(remote.ensure_ready(READY.name).wait())
    await backend.ticket()
    await daemon.hub.close()
    with pytest.raises(NotReadyError, match="ending"):
        await waiting
    await asyncio.wait_for(remote.over.wait(), 5)
    with pytest.raises(NotReadyError):
        remote.ensure_ready(READY.name)
    lease.release()  # nobody hears it, and nothing happens
    assert backend.leases == 0


async def test_a_worker_knows_of_a_model_what_its_lease_is_about(
    remote: Remote, backend: FakeBackend
) -> None:
    backend.holds = True
    waiting = asyncio.create_task(remote.ensure_ready(READY.name).wait())
    there = await backend.ticket()
    backend.models = [replace(READY, engine_name="sparkwell-qwen3:32k"), STOPPED]
    there.grant(backend.lease())
    lease = await waiting
    assert remote.resolve("QWEN/qwen3-8b-fp8").engine_name == "sparkwell-qwen3:32k"
    lease.release()


async def test_what_changes_is_told(remote: Remote, backend: FakeBackend) -> None:
    assert remote.loaded() == [(READY.name, backend.endpoint)]
    backend.models = [STOPPED]
    await soon(lambda: remote.loaded() == [])
    with pytest.raises(UnknownModelError):
        remote.resolve(READY.name)


async def test_keys_are_told_as_soon_as_they_change(
    daemon: Daemon, remote: Remote, around: Around
) -> None:
    assert remote.book.standing == "none"
    around.book.keys["s"] = BOB
    keys: Any = daemon.hub._keys
    for changed in keys.changed:
        changed()
    await soon(lambda: remote.book.standing == "some")


async def test_the_socket_is_for_this_user_alone(daemon: Daemon) -> None:
    assert daemon.path.stat().st_mode & 0o777 == 0o600


async def test_what_is_no_message_ends_the_connection_and_nothing_else(
    daemon: Daemon, remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    for said in (b"\xff\xff\xff\xff", b"\0\0\0\1\x01", b"\0\0\0\3\x91\x91\x63"):
        reader, writer = await asyncio.open_unix_connection(str(daemon.path))
        writer.write(said)
        assert await asyncio.wait_for(_rest(reader), 5) == b""
        writer.close()
    lease = await remote.ensure_ready(READY.name).wait()
    lease.release()
    assert caplog.text.count("cannot be read") == 3


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
