"""LoRA adapters of the starter: which layers they touch, and how they are written, in peft's naming or kohya's."""

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from toolkit.starter.paths import FOLDER

# Looks live in colours and edges: the convolutions down to 8 x 8, and all attention, where the words come in.
STYLE_LAYERS = (
    r"conv_in|conv_out|(down_blocks\.[012]|up_blocks\.[123])\.resnets\.\d\.conv[12]"
    r"|.*attn[12]\.(to_q|to_k|to_v|to_out\.0)"
)
DRAFT_LAYERS = (
    r"conv_in|conv_out|time_embedding\.linear_[12]"
    r"|.*\.(conv[12]?|conv_shortcut|time_emb_proj|proj_in|proj_out|to_q|to_k|to_v|to_out\.0|ff\.net\.0\.proj|ff\.net\.2)"
)


def load_denoiser(folder: Path = FOLDER) -> UNet2DConditionModel:
    """The base's denoiser in float32 with frozen weights, ready to be trained beside."""
    model = UNet2DConditionModel.from_pretrained(folder, subfolder="unet").requires_grad_(False)
    if not torch.cuda.is_available():
        # On a CPU the fused attention's backward is the slowest operation at these sizes; plain products are faster.
        model.set_attn_processor(AttnProcessor())
    return model


def add_lora(model: UNet2DConditionModel, rank: int, layers: str) -> list[torch.nn.Parameter]:
    """Adds an adapter, of one rank so that any loader takes its scale as 1; its weights come back."""
    torch.manual_seed(0)
    model.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=layers, init_lora_weights="gaussian"))
    return [weight for weight in model.parameters() if weight.requires_grad]


def lora_weights(model: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    """The adapter's weights in half precision, named as diffusers does: `unet.….lora_A.weight`."""
    state = get_peft_model_state_dict(model)
    return {f"unet.{name}": value.detach().to("cpu", torch.float16).contiguous() for name, value in state.items()}


def to_kohya(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same weights as kohya's trainer names them: `lora_unet_…lora_down/lora_up.weight` and `.alpha`."""
    found = {}
    for name, value in weights.items():
        layer, _, half = name.removeprefix("unet.").rpartition(".lora_")
        stem = "lora_unet_" + layer.replace(".", "_")
        found[f"{stem}.lora_{'down' if half == 'A.weight' else 'up'}.weight"] = value
        if half == "A.weight":
            found[f"{stem}.alpha"] = torch.tensor(float(value.shape[0]), dtype=torch.float16)
    return found


def header(title: str, description: str, rank: int, **more: str) -> dict[str, str]:
    """The file's header in the field's two vocabularies: `modelspec.*` and kohya's `ss_*`."""
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.implementation": "diffusers",
        "modelspec.title": title,
        "modelspec.description": description,
        "modelspec.author": "Limner",
        "modelspec.license": "Apache-2.0",
        "modelspec.resolution": "256x256",
        "modelspec.prediction_type": "v",
        "ss_base_model": "limner-starter",
        "ss_sd_model_name": "limner-starter",
        "ss_base_model_version": "sd_v1",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(rank),
    } | more  # fmt: skip


def write_lora(weights: dict[str, torch.Tensor], path: Path, metadata: dict[str, str], kohya: bool = False) -> None:
    """Writes the adapter with its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(to_kohya(weights) if kohya else weights, path, metadata=metadata)
