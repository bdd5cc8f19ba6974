"""How denoisers compute attention: torch's fastest way, plainly, or in slices that need little memory."""

from __future__ import annotations

from typing import Any

from diffusers.models.attention_processor import AttnProcessor


def attend(module: Any, way: str) -> None:
    """Have a UNet or ControlNet attend in the way that the settings name.

    "auto" is torch's `scaled_dot_product_attention`, which takes the fastest kernel that the device has for the dtype;
    "plain" multiplies matrices without any of these; "sliced" does so for one head after the other.
    """
    if way == "plain":
        module.set_attn_processor(AttnProcessor())
    elif way == "sliced":
        module.set_attention_slice("max")
