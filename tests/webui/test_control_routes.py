"""Control pictures over the wire: made by the engine, kept, everybody's own, and counted for visitors."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import httpx
import pytest
from PIL import Image

from toolkit.control_pictures import ControlPictures
from toolkit.engine.preprocessing import ControlMade
from toolkit.engine.sketch import SketchEngine
from toolkit.errors import RequestError
from toolkit.settings import load_settings
from toolkit.studio import ROOT, Studio
from webui import control_routes
from webui.server import Server, build_app, serving

Person = Callable[[], httpx.Client]
STARTER = "limner-starter"


class Counting(SketchEngine):
    """The sketch engine, which also counts the control pictures that it is asked for."""

    asked = 0

    def preprocess(self, ask, told) -> None:
        self.asked += 1
        super().preprocess(ask, told)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """With the real models, because a unit must have a ControlNet that fits its model."""
    data = tmp_path_factory.mktemp("control")
    settings = load_settings(data=data, models=[ROOT / "models"])
    with Studio(settings=settings) as inline:
        plugins = inline.plugins
    with Studio(settings=settings, engine=Counting(plugins=plugins), plugins=plugins) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(studio: Studio) -> Iterator[Server]:
    with serving(build_app(studio)) as running:
        yield running


@pytest.fixture
def sha(person: Person) -> tuple[httpx.Client, str]:
    image = Image.new("RGB", (320, 200), "navy")
    image.paste("orange", (80, 50, 240, 150))
    file = io.BytesIO()
    image.save(file, "PNG")
    alice = person()
    return alice, alice.post("/limner/inputs?name=boat.png", content=file.getvalue()).json()["sha"]


def control(client: httpx.Client, sha: str, size: list[int] | None = None, **unit) -> httpx.Response:
    body = {"unit": {"kind": "lines", "image": sha, "preprocessor": "auto", **unit}, "model": STARTER, "size": size}
    return client.post("/limner/control", json=body)


def test_the_same_picture_is_made_once(studio: Studio, sha) -> None:
    alice, name = sha
    before = studio.engine.asked
    first = control(alice, name, [256, 192])
    assert first.status_code == 200 and first.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(first.content)) as image:
        assert image.size == (256, 192)
        assert sorted(colour for _, colour in image.convert("L").getcolors()) == [0, 255]
    # The defaults written out are the same picture.
    same = control(alice, name, [256, 192], preprocessor="canny", options={"low": 100})
    assert same.content == first.content and studio.engine.asked == before + 1
    assert control(alice, name, [256, 192], options={"low": 20}).status_code == 200
    assert studio.engine.asked == before + 2
    with Image.open(io.BytesIO(control(alice, name).content)) as native:
        assert native.size == (256, 256)


def test_somebody_elses_picture_gives_nothing(person: Person, sha) -> None:
    alice, name = sha
    assert control(alice, name).status_code == 200
    refused = control(person(), name)
    assert refused.status_code == 422 and "not among yours" in refused.json()["error"]


@pytest.mark.parametrize(
    ("unit", "size", "words"),
    [
        ({"kind": "smell"}, None, "no control called “smell”"),
        ({"preprocessor": "magic"}, None, "no preprocessor “magic”"),
        ({"options": {"low": 999}}, None, "999"),
        ({"resize": "fold"}, None, "“fold” won't work"),
        ({"preprocessor": "openpose"}, None, "body_pose_model.pth, hand_pose_model.pth and facenet.pth in models"),
        ({}, [8, 9000], "8 × 9000 won't work"),
        ({}, [True, 64], "won't work"),
    ],
)
def test_what_will_not_do_is_one_sentence(sha, unit, size, words) -> None:
    alice, name = sha
    refused = control(alice, name, size, **unit)
    assert refused.status_code == 422 and words in refused.json()["error"]


def test_a_visitor_may_look_so_often_and_what_is_kept_is_free(studio, person, monkeypatch, sha) -> None:
    monkeypatch.setattr(control_routes, "VISITOR_PICTURES_AN_HOUR", 2)
    alice, name = sha
    with serving(build_app(studio)) as strict, httpx.Client(base_url=strict.url, cookies=alice.cookies) as again:
        assert [control(again, name, [72, 8 * width]).status_code for width in (9, 10, 11)] == [200, 200, 429]
        assert control(again, name, [72, 80]).status_code == 200
        assert "2 control pictures in an hour" in control(again, name, [72, 88]).json()["error"]


def test_an_engine_that_does_not_answer_is_a_sentence(studio, sha, monkeypatch) -> None:
    import toolkit.adapters as adapters

    name = studio.inputs.add(Image.new("RGB", (64, 64))).sha
    silent = ControlPictures(studio, longest=0.05)
    monkeypatch.setattr(studio.engine, "preprocess", lambda ask, told: None)
    with pytest.raises(RequestError, match="not ready after 0 seconds"):
        silent.get(adapters.ControlUse("lines", name, "auto"), STARTER)
    monkeypatch.setattr(studio.engine, "preprocess", lambda ask, told: told(ControlMade(error="It broke.")))
    with pytest.raises(RequestError, match="It broke"):
        silent.get(adapters.ControlUse("lines", name, "auto"), STARTER)


def test_an_engine_that_waits_for_its_packages_says_so_at_once(studio, monkeypatch) -> None:
    from toolkit.adapters import ControlUse

    name = studio.inputs.add(Image.new("RGB", (64, 64))).sha
    monkeypatch.setattr(studio.engine, "ready_when", lambda: False, raising=False)
    with pytest.raises(RequestError, match="packages that draw are still arriving"):
        ControlPictures(studio).get(ControlUse("lines", name, "auto"), STARTER)
