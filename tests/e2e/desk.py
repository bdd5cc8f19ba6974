"""A page in a real browser, with the words a test needs for what a person does on it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from toolkit.studio import Studio
from webui import form
from webui.server import Server

READY = "html[data-limner=ready]"
OPENING = 240_000  # ms: eight people may open their first page at once on a machine that is busy already
LISTS = ("model", "sampler", "schedule")  # their boxes show titles
TYPED = {name: at for at, name in enumerate(form.NAMES) if name not in (*form.HIDDEN, *LISTS)}
AGREED = """(typed) => Object.entries(typed).every(([name, at]) =>
  document.querySelector(`#lm-f-${name} textarea, #lm-f-${name} input`).value === window.limner.values()[at])"""


@dataclass(frozen=True)
class Place:
    """A studio, its server, and a browser that knows the server's files."""

    studio: Studio
    server: Server
    context: BrowserContext


class Desk:
    """One open page. Errors of its scripts are kept in `errors`, and no test should leave any there."""

    def __init__(self, context: BrowserContext, link: str) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.open(link)

    def open(self, link: str) -> None:
        self.page.goto(link)
        self.page.wait_for_selector(READY, timeout=OPENING)

    @property
    def prompt(self) -> Locator:
        return self.page.locator("#lm-f-prompt textarea")

    @property
    def status(self) -> Locator:
        return self.page.locator("#lm-status-text")

    @property
    def tiles(self) -> Locator:
        return self.page.locator("#lm-grid .lm-tile")

    @property
    def finished(self) -> Locator:
        return self.page.locator("#lm-grid .lm-tile[data-state=finished]")

    @property
    def toast(self) -> Locator:
        return self.page.locator(".lm-toast")

    def box(self, name: str) -> Locator:
        return self.page.locator(f"#lm-f-{name} input, #lm-f-{name} textarea").first

    def numbers(self) -> None:
        toggle = self.page.locator("#lm-numbers-toggle")
        if toggle.get_attribute("aria-expanded") != "true":
            toggle.click()

    def ask(self, prompt: str) -> None:
        """Type a prompt and draw, without waiting for the picture."""
        self.prompt.fill(prompt)
        self.page.keyboard.press("Control+Enter")

    def draw(self, prompt: str, count: int = 1, seconds: float = 60) -> None:
        """Draw `prompt` and wait until the pictures are on the stage."""
        self.page.locator("#lm-count").get_by_role("radio", name=str(count), exact=True).click()
        self.ask(prompt)
        expect(self.page.locator("#lm-caption .lm-caption-prompt")).to_have_text(prompt)
        expect(self.finished).to_have_count(count, timeout=seconds * 1000)

    def values(self) -> dict[str, str]:
        """What the form asks for, once its boxes and its scripts agree: Gradio tells them of each other a bit later."""
        self.page.wait_for_function(AGREED, arg=TYPED)
        return dict(zip(form.NAMES, self.page.evaluate("window.limner.values()"), strict=True))

    def jobs(self) -> list[dict[str, Any]]:
        """This person's jobs as the studio tells them, oldest first."""
        return self.context.request.get("/limner/state").json()["jobs"]

    def drop(self, name: str, content: bytes) -> None:
        """Drop a file on the page, as from a folder."""
        transfer = self.page.evaluate_handle(
            """([name, coded]) => {
              const transfer = new DataTransfer();
              const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
              transfer.items.add(new File([bytes], name, {type: "image/png"}));
              return transfer;
            }""",
            [name, base64.b64encode(content).decode()],
        )
        for event in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event("#lm-stage", event, {"dataTransfer": transfer})


def new_context(browser: Browser, url: str, **settings: Any) -> BrowserContext:
    """A browser of its own, with no cookie yet; nothing breathes or slides in it, for that takes a core for itself."""
    wanted = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce", **settings}
    context = browser.new_context(base_url=url, **wanted)
    context.set_default_timeout(60_000)
    return context


def new_desk(browser: Browser, link: str, **settings: Any) -> Desk:
    """A page of a browser of its own, so of a person of its own unless the link is the owner's."""
    return Desk(new_context(browser, link.split("/?")[0], **settings), link)
