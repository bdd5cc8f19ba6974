"""Trains the upscalers x2 and x4 on scenes and textures drawn large and reduced, as files that spandrel knows."""

import copy
import random
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from spandrel.architectures.Compact import Compact

from toolkit.starter.autoencoder import to_tensor
from toolkit.starter.drawing import draw_scene
from toolkit.starter.paths import FOLDER
from toolkit.starter.stage import Budget, device_and_dtype, save_atomically, taking_up
from toolkit.starter.textures import TEXTURE_SEED, draw_textures
from toolkit.starter.world import sample_scene

UPSCALER_SEED = 600_000_000
SMALL = 256
FEATURES, LAYERS = 32, 6
BATCH, CROP, BORDER = 16, 44, 7
PEAK_RATE, WARM_UP, SAVE_EVERY = 1.5e-3, 50, 200
FILTERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def draw_large(first: int, count: int, scale: int, **options) -> np.ndarray:
    """Scenes of the seeds from `first` on, at `scale` times the starter's size; `options` go to `sample_scene`."""
    pictures = []
    for seed in range(first, first + count):
        rng = random.Random(seed)
        pictures.append(draw_scene(sample_scene(rng, **options), rng, SMALL * scale))
    return np.stack(pictures)


def reduce(picture: np.ndarray, method: Image.Resampling) -> np.ndarray:
    """A large picture at the starter's size."""
    return np.asarray(Image.fromarray(picture).resize((SMALL, SMALL), method))


def soften(pictures: np.ndarray, vae: AutoencoderTiny) -> np.ndarray:
    """The pictures as the starter's decoder draws them: a little soft at edges, a little mottled in plain areas."""
    found = []
    with torch.no_grad():
        for start in range(0, len(pictures), 8):
            decoded = vae.decode(vae.encode(to_tensor(pictures[start : start + 8])).latents).sample
            found.append(((decoded.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(found)


class Pairs:
    """Small and large pictures to crop from: scenes, half of them softened by the autoencoder, and textures."""

    def __init__(self, scale: int, scenes: int, textures: int, vae: AutoencoderTiny):
        self.scale = scale
        drawn = draw_large(UPSCALER_SEED + 1_000_000 * scale, scenes, scale)
        rough = draw_textures(TEXTURE_SEED + 1_000_000 * scale, textures, SMALL * scale)
        self.large = [*drawn, *rough]
        small = [reduce(picture, FILTERS[index // 2 % len(FILTERS)]) for index, picture in enumerate(self.large)]
        small[:scenes:2] = list(soften(np.stack(small[:scenes:2]), vae))
        self.small, self.scenes = small, scenes

    def _crop(self, rng: random.Random) -> tuple[int, int, int]:
        """Which picture and where, quite often at its edge; of two places in a scene the busier one."""
        index = rng.randrange(self.scenes) if rng.random() < 0.75 else rng.randrange(self.scenes, len(self.small))
        last = SMALL - CROP
        places = [[min(last, max(0, rng.randint(-CROP // 3, last + CROP // 3))) for _ in range(2)] for _ in range(2)]

        def busy(place: list[int]) -> float:
            return self.small[index][place[0] : place[0] + CROP : 4, place[1] : place[1] + CROP : 4].std()

        return index, *max(places, key=busy)

    def batch(self, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Crops of both sizes as floats in 0..1, and 1 where the large one counts; all turned and mirrored at random.

        A crop's border, beyond which the network sees zeros, counts only where it is the picture's. Some small crops
        have a little noise.
        """
        parts: tuple[list[np.ndarray], ...] = ([], [], [])
        for index, y, x in (self._crop(rng) for _ in range(BATCH)):
            turns, mirror, scale = rng.randrange(4), rng.choice((1, -1)), self.scale
            small = self.small[index][y : y + CROP, x : x + CROP]
            large = self.large[index][y * scale : (y + CROP) * scale, x * scale : (x + CROP) * scale]
            counts = np.zeros((CROP * scale, CROP * scale, 1), np.uint8)
            low = [BORDER * scale if at > 0 else 0 for at in (y, x)]
            high = [CROP * scale - (BORDER * scale if at < SMALL - CROP else 0) for at in (y, x)]
            counts[low[0] : high[0], low[1] : high[1]] = 255
            for part, pixels in zip(parts, (small, large, counts), strict=True):
                part.append(np.rot90(pixels, turns)[:, ::mirror])
        inputs, targets, mask = (torch.from_numpy(np.stack(p)).permute(0, 3, 1, 2).float() / 255 for p in parts)
        noise = torch.rand(BATCH, 1, 1, 1) * (torch.rand(BATCH, 1, 1, 1) < 0.3) * 1.5 / 255
        return inputs + torch.randn_like(inputs) * noise, targets, mask


def _curve(scale: int) -> torch.Tensor:
    """How much a pixel and its two neighbours weigh at each point between: (scale, 3), a parabola through them."""
    at = (torch.arange(scale) + 0.5) / scale - 0.5
    return torch.stack([at * (at - 1) / 2, 1 - at * at, at * (at + 1) / 2], 1)


def build_upscaler(scale: int) -> Compact:
    """An untrained upscaler that interpolates smoothly. About 0.06 M parameters.

    There is no skip around the body, so every layer starts as passing on what it gets, the picture itself in the first
    three channels: from usual random weights it takes thousands of steps to get that far.
    """
    torch.manual_seed(0)
    model = Compact(num_feat=FEATURES, num_conv=LAYERS, upscale=scale)
    convs = [layer for layer in model.body if isinstance(layer, torch.nn.Conv2d)]
    between = torch.einsum("ay,bx->abyx", _curve(scale), _curve(scale)).flatten(0, 1)
    between[:, 1, 1] -= 1
    with torch.no_grad():
        for layer in convs[:-1]:
            layer.bias.zero_()
            layer.weight[:3] = 0
            for channel in range(3 if layer is convs[0] else FEATURES):
                layer.weight[channel, channel, 1, 1] += 1
        convs[-1].weight.zero_()
        convs[-1].bias.zero_()
        for channel in range(3):
            convs[-1].weight[channel * scale**2 : (channel + 1) * scale**2, channel] = between
    return model


class UpscalerTraining:
    """The state of one factor's training."""

    def __init__(self, scale: int, work: Path, minutes: float):
        self.saved = work / f"upscaler-x{scale}.pt"
        self.device, self.dtype = device_and_dtype()
        self.model = build_upscaler(scale).to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), PEAK_RATE, betas=(0.9, 0.99), weight_decay=0)
        clock = time.monotonic if self.device.type == "cuda" else time.thread_time
        self.budget, self.rng = Budget(minutes * 60, f"x{scale}", clock), random.Random(0)

    def resume(self) -> None:
        """Takes up a saved state, if there is one."""
        if self.saved.exists():
            with taking_up(self.saved, self.device) as state:
                for name in ("model", "average", "optimizer"):
                    getattr(self, name).load_state_dict(state[name])
            self.budget.load(state["budget"])
            self.rng.seed(self.budget.step)
            torch.manual_seed(self.budget.step)

    def save(self) -> None:
        """Writes the state."""
        state = {name: getattr(self, name).state_dict() for name in ("model", "average", "optimizer")}
        save_atomically(state | {"budget": self.budget.state()}, self.saved)

    def step(self, pairs: Pairs) -> float:
        """One optimizer step; the mean error in 0..255 comes back."""
        batch = pairs.batch(self.rng)
        small, large, mask = (part.to(self.device, memory_format=torch.channels_last) for part in batch)
        with torch.autocast(self.device.type, self.dtype):
            guess = self.model(small).float()
        error = (guess - large) * mask
        loss = 0.2 * error.abs().mean() + 10 * error.square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate(PEAK_RATE, WARM_UP)
        self.optimizer.step()
        self.optimizer.zero_grad()
        keep = min(0.998, (1 + self.budget.step) / (10 + self.budget.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)
        return error.detach().abs().mean().item() * 255


def train_upscaler(
    scale: int, work: Path, minutes: float, resume: bool, scenes: int = 320, textures: int = 160
) -> None:
    """Trains one factor for `minutes`; `work` keeps the state."""
    training = UpscalerTraining(scale, work, minutes)
    if resume:
        training.resume()
    vae = AutoencoderTiny.from_pretrained(FOLDER, subfolder="vae").eval()
    pairs = Pairs(scale, scenes, textures, vae)
    training.budget.pause()
    errors: list[float] = []
    while training.budget.tick():
        errors = [*errors[-199:], training.step(pairs)]
        training.budget.show(f"mean error {sum(errors) / len(errors):.3f}", every=20)
        if training.budget.step % SAVE_EVERY == 0:
            training.save()
    training.save()
