"""A small classifier that says which thing a picture shows, trained on drawn scenes of its own seeds."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from toolkit.starter.measure import HALVES, WHOLE
from toolkit.starter.paths import JUDGE
from toolkit.starter.rendering import JUDGE_SEED, render_scenes
from toolkit.starter.world import THINGS

SIDE = 64


class Judge(torch.nn.Module):
    """Takes pixels (n, 3, 64, 64) in 0..1, gives a score for each thing (n, things). About 90 k parameters."""

    def __init__(self):
        super().__init__()
        layers, before = [], 3
        for width in (24, 48, 64, 64):
            layers += [torch.nn.Conv2d(before, width, 3, 2, 1), torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
            before = width
        self.features = torch.nn.Sequential(*layers)
        self.head = torch.nn.Linear(64 * 16, len(THINGS))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Scores of a batch."""
        return self.head(self.features(pixels - 0.5).flatten(1))


def crop(picture: np.ndarray, window: tuple[slice, slice]) -> torch.Tensor:
    """The window of a uint8 picture (256, 256, 3) as (3, 64, 64) in 0..1."""
    pixels = torch.from_numpy(np.array(picture[window])).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(pixels, (SIDE, SIDE), mode="area")[0]


def _examples(first: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels = [], []
    scenes, pictures = render_scenes(first, count, held=None)
    for scene, picture in zip(scenes, pictures, strict=True):
        windows = HALVES if len(scene.things) == 2 else (WHOLE,)
        for thing, window in zip(scene.things, windows, strict=True):
            pixels.append(crop(picture, window))
            labels.append(THINGS.index(thing.kind))
    return torch.stack(pixels), torch.tensor(labels)


def train_judge(scenes: int = 9000, epochs: int = 10, batch: int = 64) -> tuple[Judge, float]:
    """Trains the judge, writes its weights beside this file, and returns it with its accuracy on fresh drawings."""
    torch.manual_seed(0)
    pixels, labels = _examples(JUDGE_SEED, scenes)
    model, rng = Judge(), random.Random(0)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    total = epochs * (len(pixels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total)
    for step in range(total):
        picks = torch.tensor(rng.sample(range(len(pixels)), batch))
        shown = pixels[picks] + torch.randn(batch, 3, SIDE, SIDE) * 0.03 * rng.random()
        shift = (rng.randint(-3, 3), rng.randint(-3, 3))
        loss = F.cross_entropy(model(shown.roll(shift, (2, 3))), labels[picks], label_smoothing=0.02)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 200 == 0:
            print(f"judge {step}/{total}  loss {loss.item():.3f}", flush=True)
    model.eval()
    fresh, answers = _examples(JUDGE_SEED + 50_000_000, 1000)
    with torch.no_grad():
        right = (torch.cat([model(part) for part in fresh.split(256)]).argmax(-1) == answers).float().mean().item()
    save_file({name: _cast(value, torch.float16) for name, value in model.state_dict().items()}, JUDGE)
    return model, right


def _cast(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return value.to(dtype) if value.is_floating_point() else value


def load_judge() -> Judge:
    """The shipped judge."""
    model = Judge()
    model.load_state_dict({name: _cast(value, torch.float32) for name, value in load_file(JUDGE).items()})
    return model.eval()


def judge_things(model: Judge, pictures: list[np.ndarray], windows: list[tuple[slice, slice]]) -> list[str]:
    """The likeliest thing in each picture's window."""
    with torch.no_grad():
        scores = model(torch.stack([crop(picture, window) for picture, window in zip(pictures, windows, strict=True)]))
    return [THINGS[index] for index in scores.argmax(-1).tolist()]
