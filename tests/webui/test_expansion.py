"""What plugins make of a prompt is told before it is drawn, and nothing is queued for it."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.webui.people import PAPER, ask, wait_for
from webui.server import App

Person = Callable[[], httpx.Client]


def expanded(client: httpx.Client, **request: object) -> httpx.Response:
    return client.post("/limner/expansion", json={"request": {"model": PAPER, **request}})


def test_the_same_words_are_shown_and_drawn(app: App, person: Person) -> None:
    client = person()
    shown = expanded(client, prompt="a {red|blue|green|black} fish <lora:neon:0.5>").json()
    assert shown["rewritten"] and "{" not in shown["prompt"] and "lora" not in shown["prompt"]
    assert client.get("/limner/state").json()["jobs"] == []
    done = wait_for(client, ask(client, "a {red|blue|green|black} fish", seed=shown["seed"]))
    assert done["request"]["prompt"] == shown["prompt"].strip()
    assert done["request"]["written"]["prompt"] == "a {red|blue|green|black} fish"


def test_plain_words_and_wrong_ones(app: App, person: Person) -> None:
    client = person()
    assert expanded(client, prompt="a red fish").json()["rewritten"] is False
    wrong = expanded(client, prompt="a __nowhere__ fish")
    assert (wrong.status_code, wrong.json()["field"]) == (422, "prompt")
    assert "__nowhere__" not in wrong.json()["error"] and "“nowhere”" in wrong.json()["error"]
    assert client.get("/limner/catalogue").json()["rewrites"] is True
    assert client.get("/limner/state").json()["jobs"] == []
