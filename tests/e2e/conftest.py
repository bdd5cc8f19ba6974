"""A real browser, and studios behind the real server: one that sketches for what is quick, one with the starter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.e2e.desk import Desk, new_context, new_desk
from toolkit.engine.sketch import SketchEngine
from toolkit.settings import load_settings
from toolkit.studio import Studio
from webui.server import Server, build_app, serving

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
# Slow enough that a test can look at a job while it runs, fast enough that many fit in a minute.
STEP_SECONDS = 0.08


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    # Without plugins: what is typed here, braces too, must reach the page as it is.
    settings = load_settings(data=tmp_path_factory.mktemp("studio"), safe_mode=True)
    with Studio(settings=settings, engine=SketchEngine(step_seconds=STEP_SECONDS)) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(studio: Studio) -> Iterator[Server]:
    with serving(build_app(studio)) as running:
        yield running


@pytest.fixture
def person(browser: Browser, server: Server) -> Iterator[Callable[..., Desk]]:
    """Opens the page as somebody new each time; their scripts must have run without an error."""
    desks: list[Desk] = []

    def new(link: str = "", **settings: Any) -> Desk:
        desks.append(new_desk(browser, link or f"{server.url}/", **settings))
        return desks[-1]

    yield new
    for desk in desks:
        desk.context.close()
    assert [error for desk in desks for error in desk.errors] == []


@pytest.fixture(scope="module")
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """One browser for a module's tests: what it has loaded once, it need not load again."""
    opened = new_context(browser, server.url)
    yield opened
    opened.close()


@pytest.fixture
def desk(context: BrowserContext, server: Server) -> Iterator[Desk]:
    """The page as somebody new sees it."""
    context.clear_cookies()
    opened = Desk(context, f"{server.url}/")
    yield opened
    for page in context.pages:
        page.evaluate("localStorage.clear()")
        page.close()
    assert opened.errors == []
