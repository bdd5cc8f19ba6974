"""A small classifier that says in which look a picture is and which thing it shows, trained on drawings only."""

import random
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from toolkit.starter.drawing import draw_scene
from toolkit.starter.judge import SIDE, Judge, crop
from toolkit.starter.looks import LOOKS, draw_look
from toolkit.starter.measure import HALVES, WHOLE
from toolkit.starter.rendering import JUDGE_SEED, on_all_cores
from toolkit.starter.world import STYLES, THINGS, sample_scene

WEIGHTS = Path(__file__).with_name("look_judge.safetensors")
FIRST = JUDGE_SEED + 20_000_000
CLASSES = (*STYLES, *LOOKS)


class LookJudge(Judge):
    """Takes pixels (n, 3, 64, 64) in 0..1, gives a score for each look (n, looks) and each thing (n, things)."""

    def __init__(self):
        super().__init__()
        self.look = torch.nn.Linear(64 * 2, len(CLASSES))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of a batch: looks from the features' mean and spread over the picture, things from where they are."""
        features = self.features(pixels - 0.5)
        spread = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        return self.look(spread), self.head(features.flatten(1))


def _example(seed: int) -> tuple[np.ndarray, int, int]:
    """Pixels (3, 64, 64) of a scene's first thing, the look's and the thing's number; any combination of words."""
    rng = random.Random(seed)
    look = CLASSES[seed % len(CLASSES)]
    scene = sample_scene(rng, held=None)
    while look in STYLES and scene.style != look:
        scene = sample_scene(rng, held=None)
    picture = draw_scene(scene, rng) if look in STYLES else draw_look(look, scene, rng)
    window = HALVES[0] if len(scene.things) == 2 else WHOLE
    return crop(picture, window).numpy(), CLASSES.index(look), THINGS.index(scene.things[0].kind)


def _examples(first: int, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    pixels, looks, things = zip(*on_all_cores(partial(_example), range(first, first + count)), strict=True)
    return torch.from_numpy(np.stack(pixels)), torch.tensor(looks), torch.tensor(things)


def _blurred(pixels: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Softened, noisy and moved a little, as a denoiser's pictures are."""
    small = F.interpolate(F.avg_pool2d(pixels, 2), (SIDE, SIDE), mode="bilinear")
    pixels = torch.lerp(pixels, small, rng.random())
    return (pixels + torch.randn_like(pixels) * 0.05 * rng.random()).roll(
        (rng.randint(-3, 3), rng.randint(-3, 3)), (2, 3)
    )


def train_look_judge(count: int = 10000, epochs: int = 10, batch: int = 64) -> tuple[float, float]:
    """Trains the judge, writes its weights beside this file; gives the shares right on fresh drawings: look, thing."""
    torch.manual_seed(0)
    pixels, looks, things = _examples(FIRST, count)
    model, rng = LookJudge(), random.Random(0)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    total = epochs * (count // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total)
    for step in range(total):
        picks = torch.tensor(rng.sample(range(count), batch))
        look, thing = model(_blurred(pixels[picks], rng))
        loss = F.cross_entropy(look, looks[picks]) + F.cross_entropy(thing, things[picks], label_smoothing=0.02)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 200 == 0:
            print(f"look judge {step}/{total}  loss {loss.item():.3f}", flush=True)
    model.eval()
    pixels, looks, things = _examples(FIRST + 10_000_000, 1000)
    with torch.no_grad():
        look, thing = model(pixels)
    state = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    save_file(state, WEIGHTS)
    return tuple((found.argmax(-1) == true).float().mean().item() for found, true in ((look, looks), (thing, things)))


def judge_looks(pictures: list[np.ndarray]) -> list[tuple[str, str]]:
    """The likeliest look and thing of each picture of one thing."""
    model = LookJudge()
    model.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    with torch.no_grad():
        look, thing = model.eval()(torch.stack([crop(picture, WHOLE) for picture in pictures]))
    return [(CLASSES[a], THINGS[b]) for a, b in zip(look.argmax(-1).tolist(), thing.argmax(-1).tolist(), strict=True)]
