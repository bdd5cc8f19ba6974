"""Scores the upscalers against Lanczos on held-out scenes and textures."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from spandrel import ImageModelDescriptor, ModelLoader

from toolkit.starter.paths import ROOT
from toolkit.starter.rendering import EVALUATION_SEED
from toolkit.starter.score import Score, mean_interval, write_sheet
from toolkit.starter.textures import HELD_SEED, draw_textures
from toolkit.starter.upscaler import SMALL, draw_large, reduce

UPSCALERS = ROOT / "models" / "upscalers"
SCALES = (2, 4)


def upscaler_path(scale: int, folder: Path = UPSCALERS) -> Path:
    """Where the upscaler of a factor lies."""
    return folder / f"limner-starter-x{scale}.safetensors"


def load_upscaler(path: Path) -> ImageModelDescriptor:
    """The upscaler as spandrel recognises it."""
    return ModelLoader(device="cpu").load_from_file(path).eval()


def enlarge(model: ImageModelDescriptor, picture: np.ndarray) -> np.ndarray:
    """A uint8 picture enlarged by the model."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        large = model(pixels)[0].clamp(0, 1)
    return (large * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def decibels(picture: np.ndarray, truth: np.ndarray) -> float:
    """PSNR of two uint8 pictures; at most 60 dB, which nobody can see beyond."""
    error = np.square(picture.astype(np.float64) - truth).mean()
    return float(min(60.0, 10 * np.log10(255**2 / max(error, 1e-9))))


def gains(model: ImageModelDescriptor, large: np.ndarray) -> tuple[list[float], list[float], list[list[np.ndarray]]]:
    """For each large picture reduced and enlarged again: how much the model wins over Lanczos in dB, its PSNR, and
    the pictures (reduced, Lanczos, model, truth)."""
    won, reached, shown = [], [], []
    for truth in large:
        small = reduce(truth, Image.Resampling.BICUBIC)
        side = (truth.shape[1], truth.shape[0])
        lanczos = np.asarray(Image.fromarray(small).resize(side, Image.Resampling.LANCZOS))
        drawn = enlarge(model, small)
        reached.append(decibels(drawn, truth))
        won.append(reached[-1] - decibels(lanczos, truth))
        if len(shown) < 6:
            shown.append([small, lanczos, drawn, truth])
    return won, reached, shown


def _detail(row: list[np.ndarray]) -> list[np.ndarray]:
    """The same 64 pixels of the reduced picture, a busy part, in each version, enlarged without smoothing."""
    small = row[0]
    places = [(y, x) for y in range(0, SMALL - 63, 16) for x in range(0, SMALL - 63, 16)]
    y, x = max(places, key=lambda at: small[at[0] : at[0] + 64, at[1] : at[1] + 64].std((0, 1)).sum())
    parts = []
    for picture in row:
        scale = len(picture) // SMALL
        part = Image.fromarray(picture[y * scale : (y + 64) * scale, x * scale : (x + 64) * scale])
        parts.append(np.asarray(part.resize((256, 256), Image.Resampling.NEAREST)))
    return parts


def evaluate_upscaler(folder: Path = UPSCALERS, quick: bool = False, sheet: Path | None = None) -> Score:
    """The mean gain over Lanczos in dB at x2 on scenes; the same at x4 and on textures in the details."""
    details: dict[str, float] = {}
    rows: list[list[np.ndarray]] = []
    for scale in SCALES:
        path = upscaler_path(scale, folder)
        if not path.exists():
            continue
        model, count = load_upscaler(path), 12 if quick else (100 if scale == 2 else 40)
        scenes = draw_large(EVALUATION_SEED + 6_000_000, count, scale, held=True)
        won, reached, shown = gains(model, scenes)
        rough, rough_reached, rough_shown = gains(model, draw_textures(HELD_SEED, count // 2, SMALL * scale))
        if scale == SCALES[0]:
            first = won
        details |= {
            f"x{scale}_gain_db": round(float(np.mean(won)), 2),
            f"x{scale}_psnr": round(float(np.mean(reached)), 2),
            f"x{scale}_texture_gain_db": round(float(np.mean(rough)), 2),
            f"x{scale}_texture_psnr": round(float(np.mean(rough_reached)), 2),
        }
        rows += [_detail(row) for row in (*shown[:2], rough_shown[0], rough_shown[3])]
    if sheet:
        write_sheet(rows, ["reduced", "Lanczos", "this model", "truth"], sheet, 160)
    return Score({"gain_db": round(float(np.mean(first)), 2)}, {"gain_db": mean_interval(first)}, details)
