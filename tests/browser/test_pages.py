"""Every page in a real browser: quiet, accessible, narrow, light in weight."""

import pytest
from playwright.async_api import Browser, expect
from tests.browser.screenshots import PAGES
from tests.browser.watching import Tab
from tests.unit.web.fake_site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")
MOST_BYTES = 300_000
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
async def test_nothing_grave(tab: Tab, name: str, theme: str) -> None:
    await tab.page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    await tab.go(PAGES[name])
    await expect(tab.page.locator("#lit")).to_have_text("live")
    for details in await tab.page.query_selector_all("main details:not([open]) > summary"):
        if await details.is_visible():
            await details.click()
    assert await tab.grave() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_nothing_grave_at_the_door(browser: Browser, site: Site, theme: str) -> None:
    async with Tab.open(browser, site, color_scheme=theme) as tab:
        await tab.go("/ui/")
        assert await tab.grave() == []
        assert tab.complaints == []


@pytest.mark.parametrize("name", PAGES)
async def test_a_phone_does_not_scroll_sideways(tab: Tab, name: str) -> None:
    await tab.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await tab.go(PAGES[name])
    await tab.page.wait_for_timeout(300)
    assert await tab.settled_width(PHONE["width"]) <= PHONE["width"]


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_weighs_little(
    tab: Tab, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await tab.page.context.new_cdp_session(tab.page)
    await client.send("Network.enable")
    await client.send("Network.setCacheDisabled", {"cacheDisabled": True})
    received = []
    client.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    await tab.go(PAGES[name])
    await tab.page.wait_for_timeout(400)
    paint = await tab.page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
    )
    with capsys.disabled():
        print(f"\n{name}: {sum(received) / 1000:.0f} kB, first paint {paint:.0f} ms", end=" ")
    assert 5000 < sum(received) < MOST_BYTES


async def test_the_theme_can_be_chosen_and_is_kept(tab: Tab) -> None:
    await tab.page.emulate_media(color_scheme="light")
    await tab.page.select_option("#theme", "dark")
    await tab.page.wait_for_selector('html[data-theme="dark"]')  # its script may come after this
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = await tab.page.evaluate(ground)
    await tab.page.reload()
    assert await tab.page.evaluate(ground) == dark
    await tab.page.select_option("#theme", "light")
    await tab.page.wait_for_selector('html[data-theme="light"]')
    assert await tab.page.evaluate(ground) != dark
