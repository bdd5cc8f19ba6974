"""What a file of weights is, told by the names of its tensors; nothing is loaded and no file name is believed."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.headers import Header

KINDS = ("checkpoint", "vae", "lora", "embedding", "controlnet", "upscaler")

_UNET = "model.diffusion_model.input_blocks.0.0.weight"
_LORA_MARKS = (
    ".lora_up.", ".lora_down.", ".lora_A.", ".lora_B.", ".lora.up.", ".lora.down.", "_lora.up.", "_lora.down.",
    ".lora_linear_layer.", ".hada_w1_a", ".lokr_w1",
    ".lokr_w2", ".dora_scale", ".oft_blocks", ".oft_diag",
)  # fmt: skip
_CONTROL_MARKS = ("control_model.", "controlnet_cond_embedding.", "input_hint_block.", "lllite_unet")
_EMBEDDING_WIDTHS = ((768,), (1024,), (1280,))
_EMBEDDING_NAMES = ("emb_params", "clip_l", "clip_g", "<concept>")

# Denoisers of families that the studio doesn't draw with, by names that only they have.
_OTHERS: Mapping[str, str] = {
    "double_blocks.0.img_attn": "Flux",
    "single_stream_modulation": "Flux 2",
    "joint_blocks.0.": "Stable Diffusion 3",
    "txt_in.text_norm.": "Qwen-Image",
    "cap_embedder.": "Lumina or Z-Image",
    "txtfusion.": "Krea 2",
    "double_layers.0.": "AuraFlow",
    "clip_txt_mapper.": "Stable Cascade",
    "head.modulation": "Wan",
    "patchify_proj.": "LTX-Video",
}


def kind_of(header: Header) -> str | None:
    """One of `KINDS` that tensors' names tell for sure; None for upscalers and for what the studio doesn't know."""
    if header.has(_UNET):
        return "checkpoint"
    if any(map(header.mentions, _LORA_MARKS)):
        return "lora"
    if any(map(header.begins, _CONTROL_MARKS)) or header.mentions(".input_hint_block."):
        return "controlnet"
    if header.mentions('decoder.conv_in.weight"') or header.mentions('decoder.layers.0.weight"'):
        return "vae"
    if any(map(header.has, _EMBEDDING_NAMES)) or (header.only or ())[-1:] in _EMBEDDING_WIDTHS:
        return "embedding"
    return None


def other_family(header: Header) -> str | None:
    """The family of a denoiser that the studio can't draw with, None for one it has never heard of."""
    return next((title for mark, title in _OTHERS.items() if header.mentions(mark)), None)
