"""The families of models that the studio draws with, as a table: what differs between them stands here, not in ifs.

The numbers are those of the models' published configurations; `models/families/` holds the configurations themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "models" / "families"


@dataclass(frozen=True, slots=True)
class TextEncoder:
    """A text encoder of a family: the component's names, and how a single-file checkpoint calls its tensors.

    `projection` says that it also gives a pooled embedding of the whole text; `open_clip` that a checkpoint names its
    layers as OpenCLIP does; `pad` is the token that fills a window.
    """

    component: str
    tokenizer: str
    prefix: str
    open_clip: bool = False
    projection: bool = False
    pad: str = "<|endoftext|>"

    @property
    def class_name(self) -> str:
        return "CLIPTextModelWithProjection" if self.projection else "CLIPTextModel"


@dataclass(frozen=True, slots=True)
class Family:
    """One row of the table.

    `base` is the family that LoRAs and ControlNets are made for, `folder` where its configurations are in `FOLDER`.
    `layer` is the text encoder's layer, counted from the end, that the family is trained on: 1 is the last one with its
    norm, 2 the one before without. `added` says what the denoiser is told beside the text: "" nothing, "size" the
    pooled text and the picture's size, "aesthetic" the pooled text, the size and a score. `channels` of the denoiser
    are 4, or 9 where it also sees a mask and a masked picture. `pipelines` are diffusers' classes by mode. `zero_empty`
    says that an empty negative prompt is all zeros, `wide_vae` that the autoencoder overflows in float16.
    """

    name: str
    title: str
    base: str
    folder: str
    native_size: tuple[int, int]
    text_encoders: tuple[TextEncoder, ...]
    pipelines: Mapping[str, str]
    defaults: Mapping[str, Any]
    layer: int = 1
    added: str = ""
    channels: int = 4
    prediction: str = "epsilon"
    zero_empty: bool = False
    wide_vae: bool = False
    latent_rgb: Mapping[str, Any] | None = field(default=None, hash=False)

    @property
    def components(self) -> tuple[str, ...]:
        """The components that have weights."""
        return ("unet", "vae", *(encoder.component for encoder in self.text_encoders))

    @property
    def card(self) -> dict[str, Any]:
        """The card of a model that has none of its own."""
        card = {
            "family": self.name,
            "native_size": list(self.native_size),
            "size_multiple": 8,
            "defaults": dict(self.defaults),
        }
        return {**card, **({"latent_rgb": self.latent_rgb} if self.latent_rgb else {})}


_CLIP = TextEncoder("text_encoder", "tokenizer", "cond_stage_model.transformer.")
_OPEN_CLIP_H = TextEncoder("text_encoder", "tokenizer", "cond_stage_model.model.", open_clip=True, pad="!")
_CLIP_XL = replace(_CLIP, prefix="conditioner.embedders.0.transformer.")
_OPEN_CLIP_G = TextEncoder(
    "text_encoder_2", "tokenizer_2", "conditioner.embedders.1.model.", open_clip=True, projection=True, pad="!"
)

_SD = {
    "text": "StableDiffusionPipeline",
    "image": "StableDiffusionImg2ImgPipeline",
    "inpaint": "StableDiffusionInpaintPipeline",
    "control-text": "StableDiffusionControlNetPipeline",
    "control-image": "StableDiffusionControlNetImg2ImgPipeline",
    "control-inpaint": "StableDiffusionControlNetInpaintPipeline",
}
_SDXL = {mode: name.replace("StableDiffusion", "StableDiffusionXL", 1) for mode, name in _SD.items()}

# SDXL's latents to RGB in 0…1, as its users have fitted them for previews.
_SDXL_RGB = {
    "matrix": [[0.235, 0.235, 0.235], [-0.235, -0.02, 0.039], [0.098, 0.059, -0.02], [-0.275, -0.196, -0.137]],
    "bias": [0.588, 0.549, 0.51],
}

_SD1 = Family(
    name="sd1",
    title="Stable Diffusion 1",
    base="sd1",
    folder="sd1",
    native_size=(512, 512),
    text_encoders=(_CLIP,),
    pipelines=_SD,
    defaults={"sampler": "dpmpp_2m", "steps": 20, "guidance": 7.5},
)
_SD2 = replace(
    _SD1,
    name="sd2",
    title="Stable Diffusion 2",
    base="sd2",
    folder="sd2",
    native_size=(768, 768),
    text_encoders=(_OPEN_CLIP_H,),
    prediction="v_prediction",
)
_XL = Family(
    name="sdxl",
    title="SDXL",
    base="sdxl",
    folder="sdxl",
    native_size=(1024, 1024),
    text_encoders=(_CLIP_XL, _OPEN_CLIP_G),
    pipelines=_SDXL,
    defaults={"sampler": "dpmpp_2m", "steps": 30, "guidance": 6.0},
    layer=2,
    added="size",
    zero_empty=True,
    wide_vae=True,
    latent_rgb=_SDXL_RGB,
)
_REFINER = replace(
    _XL,
    name="sdxl-refiner",
    title="SDXL refiner",
    base="sdxl-refiner",
    folder="sdxl-refiner",
    text_encoders=(replace(_OPEN_CLIP_G, prefix="conditioner.embedders.0.model."),),
    # It was trained on the last fifth of the noise only: it reworks pictures and can't begin one.
    pipelines={mode: _SDXL[mode] for mode in ("image", "inpaint")},
    added="aesthetic",
    zero_empty=False,
)


def _inpainting(family: Family) -> Family:
    """The variant whose denoiser sees the mask and the masked picture: it fills holes and does nothing else."""
    return replace(
        family,
        name=f"{family.name}-inpaint",
        title=f"{family.title}, inpainting",
        native_size=(512, 512) if family.name == "sd2" else family.native_size,
        channels=9,
        prediction="epsilon",
        pipelines={"inpaint": family.pipelines["inpaint"]},
    )


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (_SD1, _inpainting(_SD1), _SD2, _inpainting(_SD2), _XL, _inpainting(_XL), _REFINER)
}

# What a diffusers folder may call itself, and nothing else.
PIPELINES = frozenset(name for family in FAMILIES.values() for name in family.pipelines.values())


def family_of(unet: Mapping[str, Any], encoders: int) -> Family:
    """The family of a diffusers folder by its denoiser's configuration and the number of its text encoders."""
    if unet.get("addition_embed_type") == "text_time":
        name = "sdxl" if encoders == 2 else "sdxl-refiner"
    else:
        second = unet.get("cross_attention_dim") == 1024 or unet.get("use_linear_projection")
        name = "sd2" if second else "sd1"
    inpainting = f"{name}-inpaint"
    return FAMILIES[inpainting if unet.get("in_channels", 4) == 9 and inpainting in FAMILIES else name]
