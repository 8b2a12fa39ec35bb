"""Keys in a real browser: made, copied, revoked; and the playground where everybody needs one."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.browser.watching import Tab
from tests.unit.web.behind_gateway import Guarded, guarded
from tests.unit.web.fake_keys import LAPTOP, SECRET
from tests.unit.web.fake_site import Site
from tests.unit.web.fake_status import NEMO

from sparkwell.app.keys.own_key import NAME

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIRST = SECRET.format(1)
PHONE = {"width": 360, "height": 740}


@pytest_asyncio.fixture(loop_scope="module")
async def behind() -> AsyncIterator[Guarded]:
    async with guarded(Site(token_s=0.0)) as behind:
        yield behind


async def test_a_key_is_made_by_keyboard_and_copied(browser: Browser, site: Site) -> None:
    rights = ["clipboard-read", "clipboard-write"]
    async with Tab.open(browser, site, permissions=rights) as tab:
        await tab.sign_in()
        await tab.go("/ui/keys")
        await tab.page.get_by_label("Name", exact=True).focus()
        await tab.page.keyboard.type("ci")
        await tab.page.keyboard.press("Tab")
        await tab.page.keyboard.press("Enter")  # opens the list of models
        await tab.page.keyboard.press("Tab")
        await tab.page.keyboard.press("Space")
        await expect(tab.page.get_by_label(NEMO, exact=True)).to_be_checked()
        await tab.page.get_by_label("Requests a minute").focus()
        await tab.page.keyboard.type("60")
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.locator("#secret")).to_have_text(FIRST)
        (wish,) = site.services.client_keys.wishes
        assert (wish.name, wish.models, wish.rpm) == ("ci", (NEMO,), 60)
        assert "sk-sw-" not in tab.page.url
        for name, said in (("Copy the secret", FIRST), ("Copy the command", "curl ")):
            await tab.page.get_by_role("button", name=name).click()
            await expect(tab.page.get_by_role("button", name="Copied")).to_be_visible()
            await expect(tab.page.get_by_role("button", name=name)).to_be_visible()
            copied = await tab.page.evaluate("navigator.clipboard.readText()")
            assert copied.startswith(said)
            assert FIRST in copied
        await tab.page.get_by_role("link", name="All keys").click()
        await expect(tab.page.locator("#usage-plots canvas")).to_have_count(2)
        assert FIRST not in await tab.page.content()
        assert tab.complaints == []


async def test_going_back_shows_no_secret(tab: Tab) -> None:
    await tab.go("/ui/keys")
    await tab.page.get_by_label("Name", exact=True).fill("ci")
    await tab.page.get_by_role("button", name="Make the key").click()
    await expect(tab.page.locator("#secret")).to_have_text(FIRST)
    await tab.go("/ui/events")
    # Later: what goes away while it is evaluated has no answer.
    await tab.page.evaluate("() => { setTimeout(() => history.back(), 20); }")
    await tab.page.wait_for_timeout(700)
    assert FIRST not in await tab.page.content()
    assert len(tab.site.services.client_keys.wishes) == 1
    tab.complaints.clear()  # the browser says that it has not kept the page


async def test_a_key_is_revoked(tab: Tab) -> None:
    await tab.go("/ui/keys")
    button = tab.page.get_by_role("button", name="Revoke laptop")
    await expect(button).not_to_be_visible()
    await tab.page.locator("#revoke-key_2d_1f2e3d4c summary").press("Enter")
    await button.click()
    await expect(tab.page.get_by_text("laptop is revoked.")).to_be_visible()
    assert tab.site.services.client_keys.revoked == [LAPTOP.id]


async def test_all_of_it_without_scripts(browser: Browser, site: Site) -> None:
    async with Tab.open(browser, site, java_script_enabled=False) as tab:
        await tab.go(f"/ui/login?token={site.links.make()}")
        await tab.go("/ui/keys")
        await tab.page.get_by_label("Name", exact=True).fill("ci")
        await tab.page.get_by_role("button", name="Make the key").click()
        await expect(tab.page.locator("#secret")).to_have_text(FIRST)
        await expect(tab.page.get_by_role("button", name="Copy the secret")).to_have_count(0)
        await tab.go("/ui/keys")
        await tab.page.get_by_role("button", name="7 days").click()
        await expect(tab.page.locator("#by-day")).to_be_visible()
        await tab.page.locator("#rotate-key_2d_1f2e3d4c summary").click()
        await tab.page.get_by_label("The old one ends").first.select_option("3600")
        await tab.page.get_by_role("button", name="Make a new secret for laptop").click()
        await expect(tab.page.locator("#secret")).to_have_text(SECRET.format(7))
        assert site.services.client_keys.rotated == [(LAPTOP.id, 3600.0)]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", ["made", "wrong", "none", "broken"])
async def test_nothing_grave_in_any_state(tab: Tab, theme: str, state: str) -> None:
    keys = tab.site.services.client_keys
    await tab.page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    if state == "none":
        keys.empty()
    if state == "broken":
        keys.standing = "broken"
    tab.site.services.more = {"open_to_all": "0.0.0.0:8000"} if state == "broken" else {}
    await tab.go("/ui/keys")
    if state in ("made", "wrong"):
        await tab.page.get_by_label("Name", exact=True).fill("ci")
        await tab.page.get_by_label("Requests a minute").fill("x" if state == "wrong" else "")
        await tab.page.get_by_role("button", name="Make the key").click()
        await tab.page.wait_for_url("**/keys/add")
    await expect(tab.page.locator("#lit")).to_have_text("live")
    assert await tab.grave() == []
    await tab.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert await tab.settled_width(PHONE["width"]) <= PHONE["width"]
    tab.complaints[:] = [each for each in tab.complaints if "400" not in each]


async def test_the_playground_asks_where_everybody_needs_a_key(
    browser: Browser, behind: Guarded
) -> None:
    """Over the gateway's own server, with real keys: nobody gave the page one."""
    async with Tab.open(browser, behind.site) as tab:
        await tab.sign_in()
        keyless = """fetch('/v1/chat/completions', {method: 'POST', body: '{"model": "x"}',
            headers: {'Content-Type': 'application/json'}}).then((answer) => answer.status)"""
        assert await tab.page.evaluate(keyless) == 401
        tab.complaints.clear()
        await tab.go(f"/ui/playground?model={NEMO}")
        for number in range(2):
            await tab.page.fill("#prompt", "Hello?")
            await tab.page.press("#prompt", "Enter")
            await expect(tab.page.locator(".turn.answer").nth(number)).to_contain_text("Hello")
            await expect(tab.page.locator("#send")).to_be_enabled()
        own = behind.site.services.client_keys.own
        await tab.page.click("#request summary")
        for language in ("curl", "python"):
            await tab.page.click(f"[data-lang={language}]")
            await expect(tab.page.locator("#code")).to_contain_text("YOUR_KEY")
        assert own not in await tab.page.content()
        await asyncio.sleep(0.05)
        assert [pair for pair, _ in behind.tally.totals()] == [(NAME, NEMO)]
        assert tab.complaints == []
        assert tab.elsewhere == []


async def test_a_page_whose_session_has_ended_says_so(browser: Browser, behind: Guarded) -> None:
    async with Tab.open(browser, behind.site) as tab:
        await tab.sign_in()
        await tab.go(f"/ui/playground?model={NEMO}")
        await expect(tab.page.locator("#prompt")).to_be_enabled()
        behind.site.sessions._sessions.clear()
        await tab.page.fill("#prompt", "Hello?")
        await tab.page.press("#prompt", "Enter")
        problem = tab.page.locator(".turn.problem")
        await expect(problem).to_have_text(re.compile("not signed in any more"))
