"""Pictures really drawn, traced as they are and in a brand's colours: near to the picture, with few paths."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from toolkit.bench.icon_sheet import BRAND, main, request_of, sheet_of
from toolkit.exports import export_path
from toolkit.geometry import Size
from toolkit.studio import Studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(tmp_path_factory.mktemp("icons")) as opened:
        yield opened


@pytest.mark.parametrize(("thing", "seed"), [("heart", 20), ("star", 21), ("fish", 23)])
def test_a_drawn_icon_becomes_an_svg_in_the_brands_colours(studio: Studio, thing: str, seed: int) -> None:
    [plain] = studio.generate(request_of(thing, seed).with_(finish=(), extras={}))
    [icon] = studio.generate(request_of(thing, seed).with_(extras={}))
    tracing = importlib.import_module("limner_plugins.vector.tracing")
    for picture in (plain.image, icon.image):
        svg = tracing.trace(picture)
        assert svg.count("<path") < 300
        assert tracing.likeness(picture.convert("RGB"), tracing.drawn(svg)) >= 30
    brand = set(re.findall(r"#\w{6}", BRAND.lower()))
    exact = sum(number for number, colour in icon.image.convert("RGB").getcolors(1 << 20) if named(colour) in brand)
    assert exact > 0.93 * icon.image.width * icon.image.height, "edges alone are mixtures"
    assert len(brand & set(re.findall(r'fill="(#\w+)"', tracing.trace(icon.image)))) >= 2


def test_the_svg_that_was_asked_for_lies_beside_the_picture(tmp_path: Path) -> None:
    with Studio(tmp_path) as studio:
        [icon] = studio.generate(request_of("star", 21))
    svg = export_path(icon.path, "vector", "svg").read_text("utf-8")
    sheet = sheet_of([svg] * 6)
    assert sheet.size == Size(832, 560)
    assert len(sheet.getcolors(1 << 20)) > 2


def test_the_sheet_writes_over_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "icons.webp")
    assert main(["--out", str(tmp_path / "icons.webp")]) == 2
    assert "is there already" in capsys.readouterr().out


def named(colour: tuple[int, ...]) -> str:
    return f"#{bytes(colour).hex()}"
