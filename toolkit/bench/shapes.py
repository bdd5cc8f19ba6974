"""Denoisers with random weights, in the shapes that are measured: what a call costs does not depend on the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from toolkit.samplers import find_sampler, scheduler_options

_FAMILIES = Path(__file__).resolve().parents[2] / "models" / "families"
# As small as a UNet with every kind of block can be: a call is bound by its overhead, as a large one is on a GPU.
_TINY = {
    "sample_size": 16, "layers_per_block": 1, "block_out_channels": (32, 64), "cross_attention_dim": 32,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 8, "attention_head_dim": 8,
}  # fmt: skip
_NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


@dataclass(frozen=True)
class Sketch:
    """What one job of a benchmark draws; no two of a set are alike."""

    sampler: str
    steps: int
    guidance: float
    windows: int  # of 77 tokens each
    seed: int


EIGHT = (
    Sketch("euler", 20, 7.5, 1, 1), Sketch("dpmpp_2m", 18, 5.0, 1, 2), Sketch("ddim", 20, 4.0, 2, 3),
    Sketch("euler_a", 22, 6.0, 1, 4), Sketch("unipc", 16, 7.0, 1, 5), Sketch("euler", 20, 3.0, 2, 6),
    Sketch("dpmpp_2m", 20, 8.0, 1, 7), Sketch("ddim", 24, 5.5, 1, 8),
)  # fmt: skip


class Shape:
    """A denoiser of a family's size ("tiny", "sd1", "sdxl") with random weights, and pipelines around it."""

    def __init__(self, name: str, device: torch.device, dtype: torch.dtype) -> None:
        self.name, self.device, self.dtype = name, device, dtype
        torch.manual_seed(0)
        config = _TINY if name == "tiny" else json.loads((_FAMILIES / name / "unet" / "config.json").read_text())
        with torch.device(device):
            self.unet = UNet2DConditionModel.from_config(config).to(dtype).eval().requires_grad_(False)
            self.vae = AutoencoderKL(
                block_out_channels=(8, 8, 8, 16), norm_num_groups=8, latent_channels=4,
                down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            ).eval()  # fmt: skip
        self.pixels = {"tiny": 128, "sd1": 512, "sdxl": 1024}[name]

    def draw(self, unet: Any, sketch: Sketch) -> torch.Tensor:
        """Latents of a sketch by diffusers' own pipeline; `unet` is the bare denoiser, or a seat at it."""
        sampler, _ = find_sampler(sketch.sampler)
        kind = getattr(diffusers, sampler.scheduler)
        scheduler = kind.from_config({**_NOISE, "clip_sample": False}, **scheduler_options(sampler, "normal"))
        large = self.name == "sdxl"
        kind = diffusers.StableDiffusionXLPipeline if large else diffusers.StableDiffusionPipeline
        parts = {"text_encoder_2": None, "tokenizer_2": None} if large else {
            "safety_checker": None, "feature_extractor": None, "requires_safety_checker": False,
        }  # fmt: skip
        pipeline = kind(vae=self.vae, text_encoder=None, tokenizer=None, unet=unet, scheduler=scheduler, **parts)
        pipeline.set_progress_bar_config(disable=True)
        chance = torch.Generator().manual_seed(sketch.seed)
        channels, dtype = self.unet.config.cross_attention_dim, unet.dtype
        made = {
            name: torch.randn(1, 77 * sketch.windows, channels, generator=chance).to(self.device, dtype)
            for name in ("prompt_embeds", "negative_prompt_embeds")
        }
        if large:
            for name in ("pooled_prompt_embeds", "negative_pooled_prompt_embeds"):
                made[name] = torch.randn(1, 1280, generator=chance).to(self.device, dtype)
        return pipeline(
            **made, height=self.pixels, width=self.pixels, num_inference_steps=sketch.steps,
            guidance_scale=sketch.guidance, generator=chance, output_type="latent",
        ).images  # fmt: skip
