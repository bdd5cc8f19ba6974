"""Models are found by folder, described by their cards, and refused with a sentence when they can't be used."""

from __future__ import annotations

import hashlib
import json
import struct
import time
from pathlib import Path

import pytest

from toolkit.errors import ModelError
from toolkit.models import ModelIndex
from toolkit.weights import check_weights

WEIGHTS = ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model")


def safetensors(size: int = 16, **changes) -> bytes:
    """A sound safetensors file with one tensor of `size` bytes, or what `changes` make of its header."""
    header = {"weight": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size], **changes}}
    plain = json.dumps(header).encode()
    return struct.pack("<Q", len(plain)) + plain + bytes(size)


def write_model(folder: Path, *, index: dict | None = None, card: dict | None = None, scheduler: dict | None = None):
    """A folder shaped like Stable Diffusion 1, with weights that have a header and no sense."""
    components = {
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
    }
    for name in WEIGHTS:
        file = folder / f"{name}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(safetensors())
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler or {}))
    (folder / "unet" / "config.json").write_text(json.dumps({"cross_attention_dim": 768}))
    whole = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.21.4", **components, **(index or {})}
    (folder / "model_index.json").write_text(json.dumps(whole))
    if card is not None:
        (folder / "card.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_model(tmp_path / "models" / "plain")


@pytest.fixture
def index(folder) -> ModelIndex:
    return ModelIndex([folder.parent])


def test_a_folder_without_a_card_gets_the_defaults_of_its_family(index, folder):
    (model,) = index.list()
    assert (model.id, model.title, model.family, model.licence) == ("plain", "plain", "sd1", "unknown")
    assert model.card["native_size"] == [512, 512]
    assert model.card["size_multiple"] == 8
    assert model.card["defaults"] == {"sampler": "dpmpp_2m", "steps": 20, "guidance": 7.5}
    assert model.bytes == sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    assert index.find("plain") == model
    assert index.problems() == []


def test_a_card_is_read_over_the_defaults(tmp_path):
    write_model(tmp_path / "a", card={"title": "Ink", "native_size": [256, 256], "defaults": {"guidance": 4}})
    model = ModelIndex([tmp_path]).find("a")
    assert model.title == "Ink"
    assert model.card["native_size"] == [256, 256]
    assert model.card["defaults"] == {"sampler": "dpmpp_2m", "steps": 20, "guidance": 4}


def test_a_model_with_rescaled_noise_prefers_plain_steps(tmp_path):
    write_model(tmp_path / "a", scheduler={"trained_betas": [0.1, 0.2]})
    assert ModelIndex([tmp_path]).find("a").card["defaults"]["schedule"] == "normal"


def test_any_folder_can_be_named_by_its_path(folder):
    model = ModelIndex([]).find(str(folder))
    assert model.id == str(folder.resolve())
    assert ModelIndex([]).find(model.id) == model


def test_the_first_of_two_folders_wins(tmp_path):
    write_model(tmp_path / "one" / "same", card={"title": "First"})
    write_model(tmp_path / "two" / "same", card={"title": "Second"})
    both = ModelIndex([tmp_path / "one", tmp_path / "two"])
    assert [model.title for model in both.list()] == ["First"]
    assert both.find("same").title == "First"


def test_an_unknown_name_is_answered_with_the_models_there_are(index):
    with pytest.raises(ModelError, match=r"no model called “nope”\. The models here: plain\."):
        index.find("nope")


@pytest.mark.parametrize("name", ["", "..", "../plain", "pla\0in", "plain/../..", "~"])
def test_a_name_that_is_no_name_finds_nothing(index, name):
    with pytest.raises(ModelError):
        index.find(name)


@pytest.mark.parametrize(
    "change, word",
    [
        ({"unet": ["os", "system"]}, "'os'"),
        ({"custom": ["my_module", "MyThing"]}, "'my_module'"),
        ({"tokenizer": ["stable_diffusion", "CLIPTokenizer"]}, "'stable_diffusion'"),
        ({"unet": ["diffusers", "FluxTransformer2DModel"]}, "UNet2DConditionModel"),
        ({"_class_name": "FluxPipeline"}, "FluxPipeline"),
        ({"vae": None}, "vae"),
    ],
)
def test_a_folder_cannot_choose_what_is_imported(tmp_path, change, word):
    write_model(tmp_path / "bad", index=change)
    index = ModelIndex([tmp_path])
    with pytest.raises(ModelError) as caught:
        index.find("bad")
    assert word in str(caught.value)
    assert index.list() == []
    assert index.problems() == [str(caught.value)]


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "only 0 bytes"),
        (b"\x10\0\0", "only 3 bytes"),
        (safetensors()[:-5], "should have"),
        (safetensors()[:20], "header would be"),
        (struct.pack("<Q", 2**40) + b"{}", "header would be"),
        (struct.pack("<Q", 16) + b"not json at all!", "not a safetensors header"),
        (struct.pack("<Q", 2) + b"[]", "not a safetensors header"),
        (safetensors(data_offsets=[8, 4]), "outside the file"),
        (safetensors(data_offsets=[0, 10**9]), "should have"),
    ],
)
@pytest.mark.parametrize("name", WEIGHTS)
def test_damaged_weights_are_named_within_a_tenth_of_a_second(index, folder, name, content, reason):
    (folder / f"{name}.safetensors").write_bytes(content)
    began = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        index.find("plain")
    assert time.perf_counter() - began < 0.1
    assert f"plain/{name}.safetensors is damaged" in str(caught.value)
    assert reason in str(caught.value)
    assert str(folder.parent) not in str(caught.value)


def test_a_mended_file_is_seen_at_once(index, folder):
    file = folder / f"{WEIGHTS[0]}.safetensors"
    file.write_bytes(safetensors()[:-5])
    with pytest.raises(ModelError):
        index.find("plain")
    file.write_bytes(safetensors())
    check_weights(file)
    assert index.find("plain").id == "plain"


def test_missing_weights_and_pickles_are_told_apart(index, folder):
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelError, match="is missing"):
        index.find("plain")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="can carry code"):
        index.find("plain")
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(safetensors())
    assert index.find("plain").weights("unet").name == "diffusion_pytorch_model.fp16.safetensors"


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a": ' + "[" * 100_000])
def test_an_unreadable_index_is_a_sentence(index, folder, text):
    (folder / "model_index.json").write_text(text)
    with pytest.raises(ModelError, match=r"model_index\.json"):
        index.find("plain")
    assert index.list() == []


@pytest.mark.parametrize("size", [[0, 512], [512], "512", [512.5, 512], [True, 512], [10**9, 8]])
def test_a_card_with_an_impossible_size_is_refused(tmp_path, size):
    write_model(tmp_path / "a", card={"native_size": size})
    with pytest.raises(ModelError, match="native_size"):
        ModelIndex([tmp_path]).find("a")


def test_the_hash_is_the_one_other_tools_write(index, folder):
    content = (folder / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()
    assert index.find("plain").hash == hashlib.sha256(content).hexdigest()[:10]
