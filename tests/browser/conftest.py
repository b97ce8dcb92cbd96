"""Debian's Chromium, driven by Playwright. Every test keeps its screenshots in tests/browser/screenshots/."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

SCREENSHOTS = Path(__file__).parent / "screenshots"
# Chromium's own sandbox needs rights that root in a container lacks; the rest keeps it from calling home.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--no-proxy-server"]


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """One person with a browser of their own."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note_if_outside)
        self.outside: list[str] = []

    def _note_if_outside(self, request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", self.address.replace("http", "ws"))):
            self.outside.append(request.url)

    def open(self, path: str):
        return self.page.goto(self.address + path)

    def log_in(self, login: str, password: str, then: str = "") -> None:
        """``then``: the page to land on; by default the hub chooses."""
        self.open("/hub/login" + (f"?next={then}" if then else ""))
        self.page.get_by_label("User name").fill(login)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def keep(self, name: str, full_page: bool = False) -> None:
        """Keep a screenshot, for people to look at."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)


@pytest.fixture
def note(capsys):
    """Tell a figure in the test's report, whatever the outcome."""

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")

    return tell


@pytest.fixture
def visitor(platform, chromium):
    """Make visitors; each has cookies of their own. Whatever goes wrong, the last page of each is kept."""
    made: list[Visitor] = []

    def visit(**options) -> Visitor:
        context = chromium.new_context(viewport={"width": 1280, "height": 860}, **options)
        context.set_default_timeout(30_000)
        made.append(Visitor(context.new_page(), platform.address))
        return made[-1]

    yield visit
    for number, each in enumerate(made):
        each.keep(f"last-{number}")
        each.page.context.close()
