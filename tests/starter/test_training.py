"""A few steps of what a rebuild trains, on few pictures: that it runs, keeps its state and goes on from there."""

import shutil

import pytest
import torch
from diffusers import UNet2DConditionModel

from toolkit.starter.cli import FOLDER, MORE_THINGS
from toolkit.starter.clip import train_clip
from toolkit.starter.control import KINDS, train_control
from toolkit.starter.denoiser import prepare_latents, train_denoiser

# Time for one step or a few; every stage takes at least one.
MINUTES = 0.01


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A work folder as the stages before the denoiser leave it, with the shipped autoencoder and words."""
    work = tmp_path_factory.mktemp("work")
    for part in ("vae", "text_encoder", "tokenizer"):
        shutil.copytree(FOLDER / part, work / part)
    prepare_latents(work, 32)
    return work


def weights(work):
    return UNet2DConditionModel.from_pretrained(work / "folder" / "unet").state_dict()


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_the_denoiser_learns_from_nothing_and_then_more_of_things(work):
    train_denoiser(work, MINUTES, resume=False, batch=4)
    untaught = weights(work)
    train_denoiser(work, MINUTES, False, work / "folder", MORE_THINGS, batch=4, stage="things")
    taught = weights(work)
    assert not same(untaught, taught)
    # What is through stays as it is when the whole chain is taken up again.
    train_denoiser(work, MINUTES, resume=True, batch=4)
    assert same(weights(work), untaught)
    train_denoiser(work, MINUTES, True, work / "folder", MORE_THINGS, batch=4, stage="things")
    assert same(weights(work), taught)


@pytest.mark.parametrize("kind", KINDS)
def test_a_controlnet_learns(tmp_path, kind):
    train_control(kind, tmp_path, MINUTES, resume=False, scenes=8, room=64)
    steps = torch.load(tmp_path / f"control-{kind}.pt")["budget"]["step"]
    train_control(kind, tmp_path, 3 * MINUTES, resume=True, scenes=8, room=64)
    assert torch.load(tmp_path / f"control-{kind}.pt")["budget"]["step"] > steps > 0


def test_the_clip_learns(tmp_path):
    model = train_clip(tmp_path, MINUTES, resume=False, scenes=64)
    assert model.config.projection_dim > 0
    assert torch.load(tmp_path / "clip.pt")["budget"]["step"] > 0
