"""LoRAs that give a look, as style cards: one click adds the LoRA at its recommended weight and its trigger words."""

import re

from toolkit.plugins.api import Style, hookimpl

GROUP = "LoRA looks"


@hookimpl
def register_styles(loras):
    taken = set()
    for lora in loras:
        if not lora.style or set(lora.name) & set("<>:{}"):  # a name that no tag can hold
            continue
        words = re.sub(r"[{}<>]", "", lora.trigger)
        style_id = _unused(re.sub(r"[^a-z0-9]+", "-", f"lora-{lora.name.lower()}").strip("-")[:60], taken)
        yield Style(
            style_id, lora.title, GROUP, lora.description or f"The LoRA {lora.name}.",
            ", ".join(filter(None, ["{prompt}", words])) + f" <lora:{lora.name}:{lora.weight:g}>", lora.negative,
            preview=lora.preview.name if lora.preview else "", source=lora.path,
        )  # fmt: skip


def _unused(style_id, taken):
    """The id, with a number behind it when another LoRA's name came to the same."""
    number, free = 1, style_id
    while free in taken:
        number += 1
        free = f"{style_id}-{number}"
    taken.add(free)
    return free
