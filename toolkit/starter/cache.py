"""Keeps encoded scenes ready for the denoiser: a ring that grows while training goes on, so few are seen often."""

import random
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny

from toolkit.engine.tiling import tiled
from toolkit.starter.autoencoder import to_tensor
from toolkit.starter.families import FAMILIES, Subject, choose_family, say
from toolkit.starter.rendering import TRAIN_SEED, on_all_cores
from toolkit.starter.stage import save_atomically, taking_up


def encode(vae: AutoencoderTiny, pictures: np.ndarray) -> torch.Tensor:
    """Latents (n, 4, 32, 32) in float16 of uint8 pictures (n, 256, 256, 3)."""
    device = next(vae.parameters()).device
    found = []
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        for start in range(0, len(pictures), 32):
            pixels = to_tensor(pictures[start : start + 32]).to(device, memory_format=torch.channels_last)
            found.append(vae.encoder(pixels).to("cpu", torch.float16))
    return torch.cat(found)


def _render(family: str, seed: int) -> tuple[Subject, np.ndarray]:
    rng = random.Random(seed)
    subject = FAMILIES[family].sample(rng)
    return subject, FAMILIES[family].draw(subject, rng)


class LatentCache:
    """Subjects and their latents (4, 32, 32), each family's apart: most room for those that are shown most."""

    def __init__(self, vae: AutoencoderTiny, room: int):
        self.vae = vae
        self.room = {name: max(64, int(room * family.share)) for name, family in FAMILIES.items()}
        self.latents = {name: torch.empty(count, 4, 32, 32, dtype=torch.float16) for name, count in self.room.items()}
        self.subjects: dict[str, list[Subject]] = {name: [] for name in FAMILIES}
        self.drawn = 0

    def fill(self, count: int) -> None:
        """Draws `count` subjects on all cores, of each family as many as its share."""
        for family, kind in FAMILIES.items():
            seeds = range(TRAIN_SEED + self.drawn, TRAIN_SEED + self.drawn + int(count * kind.share))
            self._add(family, on_all_cores(partial(_render, family), seeds))

    def refresh(self, count: int) -> None:
        """Draws a few subjects right here, between two steps."""
        family = choose_family(random.Random(self.drawn))
        self._add(family, [_render(family, TRAIN_SEED + self.drawn + index) for index in range(count)])

    def _add(self, family: str, drawn: list[tuple[Subject, np.ndarray]]) -> None:
        kept = self.subjects[family]
        # A pattern's latents wrap around as its picture does.
        with tiled(self.vae.encoder, "xy" if family == "pattern" else ""):
            latents = encode(self.vae, np.stack([pixels for _, pixels in drawn]))
        for (subject, _), latent in zip(drawn, latents, strict=True):
            index = len(kept)
            if index < self.room[family]:
                kept.append(subject)
            else:
                index = random.randrange(self.room[family])
                kept[index] = subject
            self.latents[family][index] = latent
        self.drawn += len(drawn)

    def batch(
        self, count: int, rng: random.Random, more: Mapping[str, float] | None = None
    ) -> tuple[torch.Tensor, list[str]]:
        """`count` latents in float32 and a fresh caption for each.

        `more` names the families to be shown beyond their shares, and in which part of the scenes, 0..1 in all.
        """
        more = more or {}
        usual = 1 - sum(more.values())
        kinds = rng.choices((None, *more), (usual, *more.values()), k=count)
        return self._taken([kind or choose_family(rng) for kind in kinds], rng)

    def tiles(self, count: int, rng: random.Random) -> tuple[torch.Tensor, list[str]]:
        """`count` patterns as `batch` gives them, each rolled around its borders by a random distance."""
        latents, captions = self._taken(["pattern"] * count, rng)
        rolled = [torch.roll(one, (rng.randrange(32), rng.randrange(32)), (1, 2)) for one in latents]
        return torch.stack(rolled), captions

    def _taken(self, names: list[str], rng: random.Random) -> tuple[torch.Tensor, list[str]]:
        picks = [(name, rng.randrange(len(self.subjects[name]))) for name in names]
        latents = torch.stack([self.latents[name][index] for name, index in picks]).float()
        return latents, [say(name, self.subjects[name][index], rng)[0] for name, index in picks]

    def save(self, path: Path) -> None:
        """Keeps the cache for a restart."""
        kept = {name: self.latents[name][: len(subjects)].clone() for name, subjects in self.subjects.items()}
        save_atomically({"latents": kept, "subjects": self.subjects, "drawn": self.drawn}, path)

    def load(self, path: Path) -> None:
        """Takes up a kept cache."""
        with taking_up(path, weights_only=False, otherwise="Make it anew with `--stage scenes`.") as state:
            self.subjects, self.drawn = state["subjects"], state["drawn"]
            for name, latents in state["latents"].items():
                self.latents[name][: len(latents)] = latents
