"""Whatever stands in the models' folders: one sentence with the file and the remedy, no code run, no trace left."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from toolkit import GenerationRequest
from toolkit.adapters import ControlUse, LoraUse
from toolkit.engine.preprocessing import ControlAsk, make
from toolkit.errors import EngineError, RequestError
from toolkit.finishing import FinishStep
from toolkit.geometry import Size
from toolkit.plugins.calls import finish
from toolkit.plugins.plugins import Plugins
from toolkit.settings import load_settings
from toolkit.studio import ROOT, Studio

PLAIN = GenerationRequest("a red fish on a blue background", seed=4).with_(steps=2)
LAYER = "unet.down_blocks.2.attentions.0.transformer_blocks.0.attn2.to_k"
HINT = "input_hint_block.0.weight"
CONTROL_LAYER = "control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


class Trap:
    """A pickle that makes a file when anybody runs it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bad") / "models"


@pytest.fixture(scope="module")
def studio(folder, tmp_path_factory):
    for kind in ("loras", "embeddings", "controlnet", "upscalers"):
        (folder / kind).mkdir(parents=True)
    data = tmp_path_factory.mktemp("data")
    settings = load_settings(data=data, dtype="float32", models=[ROOT / "models" / "checkpoints", folder])
    with Studio(settings=settings) as studio:
        yield studio


@pytest.fixture(scope="module")
def usual(studio):
    return studio.generate(PLAIN)[0].image.tobytes()


def lora(rank=2, width=128, value=0.0):
    return {f"{LAYER}.lora_A.weight": torch.full((rank, width), value), f"{LAYER}.lora_B.weight": torch.ones(128, rank)}


def damaged(path, tensors, how):
    """Write a sound file of these tensors and spoil it."""
    save_file(tensors, path)
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[:-20],
            "empty": b"",
            "zeros": bytes(64),
            "huge": struct.pack("<Q", 2**62) + content[8:],
            "pickle": pickle.dumps(Trap(path.parent / "ran")),
            "archive": b"PK\x03\x04" + bytes(64),
            "outside": content.replace(b'"data_offsets":[0', b'"data_offsets":[9'),
        }[how]
    )


def refused(studio, request):
    with pytest.raises((RequestError, EngineError)) as caught:
        studio.generate(request)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "Traceback" not in sentence and len(sentence) < 300
    return sentence


KINDS = {
    "loras": (lora(), PLAIN.with_(loras=(LoraUse("bad"),))),
    "embeddings": ({"emb_params": torch.zeros(2, 768)}, PLAIN.with_(prompt="a fish, embedding:bad")),
    "controlnet": ({HINT: torch.zeros(16, 3, 3, 3), CONTROL_LAYER: torch.zeros(8, 128)}, None),
}


@pytest.mark.parametrize("how", ["cut", "empty", "zeros", "huge", "pickle", "archive", "outside"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named_with_its_remedy(studio, folder, usual, kind, how):
    tensors, request = KINDS[kind]
    path = folder / kind / "bad.safetensors"
    if how == "outside" and len(tensors) == 1:
        pytest.skip("one tensor has no second place to be moved to")
    damaged(path, tensors, how)
    try:
        sentence = refused(studio, request or steered(studio, "bad"))
    finally:
        path.unlink()
    remedy = "Get the model as .safetensors" if how in ("pickle", "archive") else "Copy the file again"
    assert f"{kind}/bad.safetensors" in sentence and remedy in sentence
    assert not (folder / kind / "ran").exists()
    assert studio.generate(PLAIN)[0].image.tobytes() == usual


def steered(studio, name):
    picture = studio.inputs.add(Image.new("RGB", (64, 64))).sha
    return PLAIN.with_(controls=(ControlUse(name, picture),))


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (lora(width=768), "is made for models that read text of width 768"),
        (lora(width=2048), "is made for SDXL"),
        (lora() | {f"{LAYER}.lora_B.weight": torch.ones(64, 2)}, "has another shape than"),
        (lora(value=float("nan")), "not finite"),
        ({"lora_unet_nowhere.lora_down.weight": torch.ones(2, 2)}, "are not in this model's denoiser"),
        ({f"{LAYER}.oft_blocks": torch.ones(2, 2, 2)}, "can't be applied"),
    ],
)
def test_a_lora_that_does_not_fit_changes_nothing(studio, folder, usual, tensors, words):
    path = folder / "loras" / "stranger.safetensors"
    save_file(tensors, path)
    try:
        sentence = refused(studio, PLAIN.with_(loras=(LoraUse("limner-starter-neon"), LoraUse("stranger"))))
    finally:
        path.unlink()
    assert "loras/stranger.safetensors" in sentence and words in sentence
    assert studio.generate(PLAIN)[0].image.tobytes() == usual


def test_a_controlnet_of_another_family_or_class_is_refused_before_anything_runs(studio, folder, usual):
    single = folder / "controlnet" / "bad-canny.safetensors"
    save_file({HINT: torch.zeros(16, 3, 3, 3), CONTROL_LAYER: torch.zeros(8, 768)}, single)
    other = folder / "controlnet" / "union"
    other.mkdir()
    tensors = {"controlnet_cond_embedding.conv_in.weight": torch.zeros(1)}
    save_file(tensors, other / "diffusion_pytorch_model.safetensors")
    (other / "config.json").write_text(json.dumps({"_class_name": "ControlNetUnionModel"}))
    for name, words in (("bad-canny", "made for another family"), ("union", "is a ControlNetUnionModel")):
        with pytest.raises(RequestError, match=words):
            studio.prepare(steered(studio, name))
    assert studio.prepare(steered(studio, "canny")).controls[0].kind == "limner-starter-lines"
    single.unlink()
    assert studio.generate(PLAIN)[0].image.tobytes() == usual


def test_an_embedding_of_another_width_is_refused(studio, folder, usual):
    path = folder / "embeddings" / "wide.safetensors"
    save_file({"emb_params": torch.zeros(2, 768)}, path)
    try:
        sentence = refused(studio, PLAIN.with_(prompt="a fish in embedding:wide"))
    finally:
        path.unlink()
    assert "embeddings/wide.safetensors" in sentence and "choose an embedding for its family" in sentence
    assert studio.generate(PLAIN)[0].image.tobytes() == usual


def program(path):
    torch.jit.save(torch.jit.trace(torch.nn.Identity(), torch.zeros(1)), str(path))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("trap.pth", lambda path: torch.save(Trap(path.parent / "ran"), path)),
        ("trap.safetensors", lambda path: path.write_bytes(pickle.dumps(Trap(path.parent / "ran")))),
        ("program.pth", program),
        ("program.safetensors", program),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_programs_among_the_upscalers_are_named_and_never_run(tmp_path, name, write):
    (tmp_path / "upscalers").mkdir()
    write(tmp_path / "upscalers" / name)
    plugins = Plugins(tmp_path / "data", models=tmp_path)
    asked = PLAIN.with_(finish=(FinishStep("upscale", {"file": name, "scale": 2.0}),))
    with pytest.raises(RequestError, match=name.replace(".", r"\.")) as caught:
        finish(plugins, Image.new("RGB", (32, 32)), asked)
    assert str(caught.value).endswith(".")
    assert not (tmp_path / "upscalers" / "ran").exists()


def test_a_program_among_the_annotators_is_never_run_whatever_the_machine_is_set_to(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    (tmp_path / "annotators").mkdir()
    torch.save(Trap(tmp_path / "ran"), tmp_path / "annotators" / "ControlNetHED.pth")
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    use = ControlUse("softedge", "0" * 64, preprocessor="hed")
    made = make(Plugins(tmp_path / "data", models=tmp_path), ControlAsk(use, Size(64, 64), file.getvalue()), "cpu")
    assert made.picture is None and "ControlNetHED.pth in models/annotators can't be read" in made.error
    assert not (tmp_path / "ran").exists()
