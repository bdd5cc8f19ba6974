"""Trains a small CLIPModel on drawn scenes against captions that are one word wrong.

The text tower starts as the base's text encoder. While it trains, linear heads read every detail of a scene from the
image's embedding, which teaches the image tower to see much sooner than captions alone; then they are thrown away.
"""

import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import CLIPConfig, CLIPModel, CLIPTextModel, CLIPTokenizer

from toolkit.starter.captions import slots
from toolkit.starter.drawing import draw_scene
from toolkit.starter.families import CHOICES, THING_SLOTS
from toolkit.starter.near_misses import near_misses, say
from toolkit.starter.paths import FOLDER
from toolkit.starter.stage import Budget, device_and_dtype, save_atomically, taking_up
from toolkit.starter.world import Scene, sample_scene

CLIP_SEED = 700_000_000
SIDE, PATCH, WIDTH = 64, 8, 160
BATCH, MISSES, REFRESH = 64, 4, 8
PEAK_RATE, WARM_UP, SAVE_EVERY = 1.2e-3, 200, 250


def build_clip() -> CLIPModel:
    """A CLIPModel with an untrained image tower for 64 x 64 pixels and the base's text encoder. 1.5 M parameters."""
    torch.manual_seed(0)
    encoder = CLIPTextModel.from_pretrained(FOLDER / "text_encoder")
    config = CLIPConfig(
        text_config=encoder.config.to_dict(),
        vision_config={
            "hidden_size": WIDTH, "intermediate_size": 3 * WIDTH, "num_hidden_layers": 4, "num_attention_heads": 5,
            "image_size": SIDE, "patch_size": PATCH, "projection_dim": encoder.config.projection_dim,
        },
        projection_dim=encoder.config.projection_dim,
    )  # fmt: skip
    # On a CPU the fused attention's backward is slow at these sizes.
    config._attn_implementation = "eager"
    model = CLIPModel(config)
    model.text_model.load_state_dict(encoder.state_dict())
    return model


def shrink(picture: np.ndarray) -> np.ndarray:
    """A uint8 picture as the model's processor reduces it: (64, 64, 3)."""
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _draw(seed: int) -> tuple[Scene, np.ndarray]:
    rng = random.Random(seed)
    scene = sample_scene(rng)
    return scene, shrink(draw_scene(scene, rng))


class Album:
    """Small pictures of scenes, none of a held-out combination, some exchanged for new ones at every step."""

    def __init__(self, count: int, first: int):
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(_draw, range(first, first + count), chunksize=128))
        self.scenes = [scene for scene, _ in found]
        self.pixels = np.stack([pixels for _, pixels in found])
        self.next = first + count

    def refresh(self, count: int, rng: random.Random) -> None:
        """Draws a few scenes in place of others."""
        for _ in range(count):
            index = rng.randrange(len(self.scenes))
            self.scenes[index], self.pixels[index] = _draw(self.next)
            self.next += 1

    def batch(self, rng: random.Random) -> tuple[torch.Tensor, list[Scene]]:
        """Pictures (n, 3, 64, 64) in -1..1, shifted, softened and made noisy a little at random, and their scenes."""
        picks = [rng.randrange(len(self.scenes)) for _ in range(BATCH)]
        pixels = torch.from_numpy(self.pixels[picks]).permute(0, 3, 1, 2).float() / 127.5 - 1
        down, across = rng.randint(0, 4), rng.randint(0, 4)
        pixels = F.pad(pixels, (2, 2, 2, 2), mode="replicate")[:, :, down : down + SIDE, across : across + SIDE]
        soft = F.avg_pool2d(F.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, 1)
        pixels = torch.lerp(pixels, soft, torch.rand(BATCH, 1, 1, 1) * 0.6)
        pixels = pixels + torch.randn_like(pixels) * torch.rand(BATCH, 1, 1, 1) * 0.03
        return pixels + torch.randn(BATCH, 3, 1, 1) * 0.01, [self.scenes[pick] for pick in picks]


def with_misses(scene: Scene, rng: random.Random) -> list[str]:
    """A caption of the scene and MISSES near misses of it; a caption too short for so many is said in other words."""
    while True:
        text = say(scene, rng)
        misses = near_misses(text, scene, rng, MISSES, seen=True)
        if len(misses) == MISSES:
            return [text, *misses]


class _Heads(torch.nn.Module):
    """Reads each detail of a scene from the image tower's pooled output."""

    def __init__(self):
        super().__init__()
        self.read = torch.nn.ModuleDict({slot: torch.nn.Linear(WIDTH, len(CHOICES[slot])) for slot in THING_SLOTS})

    def loss(self, pooled: torch.Tensor, scenes: list[Scene]) -> torch.Tensor:
        """The sum of all details' cross-entropies."""
        said = [slots(scene) for scene in scenes]
        return sum(
            F.cross_entropy(
                head(pooled), torch.tensor([CHOICES[slot].index(one[slot]) for one in said], device=pooled.device)
            )
            for slot, head in self.read.items()
        )


class ClipTraining:
    """The state of the training: towers, heads, optimizer, clock."""

    def __init__(self, work: Path, minutes: float):
        self.saved = work / "clip.pt"
        self.device, self.dtype = device_and_dtype()
        self.tokenizer = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer")
        self.model, self.heads = build_clip().to(self.device), _Heads().to(self.device)
        weights = [*self.model.parameters(), *self.heads.parameters()]
        self.optimizer = torch.optim.AdamW(weights, PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.02, fused=True)
        clock = time.monotonic if self.device.type == "cuda" else time.thread_time
        self.budget, self.rng = Budget(minutes * 60, "clip", clock), random.Random(0)

    def resume(self) -> None:
        """Takes up a saved state, if there is one."""
        if self.saved.exists():
            with taking_up(self.saved, self.device) as state:
                for name in ("model", "heads", "optimizer"):
                    getattr(self, name).load_state_dict(state[name])
            self.budget.load(state["budget"])
            self.rng.seed(self.budget.step)
            torch.manual_seed(self.budget.step)

    def save(self) -> None:
        """Writes the state."""
        state = {name: getattr(self, name).state_dict() for name in ("model", "heads", "optimizer")}
        save_atomically(state | {"budget": self.budget.state()}, self.saved)

    def _texts(self, scenes: list[Scene]) -> torch.Tensor:
        """Token ids: for each scene its caption and then its near misses."""
        texts = [text for scene in scenes for text in with_misses(scene, self.rng)]
        return self.tokenizer(texts, padding=True, return_tensors="pt").input_ids

    def step(self, album: Album) -> tuple[float, float]:
        """One optimizer step; the share of pictures that know their caption among near misses, and all read details."""
        pixels, scenes = album.batch(self.rng)
        ids = self._texts(scenes).to(self.device)
        with torch.autocast(self.device.type, self.dtype):
            seen = self.model.vision_model(pixel_values=pixels.to(self.device)).pooler_output
            image = self.model.visual_projection(seen)
            text = self.model.text_projection(self.model.text_model(input_ids=ids).pooler_output)
        image, text = F.normalize(image.float(), dim=-1), F.normalize(text.float(), dim=-1)
        text = text.unflatten(0, (BATCH, MISSES + 1))
        scale = self.model.logit_scale.clamp(max=4.6).exp()
        near = scale * torch.einsum("nd,nkd->nk", image, text)
        across = scale * image @ text[:, 0].T
        own = torch.arange(BATCH, device=self.device)
        # The own caption stands in `near` already.
        others = across.masked_fill(torch.eye(BATCH, dtype=torch.bool, device=self.device), float("-inf"))
        read = self.heads.loss(seen.float(), scenes)
        by_image = F.cross_entropy(torch.cat([near, others], 1), torch.zeros_like(own))
        (by_image + 0.5 * F.cross_entropy(across.T, own) + 0.3 * read).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate(PEAK_RATE, WARM_UP)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return (near.argmax(-1) == 0).float().mean().item(), read.item()


def train_clip(work: Path, minutes: float, resume: bool, scenes: int = 24000) -> CLIPModel:
    """Trains for `minutes`; `work`/clip.pt keeps the state."""
    training = ClipTraining(work, minutes)
    if resume:
        training.resume()
    album = Album(scenes, CLIP_SEED + training.budget.step * REFRESH)
    training.budget.pause()
    marks: list[tuple[float, float]] = []
    while training.budget.tick():
        album.refresh(REFRESH, training.rng)
        marks = [*marks[-99:], training.step(album)]
        right, read = (sum(values) / len(marks) for values in zip(*marks, strict=True))
        training.budget.show(f"{right:.1%} right of {MISSES + 1}, details {read:.3f}", every=20)
        if training.budget.step % SAVE_EVERY == 0:
            training.save()
    training.save()
    return training.model
