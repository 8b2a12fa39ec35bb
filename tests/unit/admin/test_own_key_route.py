"""The daemon's own key, told over the control socket."""

from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from sparkwell.admin.api import admin_application
from sparkwell.admin.keys import add_own_key_route


async def test_it_is_told_to_a_post_alone() -> None:
    control: Any = object()
    app = admin_application(control)
    add_own_key_route(app, lambda: "sk-sw-x")
    async with TestClient(TestServer(app, shutdown_timeout=0.0)) as client:
        async with client.post("/admin/own-key", json={}) as response:
            assert (response.status, await response.json()) == (200, {"key": "sk-sw-x"})
            assert response.headers["Cache-Control"] == "no-store"
        async with client.get("/admin/own-key") as response:
            assert response.status == 405
        async with client.post("/admin/own-key", json={"for": "bob"}) as response:
            assert response.status == 400
            assert "sk-sw-" not in await response.text()
