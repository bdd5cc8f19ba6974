"""Edges are where colours meet, a pen makes them broad, and a detector without its weights asks for them."""

import logging
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from toolkit.errors import RequestError
from toolkit.plugins.context import Context
from toolkit.plugins.params import clean_options, with_defaults
from toolkit.request import GenerationRequest


@pytest.fixture
def context(tmp_path):
    return Context(GenerationRequest(), {}, Path(), tmp_path, tmp_path, logging.getLogger("test"))


@pytest.fixture
def make(context):
    """Runs a preprocessor by name, with every option that isn't given at its default, as the studio does."""
    spec = spec_from_file_location(
        "controlnet_under_test",
        Path(__file__).parents[1] / "__init__.py",
        submodule_search_locations=[str(Path(__file__).parents[1])],
    )
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    nouns = {one.name: one for one in module.register_preprocessors()}

    def run(name, image, **options):
        noun = nouns[name]
        given = with_defaults(noun.params, clean_options(noun.params, options, "options"))
        return noun.run(image, given, context)

    run.nouns = nouns
    return run


def half_and_half(side=64):
    image = Image.new("RGB", (side, side), "black")
    image.paste("white", (side // 2, 0, side, side))
    return image


def test_edges_are_where_colours_meet(make):
    edges = make("canny", half_and_half(), low=100, high=200)
    assert edges.size == (64, 64) and edges.mode == "RGB"
    white = [x for x in range(64) if edges.getpixel((x, 30)) == (255, 255, 255)]
    assert white and all(30 <= x <= 33 for x in white)
    broad = make("scribble", half_and_half(), width=6)
    assert sum(broad.getpixel((x, 30))[0] > 0 for x in range(64)) > len(white)


def test_a_lower_resolution_looks_at_less_and_gives_the_same_size(make):
    fine = Image.new("RGB", (512, 512), "white")
    for x in range(0, 512, 4):
        fine.paste("black", (x, 0, x + 2, 512))
    perfect = make("canny", fine)
    coarse = make("canny", fine, pixel_perfect=False, resolution=128)
    assert perfect.size == coarse.size == (512, 512)
    assert sum(perfect.convert("L").histogram()[200:]) > 10 * sum(coarse.convert("L").histogram()[200:])


def test_dark_lines_on_paper_become_light_ones_on_black(make):
    drawing = ImageOps.invert(half_and_half())
    assert make("invert", drawing).tobytes() == half_and_half().tobytes()


def test_missing_weights_are_asked_for(make):
    with pytest.raises(RequestError, match=r"needs ControlNetHED\.pth in models/annotators.*choose “Nothing”"):
        make("hed", half_and_half())


@pytest.mark.parametrize("name, options", [("pidinet", {"safe": True}), ("mlsd", {}), ("lineart", {"coarse": True})])
def test_detectors_of_controlnet_aux_run_with_their_options(make, context, name, options):
    pytest.importorskip("torch")
    pytest.importorskip("controlnet_aux")
    save_random_weights(name, context.models / "annotators")
    made = make(name, half_and_half(128), **options)
    assert made.size == (128, 128) and made.mode == "RGB"
    assert [one.name for one in make.nouns[name].params][-2:] == ["pixel_perfect", "resolution"]


def save_random_weights(name, folder):
    """The real networks with random weights, under the names of the real files."""
    import torch

    torch.manual_seed(0)
    folder.mkdir()
    if name == "pidinet":
        from controlnet_aux.pidi.model import pidinet

        torch.save({"state_dict": pidinet().state_dict()}, folder / "table5_pidinet.pth")
    elif name == "mlsd":
        from controlnet_aux.mlsd.models.mbv2_mlsd_large import MobileV2_MLSD_Large

        torch.save(MobileV2_MLSD_Large().state_dict(), folder / "mlsd_large_512_fp32.pth")
    else:
        from controlnet_aux.lineart import Generator

        for file in ("sk_model.pth", "sk_model2.pth"):
            torch.save(Generator(3, 1, 3).state_dict(), folder / file)


class Trap:
    """A pickle that would write a file if anybody ran it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "it ran"))


def test_a_program_among_the_weights_is_refused_and_never_run(make, context):
    torch = pytest.importorskip("torch")
    pytest.importorskip("controlnet_aux")
    folder = context.models / "annotators"
    folder.mkdir()
    torch.save(Trap(context.data / "ran"), folder / "ControlNetHED.pth")
    with pytest.raises(RequestError, match=r"ControlNetHED\.pth in models/annotators can't be read"):
        make("hed", half_and_half())
    assert not (context.data / "ran").exists()
