"""What people do at the dashboard, with mouse and keyboard."""

import asyncio
import re
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Route, expect
from tests.browser.watching import Tab
from tests.unit.web import fake_status as documents
from tests.unit.web.fake_services import CATALOG
from tests.unit.web.fake_site import KEY, Site, served
from tests.unit.web.fake_status import GIANT, NEMO, QWEN

from sparkwell.core.events import Event
from sparkwell.core.findings import Finding, Severity

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\""


async def test_sign_in_by_keyboard(browser: Browser, site: Site) -> None:
    async with Tab.open(browser, site) as tab:
        await tab.go("/ui/models")
        await tab.page.keyboard.type("wrong")
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.get_by_role("alert")).to_contain_text("not the admin key")
        await tab.page.keyboard.type(KEY)
        await tab.page.keyboard.press("Enter")
        await expect(tab.page.locator("#lit")).to_have_text("live")
        complaints = [each for each in tab.complaints if "403" not in each]
        assert complaints == []


async def test_a_walk_by_keyboard(tab: Tab) -> None:
    """The skip link, the menu, a page, and a button that stays focused while figures change."""
    tab.site.services.switching = None
    await tab.go("/ui/")
    await tab.page.keyboard.press("Tab")
    assert await tab.page.evaluate("document.activeElement.className") == "skip"
    for _ in range(20):
        await tab.page.keyboard.press("Tab")
        if await tab.page.evaluate("document.activeElement.textContent.trim()") == "Models":
            break
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator("h1")).to_have_text("Models")
    start = tab.page.get_by_role("button", name=f"Start {GIANT}")
    await start.focus()
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.get_by_role("button", name=f"Stop {GIANT}")).to_be_visible()
    assert tab.site.services.acts == [("start", GIANT)]


async def test_the_focus_stays_while_progress_moves(tab: Tab) -> None:
    await tab.go("/ui/models")
    stop = tab.page.get_by_role("button", name=f"Stop {QWEN}")
    await stop.focus()
    tab.site.services.instances[1] = documents.starting(QWEN, 77.0)
    await expect(tab.page.locator("#state-qwen3_2d_8b_2d_fp8")).to_contain_text("77 %")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert await tab.page.evaluate(focused) == f"Stop {QWEN}"


async def test_progress_moves_and_a_model_becomes_ready(tab: Tab) -> None:
    services = tab.site.services
    await tab.go("/ui/")
    bar = tab.page.locator("#instances progress")
    await expect(bar).to_have_attribute("value", "43.0")
    services.instances[1] = documents.starting(QWEN, 80.0)
    await expect(bar).to_have_attribute("value", "80.0")
    services.instances[1] = documents.instance(QWEN, "ready")
    services.switching = None
    await expect(bar).not_to_be_attached()
    await expect(tab.page.locator("#headline")).to_contain_text(f"{NEMO}, {QWEN}")
    await expect(tab.page.locator("#plots canvas")).to_have_count(4)


async def test_two_browsers_press_switch(browser: Browser, tab: Tab) -> None:
    tab.site.services.switching = None
    async with Tab.open(browser, tab.site) as other:
        await other.sign_in()
        await asyncio.gather(tab.go("/ui/models"), other.go("/ui/models"))
        await tab.page.get_by_role("button", name=f"Switch to {GIANT}").click()
        await expect(tab.page.locator("#banner")).to_contain_text(f"to {GIANT}")
        await other.page.get_by_role("button", name="Switch to demo-qwen3").click()
        await expect(other.page.locator("#told")).to_contain_text("is under way")
        assert [verb for verb, _ in tab.site.services.acts] == ["switch"]


async def test_the_browser_goes_away_during_a_load(browser: Browser, site: Site) -> None:
    site.services.switching, site.services.act_s = None, 0.5
    async with Tab.open(browser, site) as tab:
        await tab.sign_in()
        await tab.go("/ui/models")
        await tab.page.get_by_role("button", name=f"Start {GIANT}").click()
        await tab.page.wait_for_timeout(100)
    await asyncio.sleep(0.8)
    assert site.services.acts == [("start", GIANT)]


async def test_fifty_models_can_be_filtered(tab: Tab) -> None:
    tab.site.services.catalog = tuple(
        replace(CATALOG[n % 5], name=f"model-{n:02d}", title=f"Number {n}") for n in range(50)
    )
    tab.site.services.instances, tab.site.services.switching = [], None
    await tab.go("/ui/models")
    await expect(tab.page.locator("#filter-count")).to_have_text("50 of 50 models")
    await tab.page.fill("#filter-text", "model-07")
    await expect(tab.page.locator("article.model:visible")).to_have_count(1)
    await tab.page.fill("#filter-text", "")
    await tab.page.select_option("#filter-kind", "fits")
    await expect(tab.page.locator("article.model:visible")).to_have_count(40)
    for name in ("model-00", "model-01"):
        await tab.page.get_by_label(f"Compare {name}").check()
    await tab.page.click("#compare")
    await expect(tab.page.locator("h1")).to_have_text("Compare plans")
    await expect(tab.page.locator("#speeds canvas")).to_have_count(1)


async def test_chat_with_two_models(tab: Tab) -> None:
    await tab.go("/ui/playground")
    await tab.page.check("#both")
    await tab.page.select_option("#model-b", QWEN)
    await tab.page.fill("#temperature", "0.2")
    await tab.page.fill("#prompt", 'It\'s "quoted" </pre>')
    await tab.page.press("#prompt", "Enter")
    sides = tab.page.locator(".side")
    for number in range(2):
        await expect(sides.nth(number).locator(".figures")).to_contain_text("tok/s")
        await expect(sides.nth(number).locator(".turn.answer")).to_contain_text("Hello from")
    asked = {str(each["model"]): each for each in tab.site.asked}
    assert set(asked) == {NEMO, QWEN}
    assert asked[NEMO]["temperature"] == 0.2
    await tab.page.click("#request summary")
    await expect(tab.page.locator("#code")).to_contain_text("'\\''")
    await tab.page.click("[data-lang=python]")
    code = await tab.page.inner_text("#code")
    compile(code, "snippet", "exec")


async def test_an_answer_can_be_stopped_and_an_error_is_said(tab: Tab) -> None:
    tab.site.token_s = 0.2
    await tab.go("/ui/playground")
    await tab.page.fill("#prompt", "Go on.")
    await tab.page.click("#send")
    await expect(tab.page.locator(".turn.answer")).to_contain_text("Hello")
    await tab.page.click("#halt")
    await expect(tab.page.locator(".turn.problem")).to_have_text("Stopped.")
    await asyncio.sleep(0.3)
    assert tab.site.broken_off == 1  # the gateway hears it, and the engine stops
    await tab.page.select_option("#model-a", "demo-qwen3")
    await tab.page.fill("#prompt", "Hello?")
    await tab.page.click("#send")
    await expect(tab.page.locator(".turn.problem")).to_contain_text("<b>no weights</b>")
    assert all("503" in each for each in tab.complaints)
    tab.complaints.clear()


@pytest.mark.parametrize("inside", [False, True])
async def test_reasoning_stands_apart_from_the_answer(tab: Tab, inside: bool) -> None:
    """From an engine that tells it apart, and from one that writes it into the text."""
    if inside:
        tab.site.answer = "<think>Let me see.</think> It is four."
    else:
        tab.site.thought, tab.site.answer = "Let me see.", "It is four."
    await tab.go("/ui/playground")
    await tab.page.fill("#prompt", "2 + 2?")
    await tab.page.press("#prompt", "Enter")
    await expect(tab.page.locator(".turn.answer")).to_contain_text("It is four.")
    assert "see" not in await tab.page.inner_text(".turn.answer")
    thought = tab.page.locator("details.thought")
    await expect(thought).not_to_have_attribute("open", "")
    await thought.locator("summary").click()
    await expect(thought).to_contain_text("Let me see.")


async def test_a_switch_is_announced_before_a_question(tab: Tab) -> None:
    tab.site.services.switching = None
    await tab.go(f"/ui/playground?model={GIANT}")
    await expect(tab.page.locator("#first")).to_contain_text(f"{GIANT} does not run.")
    await tab.page.select_option("#model-a", NEMO)
    await expect(tab.page.locator("#first")).to_have_text("")
    await tab.page.check("#both")
    await tab.page.select_option("#model-b", "llama33-70b-fp8")
    await expect(tab.page.locator("#first")).to_contain_text("do not fit beside each other")


async def test_plots_of_a_model_that_was_not_measured(tab: Tab) -> None:
    services = tab.site.services
    services.instances, services.switching = [documents.starting(QWEN, 10.0)], None
    await tab.go("/ui/")
    await expect(tab.page.locator("#plots .empty")).to_have_count(4)
    services.instances = [documents.instance(NEMO, "ready")]
    await expect(tab.page.locator("#plots canvas")).to_have_count(4)
    named = tab.page.locator("#plots [role=img]").first
    await expect(named).to_have_attribute("aria-label", re.compile(f"newest: {NEMO} [0-9]"))


async def test_plots_go_on_when_the_clock_was_set_back(tab: Tab) -> None:
    services = tab.site.services
    services.instances, services.switching = [documents.instance(NEMO, "ready")], None
    await tab.go("/ui/")
    named = tab.page.locator("#plots [role=img]").first
    await expect(named).to_have_attribute("aria-label", re.compile(f"newest: {NEMO} [0-9]"))
    services.clock_off_s, services.output_tokens_per_s = -3600.0, 7.25
    await expect(named).to_have_attribute("aria-label", re.compile("newest: .* 7.25"))


async def test_what_is_to_be_read_does_not_wait_for_scripts(tab: Tab) -> None:
    """Nothing of the page's scripts is asked for before its first frame."""
    await tab.go("/ui/")
    await expect(tab.page.locator("#plots canvas")).to_have_count(4)
    late = await tab.page.evaluate("""() => {
      const paint = performance.getEntriesByName('first-contentful-paint')[0].startTime;
      const scripts = performance.getEntriesByType('resource').filter(
        (each) => each.name.endsWith('.js') && !each.name.endsWith('/late.js'));
      return scripts.map((each) => each.startTime >= paint);
    }""")
    assert len(late) >= 5
    assert all(late)


async def test_a_mistake_in_a_recipe(tab: Tab) -> None:
    await tab.go(f"/ui/models/{QWEN}/recipe")
    length = tab.page.get_by_label("max_model_len", exact=True)
    await length.fill("many")
    await expect(length).to_have_attribute("aria-invalid", "true")
    await expect(tab.page.get_by_role("button", name="Save")).to_be_disabled()
    await length.fill("16384")
    await expect(tab.page.locator("#preview")).to_contain_text("max_model_len: 16384")
    await expect(length).not_to_have_attribute("aria-invalid", "true")
    await tab.page.get_by_role("button", name="Save").click()
    await expect(tab.page.locator("#preview")).to_contain_text("Saved.")
    assert tab.site.services.saved[0].flags["max_model_len"] == "16384"


async def test_what_was_typed_before_the_scripts_came_is_not_lost(tab: Tab) -> None:
    may_come = asyncio.Event()

    async def late(route: Route) -> None:
        await may_come.wait()
        await route.continue_()

    await tab.page.route("**/htmx.min.js", late)
    await tab.go(f"/ui/models/{QWEN}/recipe")
    length = tab.page.get_by_label("max_model_len", exact=True)
    await length.fill("many")
    await tab.page.wait_for_timeout(300)
    may_come.set()
    await expect(length).to_have_attribute("aria-invalid", "true")
    may_come.clear()
    await tab.go("/ui/playground")
    await expect(tab.page.locator("#prompt")).to_be_disabled()
    await tab.page.wait_for_timeout(300)
    may_come.set()
    await expect(tab.page.locator("#prompt")).to_be_enabled()


async def test_a_log_of_two_thousand_lines_a_second(tab: Tab) -> None:
    tab.site.services.lines_per_s = 2000.0
    await tab.go(f"/ui/logs?model={QWEN}&tail=2000")
    await tab.page.wait_for_timeout(4000)
    assert await tab.page.locator("#log > div").count() <= 2000
    # The page answers while lines come: 30 frames take about half a second.
    frames = """new Promise(done => { let left = 30; const began = performance.now();
      const step = () => --left ? requestAnimationFrame(step) : done(performance.now() - began);
      step(); })"""
    assert await tab.page.evaluate(frames) < 4000
    await tab.page.evaluate("document.getElementById('log').scrollTop = 0")
    await expect(tab.page.locator("#follow")).not_to_be_checked()
    first = await tab.page.locator("#log > div").first.inner_text()
    await tab.page.wait_for_timeout(600)
    assert await tab.page.locator("#log > div").first.inner_text() == first
    await expect(tab.page.locator("#log-says")).to_contain_text("new lines wait")


async def test_events_are_filtered_while_typing(tab: Tab) -> None:
    tab.site.services.story = documents.story(10_000)
    await tab.go("/ui/events")
    await tab.page.get_by_text("Older").click()
    await expect(tab.page.get_by_text("Newest", exact=True)).to_be_visible()
    await tab.page.select_option("[name=kind]", "queue")
    await expect(tab.page.locator("#events tbody tr").first).to_contain_text("was refused")
    await tab.page.fill("[name=text]", "nothing like this")
    await expect(tab.page.locator("#events")).to_contain_text("No event matches.")


async def test_nothing_that_others_wrote_is_run(tab: Tab) -> None:
    services = tab.site.services
    services.instances.append(documents.instance(EVIL, "failed", error=EVIL, hint=EVIL))
    services.catalog = (replace(CATALOG[0], name=EVIL, title=EVIL, summary=EVIL), *CATALOG)
    services.found = (Finding(EVIL, Severity.ERROR, EVIL, (EVIL,)),)
    services.story = [Event(1, 1.0, "instance.failed", EVIL, EVIL)]
    services.lines = [EVIL] * 3
    tab.site.answer = EVIL
    for path in ("/ui/", "/ui/models", "/ui/events", f"/ui/logs?model={QWEN}", "/ui/compare"):
        await tab.go(path)
        await tab.page.wait_for_timeout(500)
        assert await tab.page.locator("main img, main script").count() == 0
    await tab.go("/ui/playground")
    await tab.page.fill("#prompt", EVIL)
    await tab.page.press("#prompt", "Enter")
    await expect(tab.page.locator(".turn.answer")).to_contain_text("onerror")
    assert await tab.page.locator("main img, main script").count() == 0


async def test_a_daemon_that_goes_is_said_and_found_again(browser: Browser) -> None:
    site = Site()
    async with served(site):
        port = int(site.base.rpartition(":")[2])
        context = Tab.open(browser, site)
        tab = await context.__aenter__()
        await tab.sign_in()
        await expect(tab.page.locator("#lit")).to_have_text("live")
    await expect(tab.page.locator("#lit")).to_have_text("not connected")
    async with served(site, port):
        await expect(tab.page.locator("#lit")).to_have_text("live", timeout=15_000)
        await context.__aexit__(None, None, None)
