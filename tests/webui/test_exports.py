"""A picture saved as something else: only by its person, only ever as a file, without any right in a browser."""

from __future__ import annotations

import io
from collections.abc import Callable

import httpx
from PIL import Image

from tests.webui.people import ask, wait_for

Person = Callable[[], httpx.Client]


def test_a_picture_is_saved_as_svg_and_as_transparent_png(person: Person) -> None:
    client = person()
    picture = wait_for(client, ask(client, "a red fish"))["images"][0]["id"]
    kinds = {kind["name"]: kind for kind in client.get("/limner/catalogue").json()["exports"]}
    assert (kinds["vector"]["label"], kinds["cutout"]["label"]) == ("SVG", "Transparent PNG")
    svg = client.get(f"/limner/pictures/{picture}/exports/vector")
    assert svg.status_code == 200 and svg.text.count("<path") >= 1
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.headers["content-disposition"].startswith("attachment;")
    assert svg.headers["content-security-policy"] == "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    assert svg.headers["x-content-type-options"] == "nosniff"
    png = client.get(f"/limner/pictures/{picture}/exports/cutout")
    if png.status_code == 200:
        assert Image.open(io.BytesIO(png.content)).mode == "RGBA"
    else:
        assert (png.status_code, "not plain" in png.json()["error"]) == (422, True)


def test_only_its_person_gets_it(person: Person) -> None:
    alice, bob = person(), person()
    picture = wait_for(alice, ask(alice, "a red fish"))["images"][0]["id"]
    url = f"/limner/pictures/{picture}/exports/vector"
    assert bob.get(url).status_code == 404
    assert httpx.get(str(alice.base_url) + url).status_code in (401, 403, 404)
    assert alice.get(f"/limner/pictures/{picture}/exports/pdf").status_code == 422
    assert alice.get(f"/limner/pictures/{picture}/exports/..%2Fvector").status_code in (404, 422)


def test_what_plugins_noted_is_told_to_its_person(person: Person) -> None:
    alice, bob = person(), person()
    finish = [{"name": "palette", "options": {"colors": "#1f3a5f, #f4efe6"}}]
    picture = wait_for(alice, ask(alice, "a red fish", finish=finish))["images"][0]["id"]
    facts = alice.get(f"/limner/pictures/{picture}/noted").json()["facts"]
    assert {"plugin": "Provenance", "name": "source", "value": "trainedAlgorithmicMedia"} in facts
    [navy] = [fact["value"] for fact in facts if (fact["plugin"], fact["name"]) == ("Brand palette", "#1f3a5f")]
    assert "% of the picture, ΔE" in navy
    assert bob.get(f"/limner/pictures/{picture}/noted").status_code == 404
