"""Pictures of every page, for docs/images: light, dark and phone.

    python -m tests.browser.screenshots [FOLDER]

The figures in them are made up (tests/unit/web/fake_services.py), but for those of Benchmarks.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import cast

from PIL import Image
from playwright.async_api import Browser, FloatRect, Page, async_playwright
from tests.unit.web.fake_services import FakeServices
from tests.unit.web.fake_site import Site, served

CHROMIUM = "/usr/bin/chromium"
PAGES = {
    "overview": "/ui/",
    "models": "/ui/models",
    "compare": "/ui/compare?model=mistral-nemo-12b-fp8&model=qwen3-8b-fp8&model=qwen3-32b-fp8",
    "recipe": "/ui/models/qwen3-8b-fp8/recipe",
    "playground": "/ui/playground",
    "logs": "/ui/logs?model=qwen3-8b-fp8",
    "events": "/ui/events",
    "benchmarks": "/ui/benchmarks",
    "keys": "/ui/keys",
}
RESULTS = Path(__file__).parents[2] / "docs" / "benchmarks" / "runs"
RUNS = sorted(RESULTS.glob("*-guide.json"))
LONGEST = 1060
COLOURS, EXACT = 80, 12
ANSWER = (
    "The KV cache holds the keys and values of all tokens that a model has read, so that each new "
    "token needs only its own to be computed. It grows with every token of every request, and what "
    "is left of the memory beside the weights decides how many requests fit at once."
)
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
    },
}


async def main(folder: Path, only: set[str]) -> None:
    """Take them all, or those of the pages and looks named."""
    services = FakeServices(moves=True)
    services.measured = {run["run"]: run for run in map(json.loads, map(Path.read_text, RUNS))}
    site = Site(services, answer=ANSWER, token_s=0.02)
    async with served(site), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for look in LOOKS:
            if not only or look in only or not only & set(LOOKS):
                await _look(browser, site, look, folder, only)
        await browser.close()


async def _look(browser: Browser, site: Site, look: str, folder: Path, only: set[str]) -> None:
    context = await browser.new_context(**LOOKS[look])  # type: ignore[arg-type]
    page = await context.new_page()
    page.on("console", lambda message: print(look, message.type, message.text))
    page.on("pageerror", lambda error: print(look, "error", error))
    await page.goto(f"{site.base}/ui/login")
    await page.screenshot(path=folder / f"ui-login-{look}.png")
    await page.goto(f"{site.base}/ui/login?token={site.links.make()}")
    await page.wait_for_url(f"{site.base}/ui/")
    for name, path in PAGES.items():
        if only and name not in only and only & set(PAGES):
            continue
        await page.goto(site.base + path)
        await page.wait_for_timeout(1500)
        await _use(page, name)
        height = await page.evaluate("document.documentElement.scrollHeight")
        width = LOOKS[look]["viewport"]["width"]  # type: ignore[index]
        clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(height, LONGEST)}
        await page.screenshot(path=folder / f"ui-{name}-{look}.png", full_page=True, clip=clip)
    await context.close()


async def _use(page: Page, name: str) -> None:
    if name == "playground":
        await page.check("#both")
        await page.select_option("#model-b", "qwen3-8b-fp8")
        await page.fill("#prompt", "What is a KV cache, in two sentences?")
        await page.press("#prompt", "Enter")
        await page.wait_for_timeout(2500)
    if name == "recipe":
        await page.fill("[name='flag.max_model_len']", "16384")
        await page.wait_for_timeout(1200)


def shrink(picture: Path) -> None:
    """A quarter of the size, with no difference to be seen.

    The commonest colours stay as they are, so that panels and ground do not run together; the
    edges of letters share the others.
    """
    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    found = cast("list[tuple[int, tuple[int, ...]]]", image.getcolors(image.width * image.height))
    exact = [value for _, colour in sorted(found, reverse=True)[:EXACT] for value in colour]
    rest = image.quantize(COLOURS - EXACT, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*exact, *rest[: 3 * (COLOURS - EXACT)]])
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images")
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target, set(sys.argv[2:])))
    for picture in target.glob("ui-*.png"):
        shrink(picture)
