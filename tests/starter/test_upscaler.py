"""The upscalers as anyone would load them: spandrel knows them from their weights."""

import json

import numpy as np
import pytest
from safetensors import safe_open

from toolkit.starter.score_upscaler import decibels, enlarge, gains, load_upscaler, upscaler_path
from toolkit.starter.textures import TEXTURES, draw_texture, draw_textures
from toolkit.starter.upscaler import draw_large


def card(scale: int) -> dict:
    return json.loads(upscaler_path(scale).with_suffix(".json").read_text(encoding="utf-8"))


def test_both_files_are_small_and_say_what_they_are():
    assert sum(upscaler_path(scale).stat().st_size for scale in (2, 4)) <= 2 * 1024 * 1024
    for scale in (2, 4):
        with safe_open(upscaler_path(scale), "pt") as file:
            assert file.metadata()["scale"] == str(scale)
        assert {"title", "licence", "description", "made", "scores"} <= card(scale).keys()


@pytest.mark.parametrize("scale", [2, 4])
def test_spandrel_knows_the_scale(scale):
    model = load_upscaler(upscaler_path(scale))
    assert (model.architecture.id, model.scale, model.input_channels) == ("Compact", scale, 3)
    picture = np.full((24, 40, 3), (222, 52, 46), np.uint8)
    large = enlarge(model, picture)
    assert large.shape == (24 * scale, 40 * scale, 3)
    assert np.abs(large.astype(int) - picture[0, 0]).mean() < 2


@pytest.mark.parametrize("scale", [2, 4])
def test_scenes_are_enlarged_better_than_by_lanczos(scale):
    won, _, _ = gains(load_upscaler(upscaler_path(scale)), draw_large(11, 8, scale, held=True))
    assert np.mean(won) >= card(scale)["scores"]["gain_db"] - 1.5


def test_textures_are_left_whole():
    won, _, _ = gains(load_upscaler(upscaler_path(2)), draw_textures(40, len(TEXTURES), 512))
    assert np.mean(won) >= card(2)["scores"]["texture_gain_db"] - 1.0


def test_textures_are_the_same_every_time():
    assert (draw_texture(3) == draw_texture(3)).all()
    assert decibels(draw_texture(4), draw_texture(8)) < 30
