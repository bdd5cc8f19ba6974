"""A few steps of what a rebuild trains, on few pictures: that it runs, keeps its state and goes on from there."""

import shutil

import pytest
import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import load_file

from toolkit.errors import ModelError
from toolkit.starter.autoencoder import train_autoencoder
from toolkit.starter.chain import MORE
from toolkit.starter.clip import train_clip
from toolkit.starter.control import KINDS, train_control
from toolkit.starter.denoiser import prepare_latents, train_denoiser
from toolkit.starter.folder import write_vae
from toolkit.starter.paths import FOLDER

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
    assert train_denoiser(work, MINUTES, False, work / "folder", MORE["things"], batch=4, stage="things")
    taught = weights(work)
    assert not same(untaught, taught)
    # What is through stays as it is when the whole chain is taken up again.
    assert not train_denoiser(work, MINUTES, resume=True, batch=4)
    assert not train_denoiser(work, MINUTES, True, work / "folder", MORE["things"], batch=4, stage="things")
    assert same(weights(work), taught)


def test_the_decoder_learns_textures_and_latents_keep_their_meaning(tmp_path):
    first = train_autoencoder(tmp_path, MINUTES, resume=False, scenes=16, batch=4)
    before = {name: value.clone() for name, value in first.state_dict().items()}
    train_autoencoder(tmp_path, MINUTES, resume=False, start=tmp_path, scenes=16, batch=4)
    after = AutoencoderTiny.from_pretrained(tmp_path / "vae").state_dict()
    moved = {name.partition(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"decoder"}
    write_vae(first, tmp_path / "folder")
    kept = load_file(tmp_path / "folder" / "vae" / "diffusion_pytorch_model.safetensors")
    assert {value.dtype for value in kept.values()} == {torch.float16}


def test_a_state_of_another_model_is_a_sentence(tmp_path):
    torch.save({"weights": [], "optimizer": {}, "budget": {"spent": 0, "step": 0}}, tmp_path / "control-lines.pt")
    with pytest.raises(ModelError, match=r"control-lines\.pt is damaged or belongs to another model"):
        train_control("lines", tmp_path, MINUTES, resume=True, scenes=8, room=64)
    (tmp_path / "clip.pt").write_bytes(b"half")
    with pytest.raises(ModelError, match="Start this stage without --resume"):
        train_clip(tmp_path, MINUTES, resume=True, scenes=64)


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
