"""Whole folders on the command line: names stay, settings too, what is done is skipped, what is broken is named."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from toolkit.errors import RequestError
from toolkit.finishing import FinishStep
from toolkit.metadata import png_info, read_settings
from toolkit.model_folders import LIST
from toolkit.plugins import calls
from toolkit.plugins.params import clean_options, with_defaults
from toolkit.plugins.plugins import Plugins
from toolkit.request import GenerationRequest
from toolkit.starts import AsIs

FOLDER = Path(__file__).resolve().parent.parent
STARTERS = FOLDER.parents[1] / "models" / "upscalers"


@pytest.fixture
def upscale(studio_with):
    """Runs the command with its options as text, as they stand on a command line."""
    with studio_with(FOLDER) as studio:
        command = studio.plugins.registry.commands()["upscale"].noun

        def run(*words, **options):
            given = clean_options(command.params, options, "upscale")
            return command.run(studio, [str(word) for word in words], with_defaults(command.params, given))

        yield run


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    drawn = png_info(GenerationRequest("a boat", seed=5), {})
    Image.new("RGB", (40, 30), "red").save(folder / "boat.png", pnginfo=drawn)
    Image.new("RGB", (20, 30), "blue").save(folder / "boat.jpg")
    Image.new("RGBA", (10, 10), (0, 0, 255, 90)).save(folder / "glass.webp", lossless=True)
    (folder / "broken.png").write_bytes(b"\x89PNG and then nothing")
    (folder / "notes.txt").write_text("no picture")
    return folder


def shape(path):
    with Image.open(path) as image:
        return image.mode, image.size


def test_a_folder_is_enlarged_and_goes_on_where_it_stopped(upscale, pictures, tmp_path, capsys):
    out = tmp_path / "large"
    assert upscale(pictures, model="lanczos", scale="3", out=str(out)) == 1
    said = capsys.readouterr().out
    assert "] left out: broken.png is" in said and "3 enlarged, 0 there already, 1 left out." in said
    made = {path.name: shape(path) for path in out.iterdir()}
    assert made == {
        "boat.png": ("RGB", (60, 90)), "boat.png.png": ("RGB", (120, 90)), "glass.png": ("RGBA", (30, 30)),
    }  # fmt: skip
    request, facts, _ = read_settings(out / "boat.png.png")
    assert (request.prompt, request.seed, request.finish[0].name) == ("a boat", 5, "lanczos")
    assert facts["enlarged"] == "boat.png"
    assert isinstance(read_settings(out / "boat.png")[0].start, AsIs)
    (out / "glass.png").unlink()
    (pictures / "broken.png").unlink()
    assert upscale(pictures, model="lanczos", scale="3", out=str(out)) == 0
    assert "1 enlarged, 2 there already, 0 left out." in capsys.readouterr().out
    assert upscale(pictures / "boat.png", model="lanczos", scale="2", out=str(out)) == 1
    assert "boat.png is there with 60 × 90 pixels: remove it, or choose another folder" in capsys.readouterr().out


def test_single_files_to_an_exact_size_by_the_best_model(upscale, pictures, capsys):
    pytest.importorskip("spandrel")
    assert upscale(pictures / "boat.png", to="100x70") == 0
    large = pictures / "upscaled" / "boat.png"
    assert shape(large) == ("RGB", (100, 70))
    assert read_settings(large)[0].finish[0].options["file"] == "limner-starter-x4"
    assert list(large.parent.iterdir()) == [large]


def test_what_will_not_do_is_said(upscale, pictures, tmp_path, capsys):
    with pytest.raises(RequestError, match="Name the pictures or folders"):
        upscale()
    assert upscale(tmp_path / "nowhere", pictures / "boat.png", model="lanczos") == 1
    assert "There is no picture or folder" in capsys.readouterr().out
    with pytest.raises(RequestError, match="“5x” is no size"):
        upscale(pictures / "boat.jpg", model="lanczos", to="5x")
    with pytest.raises(RequestError, match="no upscaler “no-such”"):
        upscale(pictures / "boat.jpg", model="no-such")


def test_models_in_folders_that_were_added_are_found_here_and_in_the_engine(studio_with, plugin_data, tmp_path):
    pytest.importorskip("spandrel")
    mine = tmp_path / "webui" / "models" / "ESRGAN"
    mine.mkdir(parents=True)
    shutil.copy(STARTERS / "limner-starter-x2.safetensors", mine / "2x-mine.safetensors")
    (plugin_data / LIST).write_text(f"{tmp_path / 'webui'}\n", "utf-8")
    with studio_with(FOLDER) as studio:
        for plugins in (studio.plugins, Plugins.from_handoff(studio.plugins.handoff())):
            request = GenerationRequest(seed=1, finish=(FinishStep("upscale", {"scale": 2.0}),))
            done = calls.finish(plugins, Image.new("RGB", (20, 10), "red"), request)
            assert done.image.size == (40, 20) and not done.notes
            context = calls._context(plugins, plugins.get("upscalers"), request, "")
            assert choose(plugins, "", 2, context) == "2x-mine"


def choose(plugins, name, needed, context):
    module = plugins.registry.manager.get_plugin("upscalers")
    return module.choose(name, needed, context).stem
