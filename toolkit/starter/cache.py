"""Keeps encoded scenes ready for the denoiser: a ring that grows while training goes on, so few are seen often."""

import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny

from toolkit.starter.autoencoder import to_tensor
from toolkit.starter.captions import caption
from toolkit.starter.drawing import draw_scene
from toolkit.starter.rendering import TRAIN_SEED, render_scenes
from toolkit.starter.world import Scene, sample_scene


def encode(vae: AutoencoderTiny, pictures: np.ndarray) -> torch.Tensor:
    """Latents (n, 4, 32, 32) in float16 of uint8 pictures (n, 256, 256, 3)."""
    device = next(vae.parameters()).device
    found = []
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        for start in range(0, len(pictures), 32):
            pixels = to_tensor(pictures[start : start + 32]).to(device, memory_format=torch.channels_last)
            found.append(vae.encoder(pixels).to("cpu", torch.float16))
    return torch.cat(found)


class LatentCache:
    """Scenes and their latents, simple ones (one flat thing on plain) apart from the whole world's."""

    def __init__(self, vae: AutoencoderTiny, room: int):
        self.vae, self.room = vae, room
        self.latents = {simple: torch.empty(room, 4, 32, 32, dtype=torch.float16) for simple in (True, False)}
        self.scenes: dict[bool, list[Scene]] = {True: [], False: []}
        self.drawn = 0

    def fill(self, count: int, simple: bool) -> None:
        """Draws `count` scenes on all cores."""
        scenes, pictures = render_scenes(TRAIN_SEED + self.drawn, count, simple=simple)
        self._add(scenes, encode(self.vae, pictures), simple)

    def refresh(self, count: int, simple: bool = False) -> None:
        """Draws a few scenes right here, between two steps."""
        scenes, pictures = [], []
        for seed in range(TRAIN_SEED + self.drawn, TRAIN_SEED + self.drawn + count):
            rng = random.Random(seed)
            scenes.append(sample_scene(rng, simple=simple))
            pictures.append(draw_scene(scenes[-1], rng))
        self._add(scenes, encode(self.vae, np.stack(pictures)), simple)

    def _add(self, scenes: list[Scene], latents: torch.Tensor, simple: bool) -> None:
        kept = self.scenes[simple]
        for scene, latent in zip(scenes, latents, strict=True):
            if len(kept) < self.room:
                kept.append(scene)
                index = len(kept) - 1
            else:
                index = random.randrange(self.room)
                kept[index] = scene
            self.latents[simple][index] = latent
        self.drawn += len(scenes)

    def batch(self, count: int, simple_part: float, rng: random.Random) -> tuple[torch.Tensor, list[str]]:
        """`count` latents in float32 and a fresh caption for each."""
        picks = [(simple := rng.random() < simple_part, rng.randrange(len(self.scenes[simple]))) for _ in range(count)]
        latents = torch.stack([self.latents[simple][index] for simple, index in picks]).float()
        return latents, [caption(self.scenes[simple][index], rng)[0] for simple, index in picks]

    def save(self, path: Path) -> None:
        """Keeps the cache for a restart."""
        kept = {simple: self.latents[simple][: len(self.scenes[simple])].clone() for simple in (True, False)}
        torch.save({"latents": kept, "scenes": self.scenes, "drawn": self.drawn}, path)

    def load(self, path: Path) -> None:
        """Takes up a kept cache."""
        state = torch.load(path, weights_only=False)
        self.scenes, self.drawn = state["scenes"], state["drawn"]
        for simple, latents in state["latents"].items():
            self.latents[simple][: len(latents)] = latents
