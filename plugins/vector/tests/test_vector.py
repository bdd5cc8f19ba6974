"""An SVG that looks like its picture, and has few paths."""

import importlib
import re
from pathlib import Path
from types import SimpleNamespace

from PIL import Image, ImageDraw

from toolkit.plugins.api import export_path

FOLDER = Path(__file__).resolve().parent.parent


def icon():
    large = Image.new("RGB", (1024, 1024), "#f6f4ee")
    pen = ImageDraw.Draw(large)
    pen.ellipse((160, 160, 860, 860), fill="#3f7fd0")
    pen.polygon([(512, 250), (780, 760), (240, 760)], fill="#f7cf46")
    return large.resize((256, 256), Image.Resampling.LANCZOS)


def test_it_looks_the_same(load_plugin):
    load_plugin(FOLDER)
    tracing = importlib.import_module("limner_plugins.vector.tracing")
    svg = tracing.trace(icon())
    assert len(re.findall("<path", svg)) < 60
    drawn = tracing.drawn(svg)
    assert drawn.size == (256, 256)
    assert tracing.likeness(icon(), drawn) > 30


def test_the_command_writes_beside_the_picture(load_plugin, tmp_path, capsys):
    command = load_plugin(FOLDER).registry.commands()["vector"].noun
    icon().save(tmp_path / "icon.png")
    assert command.run(None, [str(tmp_path / "icon.png")], {"colors": 4}) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "icon.svg")
    assert (tmp_path / "icon.svg").read_text("utf-8").count("<path") >= 2
    assert command.run(SimpleNamespace(), [str(tmp_path / "none.png")], {"colors": 0}) == 2


def test_a_request_with_the_option_gets_an_svg(studio_with, run_job):
    from toolkit.request import GenerationRequest

    with studio_with(FOLDER) as studio:
        [image] = run_job(studio, GenerationRequest("red circle", extras={"vector": {"svg": True}}))
        [other] = run_job(studio, GenerationRequest("red circle"))
    assert export_path(image.path, "vector", "svg").is_file()
    assert not export_path(other.path, "vector", "svg").exists()


def test_a_picture_of_a_few_exact_colours_keeps_them(load_plugin):
    load_plugin(FOLDER)
    tracing = importlib.import_module("limner_plugins.vector.tracing")
    svg = tracing.trace(icon())
    assert set(re.findall(r'fill="(#\w+)"', svg)) == {"#f6f4ee", "#3f7fd0", "#f7cf46"}
    assert svg.count("<path") < 6


def test_a_transparent_picture_stays_transparent(load_plugin):
    load_plugin(FOLDER)
    tracing = importlib.import_module("limner_plugins.vector.tracing")
    clear = icon().convert("RGBA")
    alpha = Image.new("L", clear.size, 0)
    ImageDraw.Draw(alpha).ellipse((40, 40, 215, 215), fill=255)
    clear.putalpha(alpha)
    assert tracing.drawn(tracing.trace(clear)).getpixel((3, 3)) == (255, 255, 255)


def test_noise_has_few_paths_too(load_plugin):
    load_plugin(FOLDER)
    tracing = importlib.import_module("limner_plugins.vector.tracing")
    noise = Image.effect_noise((96, 96), 120).convert("RGB")
    assert 0 < tracing.trace(noise).count("<path") < 300
