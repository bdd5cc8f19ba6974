"""Pictures that people bring: kept for their own person, refused in one sentence, held to an allowance."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.webui.people import ask, bomb, paper_settings, wait_for
from toolkit.engine.sketch import SketchEngine
from toolkit.errors import NotAdmitted
from toolkit.jobs import OWNER, Who
from toolkit.studio import Studio
from webui.inputs import Allowance
from webui.server import Server, build_app, serving

Person = Callable[[], httpx.Client]


# One studio for all of them: nothing here depends on what others brought before.
@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(settings=paper_settings(tmp_path_factory.mktemp("inputs")), engine=SketchEngine()) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(studio: Studio) -> Iterator[Server]:
    with serving(build_app(studio)) as running:
        yield running


def packed(image: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def add(client: httpx.Client, content: bytes, **query: str) -> httpx.Response:
    return client.post("/limner/inputs", params=query, content=content)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    values = np.random.default_rng(5).integers(0, 255, (height, width, channels), dtype=np.uint8)
    return Image.frombytes(mode, (width, height), values.tobytes())


def rotated() -> bytes:
    tags = Image.Exif()
    tags[0x0112] = 6
    return packed(noise(64, 32), "JPEG", exif=tags.tobytes())


def sixteen_bits() -> bytes:
    values = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    return packed(Image.fromarray(values))


GOOD = {
    "EXIF-rotated": (rotated(), (32, 64)),
    "16-bit": (sixteen_bits(), (64, 32)),
    "CMYK": (packed(noise(64, 32, "CMYK"), "JPEG"), (64, 32)),
    "transparent": (packed(noise(64, 32, "RGBA")), (64, 32)),
    "WebP": (packed(noise(64, 32), "WEBP"), (64, 32)),
}


@pytest.mark.parametrize("kind", GOOD)
def test_pictures_of_every_kind_come_back_upright_in_rgb(person: Person, kind: str) -> None:
    content, size = GOOD[kind]
    client = person()
    found = add(client, content, name=f"{kind}.bin").json()
    assert (found["width"], found["height"]) == size
    with Image.open(io.BytesIO(client.get(f"/limner/inputs/{found['sha']}.png").content)) as image:
        assert image.mode == "RGB" and image.size == size
    assert ("white" in " ".join(found["notes"])) is (kind == "transparent")


BAD = {
    "1×1": (packed(Image.new("RGB", (1, 1))), "too small"),
    "30,001 a side": (packed(Image.new("L", (30_001, 1))), "30,001"),
    "a bomb": (bomb(14_000, 14_000), "33 million"),
    "no picture": (b"MZ this is no picture", "not a picture"),
    "cut short": (packed(noise(64, 64))[:900], "cut short"),
    "nothing": (b"", "no file"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_gets_one_sentence_with_its_name(person: Person, kind: str) -> None:
    content, named = BAD[kind]
    answer = add(person(), content, name="mine.png")
    plain = answer.json()
    assert answer.status_code == 422 and plain["field"] == "start.image", plain
    assert named in plain["error"] and plain["error"].endswith(".") and plain["error"].count(". ") == 0
    assert "mine.png" in plain["error"] or kind == "nothing"


def test_a_picture_is_its_own_persons_and_masks_keep_what_was_painted(person: Person) -> None:
    alice, bob = person(), person()
    found = add(alice, packed(noise(40, 24))).json()
    assert bob.get(f"/limner/inputs/{found['sha']}.png").status_code == 404
    assert alice.get("/limner/inputs/../../limner.db.png").status_code == 404
    painted = Image.new("RGBA", (40, 24), (255, 255, 255, 0))
    painted.paste((255, 255, 255, 255), (4, 4, 10, 10))
    mask = add(alice, packed(painted), kind="mask").json()
    with Image.open(io.BytesIO(alice.get(f"/limner/inputs/{mask['sha']}.png").content)) as image:
        assert image.mode == "L" and image.getbbox() == (4, 4, 10, 10) and image.getextrema() == (0, 255)
    assert add(alice, packed(painted), kind="film").status_code == 422


def test_a_saved_picture_need_not_be_sent_again(person: Person) -> None:
    alice, bob = person(), person()
    picture = wait_for(alice, ask(alice, "a red heart"))["images"][0]["id"]
    found = alice.post(f"/limner/inputs?picture={picture}").json()
    assert (found["width"], found["height"]) == (256, 256)
    assert bob.post(f"/limner/inputs?picture={picture}").status_code == 404


def inpainted(client: httpx.Client, **start: Any) -> dict[str, Any]:
    image = add(client, packed(noise(96, 64))).json()["sha"]
    painted = Image.new("L", (96, 64), 0)
    painted.paste(255, (20, 10, 50, 40))
    mask = add(client, packed(painted), kind="mask").json()["sha"]
    names = {"image": image} if start["kind"] == "outpaint" else {"image": image, "mask": mask}
    return wait_for(client, ask(client, "a red heart", start={**start, **names}))["images"][0]


@pytest.mark.parametrize(
    "start", [{"kind": "inpaint"}, {"kind": "inpaint", "feather": 20, "fill": "fill"}, {"kind": "outpaint", "left": 32}]
)
def test_what_is_outside_the_mask_is_counted_on_the_saved_file(
    person: Person, studio: Studio, start: dict[str, Any]
) -> None:
    alice, bob = person(), person()
    picture = inpainted(alice, **start)
    kept = 96 * 64 - (30 * 30 if start["kind"] == "inpaint" else 0)
    found = alice.get(f"/limner/pictures/{picture['id']}/outside").json()
    assert (found["state"], found["changed"], found["pixels"], found["recorded"]) == ("same", 0, kept, True)
    assert bob.get(f"/limner/pictures/{picture['id']}/outside").status_code == 404
    path = max(studio.gallery.folder.rglob("*.png"), key=lambda path: path.stat().st_mtime_ns)
    with Image.open(path) as image:
        info = PngImagePlugin.PngInfo()
        for key, text in image.text.items():
            info.add_text(key, text)
        changed = image.convert("RGB")
    at = (33, 60) if start["kind"] == "outpaint" else (1, 60)
    changed.putpixel(at, tuple(255 - value for value in changed.getpixel(at)))
    changed.save(path, pnginfo=info)
    found = alice.get(f"/limner/pictures/{picture['id']}/outside").json()
    assert (found["state"], found["changed"], found["recorded"]) == ("changed", 1, False)


def test_a_picture_without_a_mask_has_nothing_to_count(person: Person) -> None:
    alice = person()
    picture = wait_for(alice, ask(alice, "a red heart"))["images"][0]["id"]
    assert alice.get(f"/limner/pictures/{picture}/outside").json()["state"] == "unknown"


def test_a_visitors_allowance_fades_over_an_hour_and_the_owner_has_none() -> None:
    now = [0.0]
    allowance, visitor = Allowance(100, clock=lambda: now[0]), Who("v", "visitor")
    allowance.take(visitor, 90)
    with pytest.raises(NotAdmitted) as refused:
        allowance.take(visitor, 20)
    assert refused.value.retry_after and refused.value.retry_after >= 60
    now[0] = 1800.0
    allowance.take(visitor, 60)
    for _ in range(10):
        allowance.take(OWNER, 90)
    allowance.take(Who("other", "visitor"), 90)
