"""Giving up one picture of several while they are drawn, with the mouse and with the keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Pace
from tests.e2e.desk import Desk

SLOW = 60  # steps


@pytest.fixture(autouse=True)
def slowly(pace: Pace) -> None:
    """Every test here looks at a drawing that goes on."""


def start(desk: Desk, count: int) -> None:
    desk.numbers()
    desk.box("steps").fill(str(SLOW))
    desk.page.locator("#lm-count").get_by_role("radio", name=str(count), exact=True).click()
    desk.ask("a green star")
    expect(desk.status).to_have_text(re.compile("Step [1-9]"))


def test_a_chosen_picture_is_skipped_and_the_others_are_finished(desk: Desk, pace: Pace) -> None:
    start(desk, 4)
    skip = desk.page.locator("#lm-skip")
    expect(skip).to_have_text("Skip")
    desk.tiles.nth(2).click()
    expect(desk.tiles.nth(2)).to_have_attribute("aria-pressed", "true")
    expect(skip).to_have_text("Skip 3")
    skip.click()
    expect(desk.tiles.nth(2)).to_have_attribute("data-state", "skipped")
    expect(desk.tiles.nth(2).locator("img")).to_have_count(0)
    expect(skip).to_have_text("Skip")
    desk.page.evaluate("document.activeElement.blur()")
    desk.page.keyboard.press("s")
    expect(desk.tiles.nth(0)).to_have_attribute("data-state", "skipped")
    expect(desk.status).to_have_text(re.compile("Step [1-9]"))
    pace(0)
    expect(desk.finished).to_have_count(2)
    expect(desk.tiles).to_have_count(2)
    expect(desk.page.locator("#lm-caption")).to_contain_text("2 of 4 pictures were skipped.")
    (job,) = desk.jobs()
    seed = job["request"]["seed"]
    assert [image["request"]["seed"] for image in job["images"]] == [seed + 1, seed + 3]
    expect(skip).not_to_be_visible()


def test_there_is_nothing_to_skip_in_a_drawing_of_one_picture(desk: Desk) -> None:
    start(desk, 1)
    expect(desk.page.locator("#lm-stop")).to_be_visible()
    expect(desk.page.locator("#lm-skip")).not_to_be_visible()
    desk.page.keyboard.press("Escape")
    expect(desk.status).to_have_text(re.compile("Stopped"))


def test_what_cannot_be_skipped_is_named(desk: Desk) -> None:
    start(desk, 2)
    job = desk.jobs()[-1]["id"]
    for wrong in (2, -1, "first", True):
        answer = desk.context.request.post(f"/limner/jobs/{job}/skip", data={"picture": wrong})
        assert answer.status == 422 and "must be null or from 0 to 1" in answer.json()["error"]
    desk.page.locator("#lm-stop").click()
    expect(desk.status).to_have_text(re.compile("Stopped"))
