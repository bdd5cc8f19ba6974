"""The page as it is built: few parts, static markup that holds no code, files at an address that changes with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import gradio as gr
import httpx
import pytest

from tests.webui.people import PAPER, wait_for
from toolkit.studio import Studio
from webui import form
from webui.page import ASSETS, build_page
from webui.server import App
from webui.view import MODULES, SHELLS, STYLE_SHEETS

Person = Callable[[], httpx.Client]


@pytest.fixture
def page(studio: Studio) -> gr.Blocks:
    return build_page(studio)


def config(client: httpx.Client) -> dict[str, Any]:
    return client.get("/config").json()


def run(client: httpx.Client, element: str, *values: Any) -> Any:
    """What the handler of a button answers, asked as the page asks."""
    plain = config(client)
    number = next(part["id"] for part in plain["components"] if part["props"].get("elem_id") == element)
    called = next(d for d in plain["dependencies"] if [number, "click"] in [list(t) for t in d["targets"]])
    answer = client.post(
        "/gradio_api/run/predict", json={"data": list(values), "fn_index": called["id"], "session_hash": "test"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["data"][0]


def values(**changes: str) -> list[str]:
    start = form.fill(form.GenerationRequest(model=PAPER))
    return list((start | changes).values())


def test_shells_hold_no_template_and_no_code_of_others() -> None:
    for path in SHELLS.glob("*.html"):
        text = path.read_text("utf-8")
        if path.name != "head.html":  # goes into the page's head as it is; Gradio makes no template of it
            assert not re.search(r"\$\{|\{\{|`", text), path.name
        assert "http:" not in text.replace("http://www.w3.org", "") and "https:" not in text, path.name


def test_scripts_never_parse_markup() -> None:
    for path in (ASSETS / "js").glob("*.js"):
        text = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path.name
        )
        assert len(text.splitlines()) <= 300, path.name


def test_every_named_file_is_there() -> None:
    for name in STYLE_SHEETS:
        assert (ASSETS / "css" / f"{name}.css").is_file()
    assert {path.stem for path in (ASSETS / "css").glob("*.css")} == set(STYLE_SHEETS)
    for path in (ASSETS / "css").glob("*.css"):
        assert len(path.read_text("utf-8").splitlines()) <= 400, path.name
    for name in MODULES:
        assert (ASSETS / "js" / f"{name}.js").is_file()
    for path in (ASSETS / "js").glob("*.js"):
        for other in re.findall(r'from "\./([\w.]+)"', path.read_text("utf-8")):
            assert (ASSETS / "js" / other).is_file(), f"{path.name} asks for {other}"


def test_the_form_of_the_scripts_is_the_form_of_the_table() -> None:
    text = (ASSETS / "js" / "form.js").read_text("utf-8")
    names = re.search(r"const NAMES = \[(.*?)\];", text, re.DOTALL)
    assert names and tuple(re.findall(r'"(\w+)"', names[1])) == form.NAMES
    fields = dict(re.findall(r'"?([\w.]+)"?: "(\w+)"', re.search(r"const INPUT_OF = \{(.*?)\};", text, re.DOTALL)[1]))
    # A field of two boxes has an error for each of them.
    assert all(field.startswith(form.FIELD_OF[name]) for field, name in fields.items())
    hidden = re.search(r"const HIDDEN = \[(.*?)\];", text, re.DOTALL)
    assert hidden and tuple(re.findall(r'"(\w+)"', hidden[1])) == form.HIDDEN


def test_a_page_costs_few_parts_and_small_addresses(page: gr.Blocks) -> None:
    assert len(page.blocks) <= 75
    assert len(json.dumps(page.get_config_file(), default=str)) < 150_000


def test_files_are_kept_for_good_under_an_address_that_changes(person: Person) -> None:
    client = person()
    found = re.search(r"/limner/assets/(\w{12})/js/limner\.js", client.get("/").text)
    assert found
    answer = client.get(found[0])
    assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    assert client.get(f"/limner/assets/{found[1]}/../../page.py").status_code == 404


def test_draw_queues_a_job_of_the_person_who_pressed_it(person: Person, app: App) -> None:
    one, other = person(), person()
    answer = run(one, "lm-draw", *values(prompt="a red fish", steps="3"))
    job = wait_for(one, answer["id"])
    assert job["request"]["sampling"]["steps"] == 3 and job["images"]
    assert other.get("/limner/state").json()["jobs"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [({}, "prompt"), ({"prompt": "x", "steps": "no"}, "sampling.steps"), ({"prompt": "x", "model": "../x"}, "model"),
     ({"prompt": "x", "count": "16"}, "count"), ({"prompt": "x", "width": "99999999", "height": "1"}, "size"),
     ({"prompt": "x", "sampler": "<b>"}, "sampling.sampler"), ({"prompt": "x", "styles": '["none"]'}, "styles")],
)  # fmt: skip
def test_draw_answers_a_wrong_value_at_its_field(person: Person, changes: dict[str, str], field: str) -> None:
    client = person()
    answer = run(client, "lm-draw", *values(**changes))
    assert answer["field"] == field and len(answer["error"]) > 20
    assert client.get("/limner/state").json()["jobs"] == []


def test_fill_gives_the_values_of_a_request_or_a_sentence(person: Person) -> None:
    client = person()
    found = run(client, "lm-fill", json.dumps({"prompt": "a fish", "size": [512, 256]}))
    assert (found["values"]["width"], found["values"]["prompt"]) == ("512", "a fish")
    assert "colour" in run(client, "lm-fill", json.dumps({"colour": 1}))["error"]
    assert run(client, "lm-fill", "[" * 100_000)["error"]
