"""Scores the autoencoder on held-out scenes, and on textures such as photographs have."""

from pathlib import Path

import numpy as np
from diffusers import AutoencoderTiny

from toolkit.starter.autoencoder import psnr
from toolkit.starter.evaluate import held_out_scenes
from toolkit.starter.score import Score, mean_interval, write_sheet
from toolkit.starter.textures import HELD_SEED, TEXTURES, draw_textures
from toolkit.starter.upscaler import soften


def evaluate_vae(folder: Path, quick: bool = False, sheet: Path | None = None) -> Score:
    """The mean PSNR in dB after encoding and decoding: of scenes, of textures, and in the details of each kind."""
    vae = AutoencoderTiny.from_pretrained(folder, subfolder="vae").eval()
    scenes, textures = held_out_scenes(quick), draw_textures(HELD_SEED, 16 if quick else 120)
    clean, rough = (psnr(vae, pictures).numpy() for pictures in (scenes, textures))
    kinds = {f"{kind}_psnr": round(float(np.mean(rough[i :: len(TEXTURES)])), 2) for i, kind in enumerate(TEXTURES)}
    if sheet:
        shown = np.concatenate([scenes[:3], textures[: len(TEXTURES)]])
        write_sheet([list(shown), list(soften(shown, vae))], [], sheet)
    return Score(
        {"psnr": round(float(np.mean(clean)), 2), "texture_psnr": round(float(np.mean(rough)), 2)},
        {"psnr": mean_interval(clean), "texture_psnr": mean_interval(rough)},
        kinds,
    )
