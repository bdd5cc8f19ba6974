"""Any size, the right model, no seams; and what can't be used is a sentence."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image, ImageChops, ImageDraw

from toolkit.errors import RequestError

FOLDER = Path(__file__).resolve().parent.parent
STARTERS = FOLDER.parents[1] / "models" / "upscalers"


@pytest.fixture
def part(load_plugin):
    """A module of the plugin, as the studio has loaded it."""
    load_plugin(FOLDER)
    return lambda name: importlib.import_module(f"limner_plugins.upscalers.{name}")


@pytest.fixture
def context():
    def weights(kind):
        return {path.stem: path for path in STARTERS.glob("*.safetensors")}

    return SimpleNamespace(checkpoint=lambda: None, progress=lambda done, of: None, device="cpu", weights=weights)


def scene(width=150, height=110):
    image = Image.effect_mandelbrot((width, height), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    ImageDraw.Draw(image).ellipse((5, 5, width - 9, height - 7), outline="orange", width=3)
    return image


@pytest.mark.parametrize(
    ("options", "size"),
    [({"scale": 1.5}, (45, 30)), ({"to": "91"}, (91, 61)), ({"to": "64 × 64"}, (64, 64)), ({"to": "15x5"}, (15, 5))],
)
def test_any_size_by_lanczos(load_plugin, finish, options, size):
    load_plugin(FOLDER)
    assert finish("lanczos", Image.new("RGB", (30, 20)), **options).size == size


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"file": "nope"}, "no upscaler “nope”"),
        ({"to": "large"}, "“large” is no size: write 3000x2000"),
        ({"to": "99999x9999"}, "more than 8192 × 8192"),
    ],
)
def test_what_will_not_do_is_a_sentence(load_plugin, finish, options, words):
    load_plugin(FOLDER)
    with pytest.raises(RequestError, match=words):
        finish("upscale", Image.new("RGB", (30, 20)), **options)


def test_the_best_model_is_the_smallest_that_is_enough_and_a_persons_own(part, tmp_path):
    choose, there = part("sizes").choose, {}
    where = SimpleNamespace(weights=lambda kind: there)

    def add(*names):
        there.update({Path(name).stem: tmp_path / name for name in names})

    with pytest.raises(RequestError, match="models/upscalers is empty"):
        choose("", 2, where)
    add("limner-starter-x2.safetensors", "limner-starter-x4.safetensors", "program.pt")
    assert [choose("", needed, where).stem[-2:] for needed in (1.5, 2.0, 3.0, 9.0)] == ["x2", "x2", "x4", "x4"]
    add("4x-UltraSharp.pth", "2xNomos.safetensors", "RealESRGAN_x8plus.pth")
    stems = [choose("", needed, where).stem for needed in (2.0, 4.0, 6.0)]
    assert stems == ["2xNomos", "4x-UltraSharp", "RealESRGAN_x8plus"]
    assert choose("4x-UltraSharp.pth", 2, where).name == "4x-UltraSharp.pth"
    with pytest.raises(RequestError, match="no upscaler “program”"):
        choose("program", 2, where)


def test_tiles_leave_no_seam(part, context):
    torch = pytest.importorskip("torch")
    tiles = part("tiles")

    class Twice:
        scale, device, dtype = 2, "cpu", torch.float32

        def __call__(self, part):
            return torch.nn.functional.interpolate(part, scale_factor=2, mode="bilinear")

    tiled = tiles.upscale(Twice(), scene(), 64, context)
    whole = tiles.upscale(Twice(), scene(), 1024, context)
    assert tiled.size == (300, 220)
    assert worst(tiled, whole) <= 8
    assert "limner_plugins.upscalers.tiles" in sys.modules


def worst(one, other):
    return max(high for _, high in ImageChops.difference(one, other).getextrema())


def test_the_starters_file_gives_what_a_plain_spandrel_call_gives(part, context):
    torch = pytest.importorskip("torch")
    spandrel = pytest.importorskip("spandrel")
    import numpy as np

    tiles, image = part("tiles"), scene()
    plain = spandrel.ModelLoader(device="cpu").load_from_file(STARTERS / "limner-starter-x2.safetensors")
    with torch.no_grad():
        out = plain(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255)[0].clamp(0, 1)
    reference = Image.fromarray((out.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy())
    ours = tiles.load(STARTERS / "limner-starter-x2.safetensors", "cpu")
    assert worst(tiles.upscale(ours, image, 1024, context), reference) <= 1
    tiled = np.asarray(tiles.upscale(ours, image, 64, context), dtype=float)
    off = np.abs(tiled - np.asarray(reference, dtype=float))
    assert off.mean() < 0.05 and np.percentile(off, 99.9) <= 4  # what a tile can't see is further away than the overlap
    seams = [2 * (at + 16) for at in (32, 64)]  # in the middle of where two tiles meet
    assert off[:, seams].mean() <= 2 * off.mean() + 0.02


def test_several_passes_reach_any_size(part, load_plugin, finish, context):
    pytest.importorskip("spandrel")
    load_plugin(FOLDER)
    small = scene(40, 30)
    assert finish("upscale", small, file="limner-starter-x2", to="131x100").size == (131, 100)
    tiles = part("tiles")
    model = tiles.load(STARTERS / "limner-starter-x2.safetensors", "cpu")
    widths = [tiles.grown(model, small, needed, 64, context).width for needed in (0.5, 1.0, 2.0, 3.3)]
    assert widths == [40, 40, 80, 160]
    transparent = small.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(small.size))
    large = finish("upscale", transparent, scale=2)
    assert large.mode == "RGBA" and large.size == (80, 60) and large.getchannel("A").getextrema()[1] > 200


def test_a_torchscript_program_is_refused_whatever_it_is_called(part, tmp_path):
    torch = pytest.importorskip("torch")
    tiles = part("tiles")
    weights = tmp_path / "weights.pth"
    torch.save({"weight": torch.zeros(1)}, weights)
    for name in ("program.pth", "program.safetensors"):
        torch.jit.trace(torch.nn.Conv2d(3, 3, 1), torch.zeros(1, 3, 4, 4)).save(str(tmp_path / name))
        with pytest.raises(RequestError, match="TorchScript program"):
            tiles.load(tmp_path / name, "cpu")
    assert not tiles._is_torchscript(weights)


def test_damaged_and_strange_files_are_named(part, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tiles, cut, strange = part("tiles"), tmp_path / "cut.safetensors", tmp_path / "strange.safetensors"
    cut.write_bytes((STARTERS / "limner-starter-x2.safetensors").read_bytes()[:5000])
    save_file({"weight": torch.zeros(3)}, strange)
    with pytest.raises(RequestError, match=r"cut\.safetensors can't be read"):
        tiles.load(cut, "cpu")
    with pytest.raises(RequestError, match=r"strange\.safetensors is of no architecture"):
        tiles.load(strange, "cpu")
