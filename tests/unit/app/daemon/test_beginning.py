"""While a daemon takes over, what would change things waits; what tells of them does not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sparkwell.admin.api import UpBody
from sparkwell.app.daemon.beginning import Beginning
from sparkwell.core.events import Event


class Asked:
    """A control that writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def version(self) -> dict[str, Any]:
        return {"version": "1"}

    def status(self) -> dict[str, Any]:
        return {"pid": 7}

    def snapshot(self) -> dict[str, Any]:
        return {"runs": []}

    async def up(self, body: UpBody) -> dict[str, Any]:
        self.asked.append(body)
        return {"did": "up"}

    async def down(self, model: str | None) -> dict[str, Any]:
        self.asked.append(model)
        return {"did": "down"}

    async def restart(self, model: str | None) -> dict[str, Any]:
        self.asked.append(model)
        return {"did": "restart"}

    async def events(self, cursor: int) -> AsyncIterator[Event]:
        yield Event(cursor + 1, 0.0, "k", "m")

    def ui_link(self) -> Mapping[str, Any]:
        return {"url": "/"}

    def shut_down(self, *, stop_engines: bool) -> None:
        self.asked.append(stop_engines)


async def test_what_changes_things_waits_until_it_is_over() -> None:
    control, body = Asked(), UpBody()
    beginning = Beginning(control)
    asking = [
        asyncio.create_task(each)
        for each in (beginning.up(body), beginning.down("a"), beginning.restart(None))
    ]
    await asyncio.sleep(0)
    assert control.asked == []
    beginning.over()
    assert [one["did"] for one in await asyncio.gather(*asking)] == ["up", "down", "restart"]
    assert control.asked == [body, "a", None]


async def test_what_tells_or_ends_does_not_wait() -> None:
    control = Asked()
    beginning = Beginning(control)
    assert beginning.version() == {"version": "1"}
    assert beginning.status() == {"pid": 7, "recovering": True}
    assert beginning.snapshot() == {"runs": []}
    assert [event.seq async for event in beginning.events(4)] == [5]
    beginning.shut_down(stop_engines=True)
    assert control.asked == [True]
    beginning.over()
    assert beginning.status() == {"pid": 7, "recovering": False}
