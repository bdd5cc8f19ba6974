"""Makes a trained pipeline folder the shipped one: surveys its words, fits previews, scores it and draws its sheet."""

import copy
import itertools
import math
import shutil
from collections.abc import Mapping, Set
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from PIL import Image, ImageDraw

from toolkit.errors import ModelError
from toolkit.starter.asked import MEASURES, asked_of, word_counts
from toolkit.starter.autoencoder import to_tensor
from toolkit.starter.card import ALWAYS, EXAMPLES, FAMILY_SLOTS, build_card, write_card
from toolkit.starter.evaluate import Verdict, collect, draw, evaluate, load_pipeline, prompts, verdicts_on
from toolkit.starter.families import FAMILY_WORDS
from toolkit.starter.palettes import PALETTES
from toolkit.starter.paths import WORK
from toolkit.starter.readme import write_readme
from toolkit.starter.rendering import EVALUATION_SEED, VAE_SEED, render_scenes
from toolkit.starter.score_families import marks_of
from toolkit.starter.stage import save_folder
from toolkit.starter.words import keep_known, unknown_words
from toolkit.starter.world import COLOURS, STYLES, THINGS

# Seeds apart from the evaluation's, so that choosing words doesn't choose among the pictures that are scored.
SURVEY_SEED = EVALUATION_SEED - 100_000_000
LEAST_SHARE, LEAST_ASKED = 0.9, 20
PARTS = ("model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae")


def word_shares(verdicts: list[Verdict]) -> dict[str, tuple[int, int]]:
    """How often what a word asked for was drawn, and how often it was asked for."""
    found: dict[str, list[bool]] = {}

    def note(word: str | None, right: bool) -> None:
        if word:
            found.setdefault(word, []).append(right)

    for verdict in verdicts:
        scene = verdict.scene
        for thing, kind_right, colour_right in zip(scene.things, verdict.things, verdict.colours, strict=True):
            note(thing.kind, kind_right)
            note(thing.colour, colour_right)
            note(thing.place or thing.size, verdict.placed)
        note(scene.background, verdict.background)
        note(scene.kind, verdict.background)
        note(scene.style, verdict.background and all(verdict.colours))
    return {word: (sum(marks), len(marks)) for word, marks in found.items()}


def latent_rgb(vae: AutoencoderTiny) -> dict[str, Any]:
    """The linear map from latents to RGB in 0..1 that fits best: "matrix" 4 x 3 and "bias" 3."""
    _, pictures = render_scenes(VAE_SEED, 64)
    pixels = to_tensor(pictures)
    with torch.no_grad():
        latents = copy.deepcopy(vae).to("cpu").encode(pixels).latents.permute(0, 2, 3, 1).reshape(-1, 4)
    colours = (F.avg_pool2d(pixels, 8) / 2 + 0.5).permute(0, 2, 3, 1).reshape(-1, 3)
    solution = torch.linalg.lstsq(torch.cat([latents, torch.ones(len(latents), 1)], 1), colours).solution
    *matrix, bias = [[round(value, 5) for value in row] for row in solution.tolist()]
    return {"matrix": matrix, "bias": bias}


def survey(folder: Path, count: int) -> dict[str, tuple[int, int]]:
    """The share of each word over `count` prompts of one thing and half as many of two, all of held-out combinations.

    A word that was asked for less than 20 times gets prompts of its own.
    """
    pipeline, card = load_pipeline(folder), build_card()
    verdicts = collect(pipeline, card, count, 1, SURVEY_SEED) + collect(pipeline, card, count // 2, 2, SURVEY_SEED)
    more = []
    for index, (word, (_, asked)) in enumerate(sorted(word_shares(verdicts).items())):
        if asked < LEAST_ASKED and word not in ALWAYS:
            more += prompts(LEAST_ASKED - asked, 1, card, SURVEY_SEED + 3_000_000 + 10_000 * index, word)
    verdicts += verdicts_on(pipeline, more, SURVEY_SEED + 3_000_000)
    # Style cards ask for these words: a weak one is looked at again before it goes.
    weak = sorted(word for word, share in word_shares(verdicts).items() if word in STYLES and not _enough(share))
    for index, word in enumerate(weak):
        again = prompts(50, 1, card, SURVEY_SEED + 40_000_000 + 1_000_000 * index, word)
        verdicts += verdicts_on(pipeline, again, SURVEY_SEED + 40_000_000)
    return word_shares(verdicts)


Shares = Mapping[str, tuple[int, int]]


def survey_families(folder: Path, count: int) -> dict[str, Shares]:
    """The share of each word in each family beside things, over `count` prompts of held-out combinations each.

    A word that was asked for less than 20 times gets prompts of its own.
    """
    pipeline, card, found = load_pipeline(folder), build_card(), {}
    for number, family in enumerate(MEASURES):
        first = SURVEY_SEED + 20_000_000 + 100_000 * number
        asked = asked_of(family, count, first, card)
        words = itertools.chain(*FAMILY_SLOTS[family].values(), () if family == "landscape" else PALETTES)
        for index, word in enumerate(dict.fromkeys(words)):
            missing = LEAST_ASKED - sum(word in asdict(one).values() for one, _ in asked)
            if missing > 0:
                asked += asked_of(family, missing, first + 5_000_000 + 50_000 * index, card, word)
        found[family] = word_counts(family, asked, marks_of(family, pipeline, asked, first)[0])
    return found


def _enough(share: tuple[int, int] | None) -> bool:
    return share is None or share[0] >= LEAST_SHARE * share[1]


def kept_slots(found: Mapping[str, Shares]) -> dict[str, dict[str, list[str]]]:
    """What each family may be asked for: the words of its slots that are drawn rightly often enough there."""
    return {
        family: {slot: [word for word in words if _enough(found[family].get(word))] for slot, words in slots.items()}
        for family, slots in FAMILY_SLOTS.items()
    }


def weak_words(found: Mapping[str, Shares]) -> dict[str, tuple[int, int]]:
    """The words of the families alone that aren't drawn rightly often enough over all families that have them."""
    pooled = {
        word: tuple(map(sum, zip(*(shares[word] for shares in found.values() if word in shares), strict=True)))
        for word in FAMILY_WORDS
        if any(word in shares for shares in found.values())
    }
    return {word: share for word, share in pooled.items() if not _enough(share)}


def check_trained(dropped: Set[str], work: Path) -> None:
    """Raise ModelError when half of the things or colours would be left out: there is little left to ask for then."""
    for what, words in (("things", THINGS), ("colours", COLOURS)):
        kept = [word for word in words if word not in dropped]
        if 2 * len(kept) <= len(words):
            spent = _minutes_spent(work / "things.pt")
            where = "" if work == WORK else f"--work {work} "
            raise ModelError(
                f"The model draws only {len(kept)} of {len(words)} {what} rightly in {LEAST_SHARE:.0%} of pictures, "
                "too few to publish it. Train longer, then publish: launch.py starter train --stage things --resume "
                f"{where}--minutes {spent + 60}"
            )


def _minutes_spent(state: Path) -> int:
    """How long a stage has been trained, by its saved state; 0 without one."""
    return round(torch.load(state, map_location="cpu")["budget"]["spent"] / 60) if state.exists() else 0


def contact_sheet(pictures: list[np.ndarray], texts: list[str], path: Path, columns: int = 6, side: int = 200) -> None:
    """Writes the pictures with their prompts under them as a PNG of 256 colours."""
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * (side + 8) + 8, rows * (side + 40) + 8), (250, 250, 250))
    pen = ImageDraw.Draw(sheet)
    for index, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        x, y = 8 + index % columns * (side + 8), 8 + index // columns * (side + 40)
        sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), (x, y))
        lines, line = [], ""
        for word in text.split():
            if len(line) + len(word) > 32:
                lines, line = [*lines, line], ""
            line = f"{line} {word}".strip()
        pen.multiline_text((x, y + side + 3), "\n".join([*lines, line][:3]), fill=(40, 40, 46), spacing=1, font_size=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


def publish(trained: Path, folder: Path, sheet: Path, count: int = 160) -> dict[str, Any]:
    """Copies the trained folder to `folder` with card, README and contact sheet; the card comes back.

    Words drawn rightly in less than 90 % of the survey are left out of the card, so that the studio drops them too.
    Raises ModelError, before anything is written, for a model that draws too few things or colours.
    """
    shares, families = survey(trained, count), survey_families(trained, count // 2)
    weak = weak_words(families)
    dropped = {word for word, (right, asked) in shares.items() if right < LEAST_SHARE * asked} | set(weak)
    check_trained(dropped - set(ALWAYS), trained.parent)
    for name in PARTS:
        if (trained / name).is_dir():
            save_folder(partial(shutil.copytree, trained / name), folder / name)
        else:
            shutil.copy(trained / name, folder / name)
    card = build_card(dropped - set(ALWAYS), kept_slots(families))
    pipeline = load_pipeline(folder)
    card["latent_rgb"] = latent_rgb(pipeline.vae)
    examples = {text: seed for text, seed in EXAMPLES.items() if not unknown_words(text, card)}
    card["examples"] = [{"prompt": text, "seed": seed} for text, seed in examples.items()][:12]
    write_card(card, folder)
    card["scores"] = evaluate(folder)
    card["word_shares"] = {word: [right, asked] for word, (right, asked) in sorted((shares | weak).items())}
    card["family_shares"] = {
        family: {word: list(share) for word, share in sorted(found.items())} for family, found in families.items()
    }
    write_card(card, folder)
    write_readme(card, folder)
    texts = [keep_known(text, card) for text in examples]
    contact_sheet(draw(pipeline, texts, list(examples.values())), list(examples), sheet)
    return card
