"""Models that are larger than the graphics card: the denoiser stays in the computer's memory and passes through it.

diffusers moves each layer's weights onto the card for the moment in which it computes. Steps take longer by the time
that copying the denoiser takes, and the picture is the same.
"""

from __future__ import annotations

from typing import Any

import torch

HOME = torch.device("cpu")


def pass_through(unet: Any, device: torch.device) -> Any:
    """The denoiser, which is in the computer's memory, computing on `device`; it says that it is there."""
    # Without a second stream: LoRAs change weights in place, where a copy under way would miss the change.
    unet.enable_group_offload(
        onload_device=device, offload_device=HOME, offload_type="leaf_level", use_stream=False
    )  # fmt: skip
    return unet
