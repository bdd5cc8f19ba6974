"""The routes that the page's scripts use: jobs, pictures, settings in files; and that they are everybody's own."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable

import httpx
from PIL import Image

from tests.webui.people import PAPER, ask, job, wait_for
from toolkit.metadata import png_info
from toolkit.request import GenerationRequest
from toolkit.starts import Refine
from webui.routes import limner_routes
from webui.server import App, Server

Person = Callable[[], httpx.Client]
SECRET = "a marker-of-alice heart"


def crawl(client: httpx.Client, app: App, ids: list[str]) -> list[tuple[str, str, httpx.Response]]:
    """Every route of ours with every id in its place, but the event stream, which never ends."""
    routes = limner_routes(app.studio, app.feed)
    table = [(route.path, route.methods or set()) for route in routes if route.path != "/limner/events"]
    answers = []
    for path, methods in table:
        for method in methods - {"HEAD", "OPTIONS"}:
            for known in ids:
                url = re.sub(r"\{number:int\}", "0", path).replace("{id}", known)
                body = {"json": {"request": {"model": PAPER, "prompt": ""}}} if method == "POST" else {}
                answers.append((method, url, client.request(method, url, **body)))
    return answers


def test_nobody_sees_or_changes_what_is_somebody_elses(server: Server, app: App, person: Person) -> None:
    alice, bob = person(), person()
    done = wait_for(alice, ask(alice, SECRET))
    running = ask(alice, SECRET, sampling={"steps": 60}, count=4)
    picture = done["images"][0]["id"]
    drawn = alice.get(f"/limner/pictures/{picture}.png")
    thumb = alice.get(f"/limner/pictures/{picture}/thumb")
    assert drawn.status_code == thumb.status_code == 200
    for method, url, answer in crawl(bob, app, [picture, done["id"], running]):
        assert b"marker-of-alice" not in answer.content, (method, url)
        assert answer.content not in (drawn.content, thumb.content), (method, url)
        if picture in url or done["id"] in url or running in url:
            assert answer.status_code == 404, (method, url)
    assert job(alice, running)["state"] != "cancelled"
    assert picture in [found["id"] for found in alice.get("/limner/pictures").json()["pictures"]]
    assert bob.get("/limner/pictures").json()["pictures"] == []
    assert bob.get("/limner/state").json()["jobs"] == []


def test_the_event_stream_is_everybodys_own(server: Server, person: Person) -> None:
    alice, bob = person(), person()
    wait_for(alice, ask(alice, SECRET))
    for client, seen in ((alice, True), (bob, False)):
        with client.stream("GET", "/limner/events") as stream:
            first = next(line for line in stream.iter_lines() if line.startswith("data:"))
        assert ("marker-of-alice" in first) is seen


def test_gradio_s_functions_tell_nobody_of_others(server: Server, app: App, person: Person) -> None:
    alice, bob = person(), person()
    wait_for(alice, ask(alice, SECRET))
    config = bob.get("/config")
    assert b"marker-of-alice" not in config.content
    for dependency in config.json()["dependencies"]:
        name = dependency.get("api_name") or str(dependency["id"])
        answer = bob.post(f"/gradio_api/run/{name}", json={"data": [], "fn_index": dependency["id"]})
        assert b"marker-of-alice" not in answer.content


def test_a_download_is_the_saved_file_itself(person: Person) -> None:
    alice = person()
    done = wait_for(alice, ask(alice, "a red heart", seed=5))
    answer = alice.get(f"/limner/pictures/{done['images'][0]['id']}.png?download=1")
    assert "attachment" in answer.headers["content-disposition"]
    with Image.open(io.BytesIO(answer.content)) as image:
        assert json.loads(image.text["limner"])["request"]["seed"] == 5
    read = alice.post("/limner/read-settings", content=answer.content)
    assert read.status_code == 200 and read.json()["request"]["seed"] == 5


def test_an_upscaler_that_is_not_here_is_said_when_settings_are_read(person: Person) -> None:
    refined = GenerationRequest("a fish", refine=Refine(1.5, "blocks", 0.5))
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=png_info(refined, {}))
    read = person().post("/limner/read-settings", content=file.getvalue()).json()
    assert read["request"]["refine"] == {"scale": 1.5}, "Lanczos, which is usual, takes its place"
    assert [sentence for sentence in read["sentences"] if "“blocks”" in sentence]


def test_deleting_can_be_undone(person: Person) -> None:
    alice = person()
    picture = wait_for(alice, ask(alice, "a red heart"))["images"][0]["id"]
    assert alice.delete(f"/limner/pictures/{picture}").is_success
    assert alice.get("/limner/pictures").json()["pictures"] == []
    assert alice.post(f"/limner/pictures/{picture}/restore").is_success
    assert len(alice.get("/limner/pictures").json()["pictures"]) == 1


def test_wrong_requests_name_their_field(person: Person) -> None:
    alice = person()
    for request, field in (
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a cat", "sampling": {"steps": 10_000}}, "sampling.steps"),
        ({"prompt": "a cat", "size": [251, 256]}, "size"),
        ({"prompt": "a cat", "model": "../.."}, "model"),
        ({"prompt": "a cat", "colour": 1}, "colour"),
    ):
        answer = alice.post("/limner/jobs", json={"request": {"model": PAPER, **request}})
        assert 400 <= answer.status_code < 500 and answer.json()["field"] == field
        assert answer.json()["error"].endswith((".", "?"))


def test_files_without_settings_get_a_sentence(person: Person) -> None:
    alice = person()
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    for content in (b"no picture", plain.getvalue(), b""):
        answer = alice.post("/limner/read-settings", content=content)
        assert 400 <= answer.status_code < 500
        assert "Traceback" not in answer.text and answer.json()["error"].endswith(".")


def test_models_are_told_with_licence_and_size_and_without_folders(person: Person, app: App) -> None:
    alice = person()
    answer = alice.get("/limner/models")
    model = next(model for model in answer.json()["models"] if model["id"] == PAPER)
    assert not model["warm"] and model["bytes"] > 0 and model["licence"] and model["family"]
    assert str(app.studio.settings.data.parent) not in answer.text
    told = alice.get("/limner/catalogue").json()
    assert [tab["id"] for tab in told["tabs"]][-2:] == ["models", "plugins"]
    assert told["max_steps"] == app.studio.limits.visitor_steps, "“Fine” must stay within what a visitor may ask for"


def test_searching_finds_words_of_prompts(person: Person) -> None:
    alice = person()
    for prompt in ("a red heart", "a blue fish"):
        wait_for(alice, ask(alice, prompt))
    found = alice.get("/limner/pictures", params={"search": "fish blue"}).json()["pictures"]
    assert [one["request"]["prompt"] for one in found] == ["a blue fish"]
