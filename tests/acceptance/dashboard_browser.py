"""Chromium at the dashboard of a real daemon: tabs, what they complain of, what they ask others."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.acceptance.conftest import Home

PATIENCE_MS = 20_000
"""That a page may take to show what it should, on a machine with other work."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips where there is none, fails where CI has none."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI has to have chromium (Debian's package of that name)")
        pytest.skip("no chromium here: install Debian's package of that name")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page in a browser profile of its own, its console, and requests to other hosts."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, browser: Browser, base: str) -> "Tab":
        """A new profile, signed in nowhere."""
        tab = cls(browser.new_context().new_page(), base)
        tab.page.on("console", tab._said)
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.context.on("request", tab._asked)
        return tab

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.base}/", "data:", "blob:")):
            self.elsewhere.append(request.url)

    def sign_in(self, home: Home) -> None:
        """By a link of `sparkwell ui`."""
        self.page.goto(home.json("ui")["url"])
        self.page.wait_for_url(f"{self.base}/ui/")  # the welcome page leads there by itself

    def go(self, path: str) -> None:
        """Open a page, as by typing its address."""
        self.page.goto(self.base + path)

    def drop(self, part: str) -> None:
        """Forget a complaint that has to be there: the browser's own about a refusal."""
        self.page.evaluate("1")  # what was said until now has been heard
        assert [each for each in self.complaints if part in each], (part, self.complaints)
        self.complaints = [each for each in self.complaints if part not in each]

    def is_quiet(self) -> None:
        """Nothing was complained of, and nobody else was asked."""
        self.page.evaluate("1")
        assert self.complaints == []
        assert self.elsewhere == []

    def until(self, condition: Callable[[], bool], timeout_s: float, every_s: float = 0.25) -> None:
        """Look again and again, and let the page go on meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, self.page.inner_text("main")[:2000]
            self.page.wait_for_timeout(every_s * 1000)

    def button(self, name: str) -> None:
        """Press a button by its accessible name."""
        self.page.get_by_role("button", name=name, exact=True).click()
