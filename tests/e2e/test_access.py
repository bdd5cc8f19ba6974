"""What people with a screen reader, a keyboard or many tabs depend on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.desk import READY, Desk

AXE = Path(__file__).parent / "axe" / "axe.min.js"


SCHEMES = ("light", "dark")


def findings(desk: Desk, *schemes: str) -> list[str]:
    """What axe-core finds on the page as it is, serious or worse; in each of the colour schemes, if any are named."""
    if not desk.page.evaluate("Boolean(window.axe)"):
        desk.page.add_script_tag(path=AXE)
    found: list[str] = []
    for scheme in schemes:
        desk.page.emulate_media(color_scheme=scheme)
        expect(desk.page.locator("html")).to_have_attribute("data-theme", scheme)
        found += [f"{scheme}: {finding}" for finding in findings(desk)]
    if schemes:
        return found
    result = desk.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{found['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


def test_axe_finds_nothing_serious(desk: Desk) -> None:
    assert findings(desk, *SCHEMES) == [], "the empty page"
    desk.page.locator("#lm-styles-more").click()
    desk.page.locator("#lm-styles .lm-style").first.click()
    desk.numbers()
    desk.draw("a red circle", count=2)
    assert findings(desk, *SCHEMES) == [], "finished pictures, all choices open"
    desk.box("steps").fill("none")
    desk.page.keyboard.press("Control+Enter")
    expect(desk.page.locator("#lm-error-steps")).to_be_visible()
    assert findings(desk, *SCHEMES) == [], "an error at its field"
    desk.page.locator("#lm-keys-open").click()
    assert findings(desk, *SCHEMES) == [], "the list of keys"
    desk.page.keyboard.press("Escape")
    desk.page.locator("#lm-tiles button").first.click()
    assert findings(desk, *SCHEMES) == [], "the large view"
    desk.page.keyboard.press("Escape")
    tabs = desk.page.get_by_role("tab")
    tabs.first.focus()
    for _ in ("rework", "inpaint", "upscale", "models"):
        desk.page.keyboard.press("ArrowRight")
    expect(desk.page.locator("#lm-tab-models")).to_be_focused()
    expect(desk.page.locator(".lm-model h3").first).to_be_visible()
    assert findings(desk, *SCHEMES) == [], "the models"
    desk.page.reload()
    expect(desk.page.locator("#lm-tab-models")).to_have_attribute("aria-selected", "true")


def test_a_narrow_screen_holds_everything(person: Callable[..., Desk]) -> None:
    desk = person(viewport={"width": 390, "height": 844}, color_scheme="dark")
    desk.draw("a blue moon")
    assert findings(desk) == []
    width = desk.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"the page is {width} px wide"
    button = desk.page.locator("#lm-draw").bounding_box()
    assert button is not None and button["y"] + button["height"] <= 844, "Draw must stay in reach"


def test_progress_is_told_politely(desk: Desk) -> None:
    live = desk.page.locator("#lm-live")
    expect(live).to_have_attribute("aria-live", "polite")
    desk.draw("a green tree")
    expect(live).to_have_text("One picture is finished: a green tree.")
    expect(desk.page.locator("#lm-grid img")).to_have_attribute("alt", "a green tree")


def test_many_tabs_of_one_browser_stay_in_step(desk: Desk) -> None:
    """A browser has six connections to a host: tabs share one stream, or the seventh would hang."""
    tabs = []
    for _ in range(6):
        tabs.append(desk.context.new_page())
        tabs[-1].goto(desk.page.url)
        tabs[-1].wait_for_selector(READY)
    desk.draw("a pink star")
    for tab in tabs:
        expect(tab.locator("#lm-tiles img[alt='a pink star']")).to_have_count(1)
