"""What stands beside a LoRA: A1111's notes, Civitai's, and our own cards; a person's own words win."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from toolkit.lora_bases import misfits
from toolkit.models import ModelIndex
from toolkit.sidecars import told
from toolkit.studio import ROOT

PEFT = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


@pytest.fixture
def lora(tmp_path):
    """Writes a LoRA with notes beside it and gives it as the index lists it."""
    folder = tmp_path / "loras"
    folder.mkdir()

    def write(metadata=None, width=128, **beside):
        made = {f"{PEFT}.lora_A.weight": np.zeros((4, width), np.float16)}
        save_file(made, folder / "ink.safetensors", metadata)
        for ending, plain in beside.items():
            text = plain if isinstance(plain, str) else json.dumps(plain)
            (folder / f"ink.{ending.replace('_', '.')}").write_text(text, "utf-8")
        index = ModelIndex([ROOT / "models" / "checkpoints", tmp_path])
        write.index = index
        return next(file for file in index.files("lora") if file.name == "ink")

    return write


def test_a1111s_notes_and_our_own_cards(lora):
    plain = {"activation text": "inkwash, brush", "preferred weight": 0.8, "description": "<p>Wet</p>", "style": True}
    found = told(lora({"modelspec.title": "Ink", "modelspec.description": "of the header"}, json=plain))
    assert (found["title"], found["description"], found["trigger"]) == ("Ink", "Wet", "inkwash, brush")
    assert (found["weight"], found["style"]) == (0.8, True)


def test_civitais_notes_count_less_than_a_persons_own(lora):
    said = {"trainedWords": ["ink", "wash"], "baseModel": "SDXL 1.0", "model": {"name": "Ink wash"}}
    found = told(lora(civitai_info=said, json={"activation text": "my ink", "preferred weight": 0}))
    assert (found["title"], found["trigger"], found["base"]) == ("Ink wash", "my ink", "SDXL 1.0")
    assert "weight" not in found


@pytest.mark.parametrize("text", ["{", "[]", '{"preferred weight": "much", "style": "yes", "title": 7}'])
def test_damaged_notes_change_nothing(lora, text):
    found = told(lora({"modelspec.title": "Ink"}, json=text))
    assert found["title"] == "Ink" and not {"weight", "style"} & found.keys()


@pytest.mark.parametrize(("width", "made_for"), [(128, ""), (2048, "SDXL"), (768, "width 768 (this one reads 128)")])
def test_which_models_a_lora_is_not_for(lora, width, made_for):
    file = lora(width=width)
    starter = lora.index.find("limner-starter")
    for _ in range(2):  # the second time from what is remembered
        answer = misfits(lora.index)(file, starter)
        assert made_for in answer and bool(answer) is bool(made_for)


def test_a_damaged_lora_fits_no_model(lora):
    file = lora()
    file.path.write_bytes(file.path.read_bytes()[:40])
    assert "damaged" in misfits(lora.index)(file, lora.index.find("limner-starter"))
