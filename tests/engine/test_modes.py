"""Every way of drawing, seen in the pictures: what was asked for is there, and what was not to change is as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from toolkit import GenerationRequest, Size
from toolkit.errors import RequestError
from toolkit.finishing import FinishStep
from toolkit.masking import untouched
from toolkit.metadata import read_settings
from toolkit.starts import AsIs, FromImage, Inpaint, Outpaint, Refine, Variation
from toolkit.studio import Studio

BLUE = "a red fish on a blue background"


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with Studio(tmp_path_factory.mktemp("modes"), dtype="float32") as studio:
        yield studio


@pytest.fixture(scope="module")
def fish(studio):
    return studio.generate(GenerationRequest(BLUE, seed=1))[0].image


@pytest.fixture(scope="module")
def kept(studio, fish):
    return studio.inputs.add(fish).sha


def pixels(image):
    return np.asarray(image.convert("RGB"), dtype=np.float32)


def difference(one, other):
    return float(np.abs(pixels(one) - pixels(other)).mean())


def box_mask(size, box):
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return mask


def test_more_strength_changes_more(studio, fish, kept):
    changed = [
        difference(fish, draw(studio, "a green star on a blue background", 5, FromImage(kept, strength))[0])
        for strength in (0.2, 0.5, 0.8)
    ]
    assert changed[0] < changed[1] < changed[2]
    assert changed[0] < 20


def test_inpainting_leaves_what_is_not_masked_byte_for_byte(studio, fish, kept):
    mask = box_mask(fish.size, (40, 40, 215, 215))
    start = Inpaint(kept, studio.inputs.add_mask(mask).sha, fill="fill")
    image, made = draw(studio, "a yellow star on a blue background", 3, start)
    outside = np.asarray(mask) == 0
    assert (np.asarray(image)[outside] == np.asarray(fish)[outside]).all()
    facts = read_settings(made.path)[1]
    assert facts["untouched"] == untouched(fish, mask)
    inside = pixels(image)[70:186, 70:186].reshape(-1, 3)
    yellow = (inside[:, 0] > 150) & (inside[:, 1] > 130) & (inside[:, 2] < 120)
    assert yellow.mean() > 0.1
    assert difference(fish.crop((60, 60, 196, 196)), image.crop((60, 60, 196, 196))) > 20


@pytest.mark.parametrize("fill", ["original", "noise", "nothing"])
def test_every_fill_and_a_masked_area_at_the_models_own_size(studio, fish, kept, fill):
    large = fish.resize((600, 500), Image.Resampling.LANCZOS)
    mask = box_mask(large.size, (100, 90, 180, 160))
    start = Inpaint(
        studio.inputs.add(large).sha, studio.inputs.add_mask(mask).sha, strength=0.75, area="masked", fill=fill
    )
    image, _ = draw(studio, "a yellow star on a blue background", 4, start)
    assert image.size == large.size
    outside = np.asarray(mask) == 0
    assert (np.asarray(image)[outside] == np.asarray(large)[outside]).all()
    assert (np.asarray(image)[~outside] != np.asarray(large)[~outside]).any()


@pytest.mark.parametrize("fill", ["original", "noise"])
def test_a_later_picture_of_a_row_can_be_drawn_again_alone(studio, fish, kept, fill):
    mask = studio.inputs.add_mask(box_mask(fish.size, (60, 60, 200, 200))).sha
    start = Inpaint(kept, mask, strength=0.7, fill=fill)
    row = studio.generate(GenerationRequest("a yellow star on a blue background", seed=1, count=2, start=start))
    alone = studio.generate(row[1].request)[0]
    assert np.abs(pixels(row[1].image) - pixels(alone.image)).max() <= 2
    assert difference(row[0].image, row[1].image) > 0


def test_an_extended_scene_goes_on(studio, fish, kept):
    image, made = draw(studio, "a blue background", 4, Outpaint(kept, right=96, top=32))
    assert image.size == (352, 288)
    old = np.asarray(image)[32:, :256]
    assert (old == np.asarray(fish)).all()
    border = np.abs(pixels(image)[32:, 256] - pixels(image)[32:, 255]).mean()
    assert border < 8
    assert made.request.size == Size(352, 288)


def test_a_variation_keeps_the_composition(studio, fish):
    def varied(strength):
        return draw(studio, BLUE, 1, variation=Variation(99, strength))[0]

    changes = [difference(fish, varied(strength)) for strength in (0.0, 0.15, 1.0)]
    assert changes[0] == 0
    assert changes[1] < changes[2]
    assert difference(varied(1.0), draw(studio, BLUE, 99)[0]) == 0


def test_several_variations_count_their_own_seed(studio):
    request = GenerationRequest(BLUE, seed=1, count=2, variation=Variation(50, 0.4))
    both = studio.generate(request)
    second = studio.generate(both[1].request)[0]
    assert difference(both[1].image, second.image) < 0.5
    assert both[1].request.variation.seed == 51 and both[1].request.seed == 1


def seam(values, axis):
    """The step across the border, as a multiple of the steps beside it: a picture without a seam has about 1.

    Not the step alone: a thing that reaches over the border changes there as much as anywhere inside of it.
    """
    around = np.roll(np.moveaxis(values, axis, 0), 3, axis=0)[:6]
    steps = np.abs(np.diff(around, axis=0)).mean(axis=(1, 2))
    return float(steps[2] / steps[[0, 1, 3, 4]].mean())


@pytest.mark.parametrize("tile", ["x", "y", "xy"])
def test_a_tiled_picture_has_no_seam(studio, tile):
    request = GenerationRequest("a pink star on a teal background", seed=7, count=2, tile=tile).with_(steps=8)
    for made in studio.generate(request):
        for axis, name in enumerate("yx"):
            found = seam(pixels(made.image), axis)
            assert found < 1.3 if name in tile else found > 3, (name, made.request.seed, found)


def test_no_place_of_a_tiled_picture_is_its_border(studio, fish):
    """Latents moved around give the same picture moved around, and the same noise: there is no seam to be seen."""
    import torch

    from toolkit.engine.tiling import tiled

    def decoded(latents, tile):
        picture = components.decoder.decode(latents, tile)[0]
        return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3).astype(int)

    with studio.engine.open()[0].lease(studio.models.find("limner-starter")) as components, torch.no_grad():
        latents = components.decoder.encode(fish, "xy")
        moved = torch.roll(latents, (5, 9), (2, 3))
        errors = [np.abs(np.roll(decoded(latents, t), (40, 72), (0, 1)) - decoded(moved, t)).max() for t in ("xy", "")]
        assert errors[0] <= 1 and errors[1] > 60, errors
        words = torch.zeros(1, 77, components.unet.config.cross_attention_dim)
        for axes, same in (("xy", True), ("", False)):
            with tiled(components.unet, axes):
                still, turned = (components.unet(x, 500, words).sample for x in (latents, torch.roll(latents, 8, 3)))
            assert torch.allclose(torch.roll(still, 8, 3), turned, atol=1e-4) is same


def test_a_tiled_pattern_is_the_pattern_without_its_seam(studio):
    request = GenerationRequest("a pattern of red hearts on a white background", seed=3)
    plain, tiled = (pixels(studio.generate(request.with_(tile=tile))[0].image) for tile in ("", "xy"))
    assert np.abs(plain - tiled)[24:-24, 24:-24].mean() < 1, "only decoding wraps around: the motifs stay"
    for axis in (0, 1):
        assert seam(tiled, axis) < 1.3 and seam(plain, axis) > 3
    assert max(np.abs(tiled[:, 0] - tiled[:, -1]).mean(), np.abs(tiled[0] - tiled[-1]).mean()) < 1.5
    assert tiled.std() > 40, "a plain picture has no seam either"


@pytest.mark.parametrize("upscaler", ["lanczos", "latent"])
def test_refining_makes_the_same_picture_larger(studio, fish, upscaler):
    strength = 0.3 if upscaler == "lanczos" else 0.5
    image, _ = draw(studio, BLUE, 1, refine=Refine(1.5, upscaler, strength))
    assert image.size == (384, 384)
    assert difference(fish, image.resize((256, 256), Image.Resampling.LANCZOS)) < 25


def test_a_picture_can_be_finished_as_it_is(studio, fish, kept):
    request = GenerationRequest(start=AsIs(kept), finish=(FinishStep("lanczos", {"scale": 2}),))
    image = studio.generate(request)[0].image
    assert image.size == (512, 512)
    with pytest.raises(RequestError, match="at least one finishing step"):
        studio.prepare(GenerationRequest(start=AsIs(kept)))


def test_after_a_failure_the_next_picture_is_as_ever(studio, fish, kept):
    small = studio.inputs.add_mask(Image.new("L", (10, 200), 255)).sha
    black = studio.inputs.add_mask(Image.new("L", fish.size)).sha
    for start, field in [
        (Inpaint(kept, small), "start.mask"),
        (Inpaint(kept, black), "start.mask"),
        (Inpaint(kept, "0" * 64), "start.mask"),
        (FromImage("0" * 64), "start.image"),
        (FromImage(kept, strength=0), "start.strength"),
        (FromImage(kept, strength=0.01), "start.strength"),
        (Outpaint(kept, right=2049), "start.right"),
    ]:
        with pytest.raises(RequestError) as refused:
            studio.generate(GenerationRequest(BLUE, seed=1, start=start))
        assert refused.value.field == field
    assert difference(fish, draw(studio, BLUE, 1)[0]) == 0


def draw(studio, prompt, seed, start=None, **others):
    given = {"start": start} if start is not None else {}
    made = studio.generate(GenerationRequest(prompt, seed=seed, **given, **others))[0]
    assert Path(made.path).is_file()
    return made.image, made


def test_a_walk_between_prompts_leads_from_one_to_the_other(studio):
    from toolkit.walks import between_prompts

    there = "a yellow star on a green background"
    walk = [studio.generate(one)[0].image for one in between_prompts(GenerationRequest(BLUE, seed=1), there, 3)]
    assert difference(walk[0], draw(studio, BLUE, 1)[0]) <= 1
    assert difference(walk[2], draw(studio, there, 1)[0]) <= 1
    assert difference(walk[0], walk[1]) > 1 and difference(walk[1], walk[2]) > 1
