"""GET /metrics: the backend's page, as text that no browser takes for anything else."""

import asyncio

from tests.unit.gateway.conftest import Client, Engine, FakeBackend


async def test_the_page_is_the_backends(
    client: Client, backend: FakeBackend, engine: Engine
) -> None:
    backend.metrics_page = 'vllm:num_requests_running{model="ü"} 1.0\n'.encode()
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert await response.read() == backend.metrics_page
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert engine.asked == []  # not by the gateway itself
    assert backend.granted == 0


async def test_nobody_waits_for_a_model(client: Client, backend: FakeBackend) -> None:
    backend.holds = True
    async with asyncio.timeout(5), client.get("/metrics") as response:
        assert response.status == 200
    assert backend.tickets.empty()


async def test_a_backend_that_fails_shows_no_traceback(
    client: Client, backend: FakeBackend
) -> None:
    async def broken() -> bytes:
        raise KeyError("/secret/place")

    backend.metrics = broken  # type: ignore[method-assign]
    async with client.get("/metrics") as response:
        assert response.status == 500
        assert "secret" not in await response.text()
