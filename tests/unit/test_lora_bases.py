"""A LoRA for another family is refused before anything is queued, whatever its naming; one that fits is not."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from toolkit.adapters import LoraUse
from toolkit.errors import RequestError
from toolkit.lora_bases import check_bases
from toolkit.models import ModelIndex
from toolkit.prepare import prepare
from toolkit.request import GenerationRequest
from toolkit.studio import ROOT
from toolkit.styles import StyleLibrary

KOHYA = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
ORIGINAL = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_v"
PEFT = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


@pytest.fixture
def models(tmp_path):
    (tmp_path / "loras").mkdir()
    return ModelIndex([ROOT / "models" / "checkpoints", tmp_path])


def put(models, tensors, metadata=None):
    path = models.folders[1] / "loras" / "other.safetensors"
    made = {name: np.zeros(shape, np.float16) for name, shape in tensors.items()}
    save_file(made, path, metadata)
    return path


@pytest.mark.parametrize(
    ("tensors", "metadata", "made_for"),
    [
        ({f"{KOHYA}.lora_down.weight": (4, 768)}, None, "width 768"),
        ({f"{KOHYA}.lora_down.weight": (4, 1024)}, None, "Stable Diffusion 2"),
        ({f"{ORIGINAL}.lora_down.weight": (4, 2048), f"{ORIGINAL}.alpha": ()}, None, "SDXL"),
        ({f"{PEFT}.lora_A.weight": (4, 2048)}, None, "SDXL"),
        ({f"{PEFT}.lora.down.weight": (4, 2048)}, None, "SDXL"),
        ({f"{PEFT.replace('.to_k', '.processor.to_k_lora')}.down.weight": (4, 1280)}, None, "SDXL refiner"),
        ({f"{KOHYA}.hada_w1_b": (4, 2048)}, None, "SDXL"),
        ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (4, 64)}, None, "Flux"),
        ({"transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight": (4, 64)}, None, "Flux"),
        ({"lora_te2_text_model_a.lora_down.weight": (4, 8)}, {"ss_base_model_version": "sdxl_base_v1-0"}, "SDXL"),
    ],
)
def test_another_family_is_named_with_the_file_and_a_remedy(models, tensors, metadata, made_for):
    put(models, tensors, metadata)
    request = GenerationRequest("a red fish", loras=(LoraUse("other"),))
    with pytest.raises(RequestError, match=made_for) as refused:
        prepare(request, models, StyleLibrary({}))
    assert "loras/other.safetensors is made for" in str(refused.value)
    assert "choose a LoRA for Stable Diffusion 1" in str(refused.value)
    assert refused.value.field == "loras.0.name"


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({f"{KOHYA}.lora_down.weight": (4, 128)}, {"ss_base_model_version": "sdxl_base_v1-0"}),  # the layers know best
        ({f"{KOHYA.replace('attn2', 'attn1')}.lora_down.weight": (4, 320)}, None),
        ({f"{KOHYA.replace('attn2', 'attn1')}.lora_down.weight": (4, 320)}, {"ss_base_model_version": "sd_v1"}),
    ],
)
def test_what_may_fit_is_left_to_the_engine(models, tensors, metadata):
    put(models, tensors, metadata)
    assert prepare(GenerationRequest("a red fish <lora:other:1>"), models, StyleLibrary({})).loras[0].name == "other"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has only 0 bytes"),
        (b"\xff" * 8 + b"{}", "its header would be"),
        (b"\x80\x04\x95" + b"\0" * 90, "pickle"),
        (None, "it should have"),
    ],
)
def test_a_damaged_file_is_refused_before_it_is_queued(models, content, why):
    path = put(models, {f"{KOHYA}.lora_down.weight": (4, 128)})
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(RequestError, match=why) as refused:
        check_bases((LoraUse("other"),), models.find("limner-starter"), models)
    remedy = "Get the model as .safetensors" if why == "pickle" else "Copy the file again"
    assert "loras/other.safetensors is damaged" in str(refused.value) and remedy in str(refused.value)
