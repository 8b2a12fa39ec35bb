"""The supervisor's tests run on the daemon's own event loop, which differs from asyncio's here."""

import uvloop


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, object]:
    """uvloop: its call_at gives back a handle without a time, where that has come already."""
    return {"uvloop": uvloop.new_event_loop}
