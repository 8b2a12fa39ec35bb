"""Who gets in, and what others can make a browser do."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientError
from tests.unit.web.browsing import Visitor
from tests.unit.web.fake_site import KEY, Site, served

from sparkwell.core.errors import EnvironmentFault
from sparkwell.web.access import LIFE_S
from sparkwell.web.static_files import static_files
from sparkwell.web.throttle import Throttle

PAGES = (
    *("/ui/", "/ui/models", "/ui/playground", "/ui/logs", "/ui/events", "/ui/benchmarks"),
    *("/ui/keys", "/ui/compare", "/ui/models/qwen3-8b-fp8/recipe"),
)


@pytest.mark.parametrize("path", [*PAGES, "/ui/data/history", "/ui/nothing"])
async def test_strangers_are_sent_to_sign_in(stranger: Visitor, path: str) -> None:
    status, _, answer = await stranger.get(path, allow_redirects=False)
    assert status == 303
    assert answer.headers["Location"] == "/ui/login"


@pytest.mark.parametrize("path", ["/ui/live", "/ui/logs/live?model=x"])
async def test_strangers_get_no_stream(stranger: Visitor, path: str) -> None:
    accepts = {"Accept": "text/event-stream"}
    status, _, _ = await stranger.get(path, headers=accepts, allow_redirects=False)
    assert status == 401


async def test_a_script_of_a_page_is_told_to_sign_in(stranger: Visitor) -> None:
    status, _, answer = await stranger.post("/ui/models/qwen3-8b-fp8/stop")
    assert status == 401
    assert answer.headers["HX-Redirect"] == "/ui/login"
    assert stranger.site.services.acts == []


@pytest.mark.parametrize("path", PAGES)
async def test_pages_load(visitor: Visitor, path: str) -> None:
    status, page, answer = await visitor.get(path)
    assert status == 200
    assert "<main" in page
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [*PAGES, "/ui/login"])
async def test_pages_hold_no_script_style_or_address_of_others(visitor: Visitor, path: str) -> None:
    _, page, _ = await visitor.get(path)
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<[^>]*\s(style|on\w+)=", page)
    assert not re.search(r'(src|href|action)="(https?:)?//', page)


async def test_the_admin_key_signs_in(stranger: Visitor) -> None:
    status, _, answer = await stranger.post("/ui/login", {"key": KEY}, htmx=False)
    assert status == 303
    cookie = answer.headers["Set-Cookie"]
    assert all(each in cookie for each in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert (await stranger.get("/ui/", allow_redirects=False))[0] == 200


@pytest.mark.parametrize("key", ["", "wrong", KEY[:-1], "schlüssel", "x" * 5000])
async def test_a_wrong_key_does_not(stranger: Visitor, key: str) -> None:
    status, page, answer = await stranger.post("/ui/login", {"key": key}, htmx=False)
    assert status == 403
    assert "Set-Cookie" not in answer.headers
    assert "not the admin key" in page
    assert "xxxx" not in page


async def test_guessing_is_refused_at_last(site: Site, stranger: Visitor) -> None:
    async def no_wait(_seconds: float) -> None:
        return

    site.throttle = Throttle(lambda: 0.0, no_wait)
    async with served(site):
        answers = [await stranger.post("/ui/login", {"key": str(n)}, htmx=False) for n in range(12)]
    assert answers[-1][0] == 429
    assert int(answers[-1][2].headers["Retry-After"]) > 0


async def test_guessing_slows_down_the_client_whom_the_gateway_names(
    site: Site, stranger: Visitor
) -> None:
    """All requests come from the gateway's socket: one who guesses must not slow down others."""
    slept = []

    async def no_wait(seconds: float) -> None:
        slept.append(seconds)

    site.throttle = Throttle(lambda: 0.0, no_wait)
    async with served(site):

        async def guess(peer: str, key: str = "wrong") -> int:
            headers = {"x-sparkwell-peer": peer}
            return (await stranger.post("/ui/login", {"key": key}, headers, htmx=False))[0]

        for _ in range(5):
            assert await guess("192.168.1.7") == 403
        before = len(slept)
        assert before
        assert await guess("192.168.1.8", KEY) == 303
        assert len(slept) == before


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False), ("", False)])
async def test_the_cookie_is_secure_where_the_client_asked_by_https(
    site: Site, stranger: Visitor, scheme: str, secure: bool
) -> None:
    headers = {"x-sparkwell-scheme": scheme} if scheme else {}
    _, _, by_key = await stranger.post("/ui/login", {"key": KEY}, headers, htmx=False)
    link = f"/ui/login?token={site.links.make()}"
    _, _, by_link = await stranger.get(link, headers=headers)
    for answer in (by_key, by_link):
        assert ("Secure" in answer.headers["Set-Cookie"]) is secure


async def test_without_a_key_only_the_link_signs_in(site: Site, stranger: Visitor) -> None:
    site.keys.key = None
    _, page, _ = await stranger.get("/ui/login")
    assert "no admin key" in page
    assert 'name="key"' not in page
    assert (await stranger.post("/ui/login", {"key": ""}, htmx=False))[0] == 403
    await stranger.sign_in()


async def test_a_link_is_not_used_up_by_a_guess_of_the_browser(
    site: Site, stranger: Visitor
) -> None:
    path = f"/ui/login?token={site.links.make()}"
    assert (await stranger.get(path, headers={"Sec-Purpose": "prefetch"}))[0] == 204
    async with stranger.client.head(site.base + path) as answer:
        assert answer.status == 405
    assert (await stranger.get(path))[0] == 200
    stranger.client.cookie_jar.clear()
    assert (await stranger.get(path, allow_redirects=False))[0] == 403


async def test_a_session_from_before_is_not_kept(site: Site, stranger: Visitor) -> None:
    await stranger.sign_in()
    before = {each.value for each in stranger.client.cookie_jar}
    await stranger.sign_in()
    assert before.isdisjoint(each.value for each in stranger.client.cookie_jar)
    assert site.sessions.of(before.pop()) is None


async def test_who_is_signed_in_needs_no_form(visitor: Visitor) -> None:
    status, _, answer = await visitor.get("/ui/login", allow_redirects=False)
    assert (status, answer.headers["Location"]) == (303, "/ui/")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"key=x"),
        ("multipart/form-data; boundary=a", b"--a\r\nnothing of a part"),
        ("application/x-www-form-urlencoded; charset=nope", b"key=x"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=1"),
        ("application/x-www-form-urlencoded; charset=utf-7", b"key=+2AA-"),
    ],
)
async def test_a_form_that_is_none_is_refused_in_words(
    site: Site, stranger: Visitor, kind: str, body: bytes
) -> None:
    headers = {"Content-Type": kind}
    async with stranger.client.post(
        f"{site.base}/ui/login", data=body, headers=headers, allow_redirects=False
    ) as answer:
        assert answer.status in (400, 403)
        assert "mistake" not in await answer.text()


async def test_a_token_that_is_no_text_is_a_wrong_one(visitor: Visitor) -> None:
    headers = {"X-Csrf-Token": "\udcff"}
    assert (await visitor.post("/ui/models/demo/stop", headers=headers))[0] == 403


async def test_a_stream_of_a_model_that_has_not_run_is_an_error_and_no_stream(
    visitor: Visitor,
) -> None:
    status, page, answer = await visitor.get("/ui/logs/live?model=never-heard-of")
    assert status == 400
    assert "text/event-stream" not in answer.headers["Content-Type"]
    assert page.count("<!doctype html>") == 1


async def test_a_stream_ends_with_its_session(site: Site, visitor: Visitor) -> None:
    async with visitor.client.get(f"{site.base}/ui/live?scope=models") as stream:
        assert await stream.content.readline()
        (session,) = site.sessions._sessions.values()
        session.began -= LIFE_S + 1
        async with asyncio.timeout(5):
            while await stream.content.readline():
                pass


async def test_sign_out(visitor: Visitor) -> None:
    assert (await visitor.post("/ui/logout", htmx=False))[0] == 303
    assert (await visitor.get("/ui/", allow_redirects=False))[0] == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Csrf-Token": ""},
        {"X-Csrf-Token": "wrong"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_others_cannot_press_buttons(visitor: Visitor, headers: dict[str, str]) -> None:
    status, _, answer = await visitor.post("/ui/models/qwen3-8b-fp8/stop", headers=headers)
    assert status == 403
    assert answer.headers["HX-Retarget"] == "#told"
    assert visitor.site.services.acts == []


async def test_a_plain_form_brings_the_token_along(visitor: Visitor) -> None:
    token, visitor.token = visitor.token, ""
    status, _, _ = await visitor.post("/ui/models/qwen3-8b-fp8/stop", {"_token": token}, htmx=False)
    assert status == 303
    assert visitor.site.services.acts == [("stop", "qwen3-8b-fp8")]


@pytest.mark.parametrize("verb", ["start", "switch", "stop"])
async def test_the_buttons_of_a_page_without_scripts_work(visitor: Visitor, verb: str) -> None:
    """A browser sends the form as it stands in the page, and nothing else."""
    visitor.site.services.switching = None
    await press(visitor, (await visitor.get("/ui/models"))[1], verb)


async def test_a_button_that_the_stream_brought_works_before_its_script(visitor: Visitor) -> None:
    async with visitor.stream("/ui/live?scope=models") as events:
        _, parts = await anext(events)
    await press(visitor, "".join(parts.values()), "stop")


async def press(visitor: Visitor, page: str, verb: str) -> None:
    visitor.token = ""
    form = re.search(rf'<form method="post" action="([^"]*/{verb})".*?</form>', page, re.DOTALL)
    assert form
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form[0]))
    status, _, answer = await visitor.post(form[1], fields, htmx=False)
    assert (status, answer.headers["Location"]) == (303, "/ui/models")
    assert [done for done, _ in visitor.site.services.acts] == [verb]


async def test_two_daemons_on_one_host_do_not_sign_each_other_out(visitor: Visitor) -> None:
    """Cookies are sent to every port of a host: each daemon has a name of its own for its own."""
    async with served(Site()) as other:
        await Visitor(other, visitor.client).sign_in()
        for site in (visitor.site, other):
            assert (await Visitor(site, visitor.client).get("/ui/"))[0] == 200
        away = Visitor(other, visitor.client)
        await away.sign_in()
        await away.post("/ui/logout", htmx=False)
        assert (await visitor.get("/ui/", allow_redirects=False))[0] == 200
        assert (await away.get("/ui/", allow_redirects=False))[0] == 303


async def test_a_key_that_cannot_be_used_tells_strangers_nothing_of_its_file(
    site: Site, stranger: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    def check(_key: str) -> bool:
        raise EnvironmentFault("/root/state/admin.key can be read by others", hint="chmod 600 it")

    site.keys.check = check  # type: ignore[method-assign, assignment]
    status, page, answer = await stranger.post("/ui/login", {"key": KEY}, htmx=False)
    assert (status, "Set-Cookie" in answer.headers) == (503, False)
    assert "/root" not in page
    assert "cannot be used now" in page
    assert "/root/state/admin.key can be read by others chmod 600 it" in caplog.text


@pytest.mark.parametrize(
    ("cookie", "mark"),
    [
        ("dark", ' data-theme="dark"'),
        ("light", ' data-theme="light"'),
        ("", ""),
        ('"><script>', ""),
        ("blue", ""),
    ],
)
async def test_the_theme_of_the_cookie(stranger: Visitor, cookie: str, mark: str) -> None:
    headers = {"Cookie": f"sparkwell_theme={cookie}"}
    _, page, _ = await stranger.get("/ui/login", headers=headers)
    assert f'<html lang="en"{mark}>' in page


async def test_another_name_is_refused(visitor: Visitor) -> None:
    status, page, _ = await visitor.get("/ui/", headers={"Host": "evil.example"})
    assert status == 421
    assert "evil" not in page


async def test_a_form_of_unknown_length_is_refused(stranger: Visitor) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"key="
        yield b"x" * 100

    async with stranger.client.post(stranger.site.base + "/ui/login", data=body()) as answer:
        assert answer.status == 411


async def test_who_signs_out_hears_nothing_more(visitor: Visitor) -> None:
    async with visitor.stream("/ui/live") as events:
        await anext(events)
        await visitor.post("/ui/logout", htmx=False)
        with contextlib.suppress(ClientError):
            assert [name async for name, _ in events].count("swap") <= 2


async def test_a_page_that_is_not_there(visitor: Visitor) -> None:
    status, page, _ = await visitor.get("/ui/nothing")
    assert status == 404
    assert "There is no such page." in page


async def test_a_huge_form_is_refused(visitor: Visitor) -> None:
    data = {"key": "x" * 200_000}
    assert (await visitor.post("/ui/login", data, htmx=False))[0] == 413


async def test_static_files_are_packed_and_kept(stranger: Visitor) -> None:
    files = static_files()
    path = f"/ui/static/{files.version}/style.css"
    _, _, answer = await stranger.get(path)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert (await stranger.get("/ui/static/old/style.css"))[2].headers[
        "Cache-Control"
    ] == "no-cache"
    assert (await stranger.get(f"/ui/static/{files.version}/../access.py"))[0] in (303, 404)
    assert (await stranger.get(f"/ui/static/{files.version}/%2e%2e/access.py"))[0] == 404
