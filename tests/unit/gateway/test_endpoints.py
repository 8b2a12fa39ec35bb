"""The endpoints that the gateway answers itself, and the documents that describe them all."""

import asyncio
import json
import re
import shlex
from dataclasses import replace
from html import unescape

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from tests.unit.gateway.conftest import READY, STOPPED, Around, Client, FakeBackend

from sparkwell.core.keys import Key
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.docs import docs_page, openapi_document
from sparkwell.gateway.pages import Pages
from sparkwell.gateway.routes import RELAYED


async def test_models_say_whether_they_are_loaded(client: Client) -> None:
    async with client.get("/v1/models") as response:
        body = await response.json()
    created = body["data"][0].pop("created")
    assert created > 1_700_000_000
    assert body["object"] == "list"
    assert body["data"][0] == {
        "id": "qwen3-8b-fp8",
        "object": "model",
        "owned_by": "sparkwell",
        "root": "Qwen/Qwen3-8B-FP8",
        "aliases": ["qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8"],
        "state": "ready",
        "max_model_len": 32768,
    }
    assert [(model["id"], model["state"]) for model in body["data"]] == [
        ("qwen3-8b-fp8", "ready"),
        ("demo-qwen3", "stopped"),
    ]
    assert "max_model_len" not in body["data"][1]  # unknown is left out, not 0


@pytest.mark.parametrize("name", ["qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8", "Qwen%2FQwen3-8B-FP8"])
async def test_one_model_by_any_of_its_names(client: Client, name: str) -> None:
    async with client.session.get(f"{client.make_url('/v1/models')}/{name}") as response:
        assert (response.status, (await response.json())["id"]) == (200, "qwen3-8b-fp8")


async def test_one_model_that_does_not_exist(client: Client) -> None:
    async with client.get("/v1/models/gpt/4") as response:
        assert response.status == 404
        error = (await response.json())["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "qwen3-8b-fp8, demo-qwen3" in error["message"]


@pytest.mark.parametrize(
    ("able", "state", "status"),
    [
        (True, {"state": "idle", "model": None}, 200),
        (True, {"state": "loading", "model": "m"}, 200),
        (True, {"state": "ready", "model": "m"}, 200),
        (True, {"state": "switching", "model": "m"}, 200),
        (False, {"state": "idle", "model": "m", "error": "it crashed"}, 503),
    ],
)
async def test_health(
    client: Client, backend: FakeBackend, able: bool, state: dict[str, object], status: int
) -> None:
    backend.able, backend.state = able, state
    async with client.get("/health") as response:
        assert response.status == status
        assert await response.json() == {"status": "ok" if able else "error", **state}


async def test_the_root_leads_to_the_docs(client: Client) -> None:
    async with client.get("/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/docs")


async def test_the_docs_need_nothing_else(client: Client) -> None:
    async with client.get("/docs") as response:
        page = await response.text()
        assert response.content_type == "text/html"
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=[\"']https?:", page)
    assert "<code>qwen3-8b-fp8</code>, <code>demo-qwen3</code>" in page
    assert f"curl http://127.0.0.1:{client.port}/v1/chat/completions" in page
    for path in openapi_document()["paths"]:
        assert f"<code>{path}</code>" in page


def test_the_docs_show_names_as_text() -> None:
    page = docs_page("http://h", [replace(STOPPED, name="<b>x</b>")])
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
    assert "none yet" in docs_page("http://h", [])


def example(page: str) -> list[str]:
    """The words of the command that the page shows."""
    (found,) = re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)
    return shlex.split(unescape(found).replace("\\\n", ""))


def test_the_example_asks_a_model_that_is_loaded() -> None:
    for models, name in (([STOPPED, READY], READY.name), ([STOPPED], STOPPED.name)):
        words = example(docs_page("http://h", models))
        assert json.loads(words[-1])["model"] == name
        assert words[:2] == ["curl", "http://h/v1/chat/completions"]
        assert "Authorization" not in " ".join(words)


def test_the_example_has_a_place_for_a_key_where_one_is_needed() -> None:
    words = example(docs_page("http://h", [READY], keyed=True))
    assert words[2:4] == ["-H", "Authorization: Bearer YOUR_KEY"]
    assert words[4:6] == ["-H", "Content-Type: application/json"]


@pytest.mark.parametrize(("said", "scheme"), [("https", "https"), ("http", "http"), ("x", "http")])
async def test_the_example_has_the_scheme_of_the_proxy(
    client: Client, around: Around, said: str, scheme: str
) -> None:
    around.book.keys["s"] = Key("key-1", "alice", b"", "", 0.0)
    told = {"Host": "llm.example:17443", "X-Forwarded-Proto": said, "Authorization": "Bearer s"}
    async with client.get("/docs", headers=told) as response:
        words = example(await response.text())
    assert words[1] == f"{scheme}://llm.example:17443/v1/chat/completions"


# ── the OpenAPI document ────────────────────────────────────────────────────────────────────


async def test_the_document_is_valid(client: Client) -> None:
    async with client.get("/openapi.json") as response:
        document = await response.json()
    validate(document)
    assert document == openapi_document()
    assert document["info"]["version"] != "0"


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    app = Pages(FakeBackend(Endpoint(port=1))).application()
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource and route.method != "HEAD"
    }
    routes |= {("post", path) for path in RELAYED}
    routes |= {("get", "/v1/responses/{id}"), ("post", "/v1/responses/{id}/cancel")}
    described = {
        (method, path)
        for path, operations in openapi_document()["paths"].items()
        for method in operations
    }
    assert routes - {("get", "/")} == described


def schema(name: str) -> Draft202012Validator:
    """A schema of the document, with what it refers to."""
    document = openapi_document()
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


async def test_answers_are_as_described(client: Client, backend: FakeBackend) -> None:
    backend.models = [replace(READY, state=s) for s in ("ready", "failed", "stopping")] + [STOPPED]
    async with client.get("/v1/models") as response:
        for model in (await response.json())["data"]:
            schema("Model").validate(model)
    async with client.get("/v1/models/x") as response:
        schema("Error").validate(await response.json())


@pytest.mark.parametrize("state", ["idle", "loading", "ready", "switching"])
async def test_health_is_as_described(client: Client, backend: FakeBackend, state: str) -> None:
    backend.state = {"state": state, "model": None}
    described = openapi_document()["paths"]["/health"]["get"]["responses"]["200"]
    async with client.get("/health") as response:
        body = await response.json()
    Draft202012Validator(described["content"]["application/json"]["schema"]).validate(body)


# ── pages from elsewhere ────────────────────────────────────────────────────────────────────

CHAT = "/v1/chat/completions"
ASKED = {"model": READY.name, "messages": []}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_from_elsewhere_may_use_no_model(
    client: Client, backend: FakeBackend, headers: dict[str, str]
) -> None:
    async with client.post(CHAT, json=ASKED, headers=headers) as response:
        assert response.status == 403
        error = (await response.json())["error"]
    assert error["code"] == "foreign_page"
    assert backend.heard_of == []
    async with client.get("/metrics", headers=headers) as response:
        assert response.status == 403


async def test_another_name_may_not_point_here(client: Client, backend: FakeBackend) -> None:
    """DNS rebinding: to the browser it is one site."""
    origin = "http://evil.example"
    headers = {"Host": "evil.example", "Origin": origin, "Sec-Fetch-Site": "same-origin"}
    for path in (CHAT, "/metrics"):
        async with client.request("POST" if path == CHAT else "GET", path, headers=headers) as said:
            assert said.status == 421
            assert (await said.json())["error"]["code"] == "unknown_host"
    assert backend.heard_of == []


async def test_own_pages_programs_and_links_go_through(client: Client) -> None:
    own = {"Origin": f"http://127.0.0.1:{client.port}", "Sec-Fetch-Site": "same-origin"}
    no_headers: dict[str, str] = {}
    for headers in (no_headers, own):
        async with client.post(CHAT, json=ASKED, headers=headers) as response:
            assert response.status != 403
    clicked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with client.get("/docs", headers=clicked) as response:
        assert response.status == 200


async def test_a_key_sees_only_its_models(client: Client, around: Around) -> None:
    around.book.keys["s"] = Key("key-1", "alice", b"", "", 0.0, models=("demo-qwen3",))
    headers = {"Authorization": "Bearer s"}
    async with client.get("/v1/models", headers=headers) as response:
        assert [each["id"] for each in (await response.json())["data"]] == ["demo-qwen3"]
    async with client.get("/v1/models/demo-qwen3", headers=headers) as response:
        assert response.status == 200
    async with client.get("/v1/models/Qwen/Qwen3-8B-FP8", headers=headers) as response:
        assert response.status == 403
        error = (await response.json())["error"]
    assert error["code"] == "model_not_allowed"
    assert "not for 'qwen3-8b-fp8'. It is for: demo-qwen3." in error["message"]


@pytest.mark.parametrize("name", ["gpt-4", "qwen3-8b-fp9", "Qwen/Qwen3-8B"])
async def test_a_key_hears_of_no_models_but_its_own(
    client: Client, around: Around, name: str
) -> None:
    around.book.keys["s"] = Key("key-1", "alice", b"", "", 0.0, models=("demo-qwen3", "gone"))
    headers = {"Authorization": "Bearer s"}
    for answer in (
        client.post(CHAT, json={"model": name}, headers=headers),
        client.get(f"/v1/models/{name}", headers=headers),
    ):
        async with answer as response:
            assert response.status == 404
            said = (await response.json())["error"]["message"]
        assert said in (
            f"There is no model {name!r}. There are: demo-qwen3.",
            f"There is no model {name!r}. Did you mean demo-qwen3?",
        )


async def test_a_key_whose_models_are_not_here_hears_of_none(
    client: Client, around: Around
) -> None:
    around.book.keys["s"] = Key("key-1", "alice", b"", "", 0.0, models=("gone",))
    asked = client.post(CHAT, json={"model": "x"}, headers={"Authorization": "Bearer s"})
    async with asked as response:
        said = (await response.json())["error"]["message"]
    assert said.startswith("There is no model 'x'. None can be started here now")


async def test_who_comes_with_a_wrong_key_is_told_by_address_alone(
    client: Client, around: Around
) -> None:
    around.book.keys["secret"] = Key("key-1", "bob", b"b" * 32, "abcd", 0.0)
    for key in ("sk-sw-wrong", "secret"):
        async with client.get("/v1/models", headers={"x-api-key": key}) as response:
            assert response.status == (200 if key == "secret" else 401)
    async with client.get("/v1/models") as response:
        assert response.status == 401  # without a key: nobody guesses
    async with asyncio.timeout(5):
        while not around.wrong:
            await asyncio.sleep(0.001)
    assert around.wrong == ["127.0.0.1"]
