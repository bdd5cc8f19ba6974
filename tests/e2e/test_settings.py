"""Styles, shapes, weights, wrong values at their field, dropped pictures, and words that try to be code."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from PIL import Image, PngImagePlugin
from playwright.sync_api import expect

from tests.e2e.desk import Desk


def png(**texts: str) -> bytes:
    """A small PNG with text chunks."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "png", pnginfo=info)
    return file.getvalue()


def test_a_style_is_applied_seen_and_taken_off_again(desk: Desk) -> None:
    card = desk.page.locator("#lm-styles [data-style=flat-card]")
    card.click()
    expect(card).to_have_attribute("aria-pressed", "true")
    desk.prompt.fill("a red fish")
    desk.page.locator("#lm-final summary").click()
    promised = desk.page.locator("#lm-final-text")
    expect(promised).to_have_text(re.compile("a red fish.+"))
    words = promised.inner_text()
    desk.draw("a red fish")
    request = desk.jobs()[-1]["request"]
    assert request["prompt"] == words, "the page must promise what the studio does"
    assert request["written"] == {"prompt": "a red fish", "styles": ["flat-card"]}
    desk.page.get_by_role("button", name="Take off the style").click()
    expect(card).to_have_attribute("aria-pressed", "false")
    expect(desk.page.locator("#lm-final")).not_to_be_visible()
    desk.draw("a green fish")  # another prompt: the caption tells its picture from the first one
    assert desk.jobs()[-1]["request"]["prompt"] == "a green fish"


def test_words_stand_for_numbers_and_numbers_can_be_wrong(desk: Desk) -> None:
    desk.prompt.fill("a tree")
    desk.page.get_by_role("radio", name="Draft").click()
    assert desk.values()["draft"], "the model's own few-step way"
    desk.page.get_by_role("radio", name="Fine").click()
    desk.page.get_by_role("radio", name=re.compile("Wide 16:9")).click()
    desk.numbers()
    assert int(desk.values()["steps"]) > 20 and not desk.values()["draft"]
    assert int(desk.values()["width"]) > int(desk.values()["height"]) > 0
    wrong = [("steps", "abc", "abc"), ("steps", "9999", "9,999"), ("guidance", "-3", "-3"), ("width", "1001", "1001")]
    for name, value, named in wrong:
        before = desk.box(name).input_value()
        desk.box(name).fill(value)
        desk.page.keyboard.press("Control+Enter")
        error = desk.page.locator(f"#lm-error-{name}")
        expect(error).to_contain_text(named)
        expect(desk.box(name)).to_have_attribute("aria-invalid", "true")
        expect(desk.box(name)).to_be_focused()
        desk.box(name).fill(before)
        expect(error).to_have_count(0)
    desk.prompt.fill("")
    desk.page.keyboard.press("Control+Enter")
    expect(desk.page.locator("#lm-error-prompt")).to_contain_text("empty")
    assert desk.jobs() == []


def test_unknown_words_are_named_while_typing(desk: Desk) -> None:
    desk.prompt.press_sequentially("a red zeppelin")
    expect(desk.page.locator("#lm-unknown")).to_contain_text("zeppelin")
    desk.prompt.fill("a red fish")
    expect(desk.page.locator("#lm-unknown")).to_be_empty()


WEIGHTS = [
    ("a red| fish", "↑", "a (red:1.1) fish"),
    ("a (red|:1.1) fish", "↑", "a (red:1.2) fish"),
    ("a (red|:1.1) fish", "↓", "a red fish"),
    ("a re|d fish", "↓", "a (red:0.9) fish"),
    ("a ((red|)) fish", "↑", "a (red:1.31) fish"),
    ("a [red fish], big", "↑", "a (red fish:1.1), big"),
    ("<lora:ink:0|.8>", "↑", "<lora:ink:0.85>"),
    (r"\(red|\) fish", "↑", r"\(red\) fish"),
    ("a  |  fish", "↑", "a    fish"),
]


def test_control_and_arrows_weigh_words(desk: Desk) -> None:
    for before, key, after in WEIGHTS:
        text = before if "\\" in before else re.sub(r"[|\[\]]", "", before)
        text = text.replace("|", "")
        start = before.index("[") if "[" in before else before.index("|")
        end = before.index("]") - 1 if "[" in before else start
        desk.prompt.fill(text)
        desk.prompt.evaluate("(box, [start, end]) => box.setSelectionRange(start, end)", [start, end])
        desk.page.keyboard.press("Control+ArrowUp" if key == "↑" else "Control+ArrowDown")
        if "\\" in before:
            assert desk.prompt.input_value() != before, "an escaped bracket is a letter of no block"
            continue
        assert desk.prompt.input_value() == after, before
        desk.page.wait_for_function("(text) => window.limner.values()[0] === text", arg=after)


def test_a_dropped_picture_shows_its_settings_and_lends_them(desk: Desk) -> None:
    desk.page.locator("#lm-styles [data-style=pastel-card]").click()
    desk.draw("a green boat")
    saved = desk.context.request.get(desk.jobs()[-1]["images"][0]["url"]).body()
    seed = str(desk.jobs()[-1]["request"]["seed"])
    desk.page.get_by_role("button", name="Take off the style").click()
    desk.prompt.fill("something else")
    desk.drop("boat.png", saved)
    dialog = desk.page.locator("#lm-settings")
    expect(dialog.locator("label.lm-change", has_text="Prompt").locator("del")).to_have_text("something else")
    expect(dialog.locator("label.lm-change", has_text="Prompt").locator("ins")).to_have_text("a green boat")
    dialog.locator("label.lm-change", has_text="Seed").get_by_role("checkbox").uncheck()
    dialog.get_by_role("button", name="Apply").click()
    expect(desk.prompt).to_have_value("a green boat")
    found = desk.values()
    assert found["styles"] == '["pastel-card"]' and found["seed"] == "" and seed


HOSTILE = {
    "no picture": b"MZ this is no picture",
    "no settings": png(),
    "a size beyond reason": png(parameters="x\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 99999999x1"),
    "twenty thousand keys": png(parameters="x\n" + ", ".join(f"Key {n}: {n}" for n in range(20_000))),
    "a bomb of text": png(parameters="a" * 3_000_000),
}


def test_a_hostile_file_gets_a_sentence_and_changes_nothing(desk: Desk) -> None:
    desk.prompt.fill("mine")
    before = desk.values()
    for name, content in HOSTILE.items():
        desk.drop("file.png", content)
        answer = desk.page.locator(".lm-toast, #lm-settings[open]").first
        expect(answer).to_be_visible()
        assert desk.values() == before, name
        assert len(answer.inner_text()) > 20, name
        desk.page.keyboard.press("Escape")
        desk.page.evaluate("document.querySelectorAll('.lm-toast').forEach((toast) => toast.remove())")


CODE = "<img src=x onerror=pwned()> ${Object.assign(window,{__pwned:1})} {{x}} </script><script>__pwned=1</script>"


def test_words_that_try_to_be_code_stay_words(person: Callable[..., Desk]) -> None:
    desk = person()
    desk.draw(CODE)
    desk.tiles.first.click()
    desk.page.wait_for_selector("#lm-lightbox[open]")
    desk.page.keyboard.press("Escape")
    with desk.page.expect_response(lambda answer: "search=" in answer.url and answer.ok):
        desk.page.locator("#lm-search").fill(CODE)
    desk.drop("x.png", desk.context.request.get(desk.jobs()[-1]["images"][0]["url"]).body())
    desk.page.wait_for_selector("#lm-settings[open]")
    desk.page.reload()
    desk.page.wait_for_selector("html[data-limner=ready]")
    expect(desk.page.locator("#lm-caption .lm-caption-prompt")).to_have_text(CODE)
    assert desk.page.evaluate("window.__pwned") is None
    assert desk.page.locator("img[src=x]").count() == 0
