"""Small pictures of what a job is drawing, straight from its latents by a linear map: they cost next to nothing."""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image

LONGEST = 256
# Pixels for a latent, along a side: more hold nothing more, the browser smooths as well, and encoding takes their time.
_FINE = 4
PER_SECOND = 4.0

# Scaled latents to RGB for the Stable Diffusion 1 autoencoder, as its interfaces have long used it.
_SD1 = {
    "matrix": [[0.149, 0.104, 0.104], [0.094, 0.143, 0.087], [-0.079, 0.095, 0.132], [-0.092, -0.136, -0.237]],
    "bias": [0.5, 0.5, 0.5],
}


class Previewer:
    """Makes JPEG previews at most `per_second` times a second, and always of the last step.

    A card's `latent_rgb` is {"matrix": channels × 3, "bias": 3}: RGB in 0…1 = latents · matrix + bias.
    """

    def __init__(
        self, card: Mapping[str, Any], scale: int, steps: int, per_second: float = PER_SECOND
    ) -> None:  # fmt: skip
        fitted = card.get("latent_rgb") or _SD1
        self._matrix = torch.tensor(fitted["matrix"], dtype=torch.float32) * 255
        self._bias = torch.tensor(fitted["bias"], dtype=torch.float32) * 255
        self._scale, self._steps = scale, steps
        self._pause, self._next = 1 / per_second, 0.0

    def make(self, latents: torch.Tensor | None, step: int) -> tuple[bytes, ...]:
        """Previews of latents (pictures, channels, height, width); nothing when it is too soon for new ones."""
        now = time.monotonic()
        if latents is None or latents.shape[1] != len(self._matrix) or (now < self._next and step < self._steps):
            return ()
        self._next = now + self._pause
        colours = latents.detach().float().cpu().permute(0, 2, 3, 1) @ self._matrix + self._bias
        pixels = colours.nan_to_num_().clamp_(0, 255).to(torch.uint8).numpy()
        return tuple(self._jpeg(Image.fromarray(one)) for one in pixels)

    def _jpeg(self, small: Image.Image) -> bytes:
        factor = min(self._scale, _FINE, LONGEST / max(small.size))
        size = tuple(max(1, round(side * factor)) for side in small.size)
        file = io.BytesIO()
        small.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=70)
        return file.getvalue()


class Watched:
    """Listens to a job's own scheduler for what it believes the finished latents are.

    The latents between steps are noise for most of the way; a scheduler's estimate of the end shows the picture from
    the first steps on.
    """

    def __init__(self, scheduler: Any) -> None:
        self.estimate: torch.Tensor | None = None
        step = scheduler.step

        @functools.wraps(step)  # pipelines read the signature to see what a scheduler's step takes
        def listened(*args: Any, **kwargs: Any) -> Any:
            result = step(*args, **kwargs)
            outputs = getattr(scheduler, "model_outputs", None)  # multistep solvers keep their estimates there
            self.estimate = result[1] if len(result) > 1 else outputs[-1] if outputs else result[0]
            return result

        scheduler.step = listened
