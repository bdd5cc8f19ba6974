"""Writes the starter's model card for people, README.md, from card.json."""

from pathlib import Path
from typing import Any

_ROWS = {
    "background": "the background is as asked (colour and kind)",
    "colour": "the thing has the colour asked for",
    "thing": "the thing is the one asked for",
    "all": "all three",
    "two": "two things, each the right thing in its own colour",
}


def _list(words: list[str]) -> str:
    return ", ".join(words) if words else "none"


def _more(card: dict[str, Any]) -> str:
    """What else the base was measured at, where it was: repainting, negative prompts, photographs."""
    if "more_scores" not in card:
        return ""
    found, between = card["more_scores"], card["more_intervals"]

    def share(part: str, name: str) -> str:
        low, high = between[part][name]
        return f"{found[part][name]:.1%} (95 % interval {low:.1%} to {high:.1%})"

    vae = found["vae"]
    families = ""
    if found.get("families"):
        families = f"""
## Patterns, landscapes and posters

Held-out combinations again, 80 prompts each with seeds of their own ({_counts(card)}).
A word is right when, of the drawings that differ from the asked one in that word alone, the asked one is the nearest to
the picture; the period is measured by autocorrelation; a palette is near when the colour of every area (its median) is
within ΔE 12 of one of its colours. “tile” and “no seam” are of patterns drawn to be tiled.

| | share | 95 % interval |
|---|---|---|
{_family_rows(card)}
"""
    return f"""{families}
## Repainting, negative prompts and photographs

With plain diffusers pipelines at the same guidance, on drawn pictures of held-out combinations:

* Inpainting: 60 things replaced by another in another colour, the rest pasted back byte for byte: thing, colour and
  background are right in {share("inpaint", "right")}; the median colour step into the mask is
  {found["inpaint"]["border_step"]:.1f} of 255.
* Image to image at strength 0.2, 0.5 and 0.8 changes a picture in that order in {share("inpaint", "ordered")}.
* "a fish" with "blue" in the negative prompt is a blue fish in {share("negative", "blue")}, without it in
  {found["negative"]["without_negative"]:.0%}; the commonest colour of fish falls from
  {found["negative"]["commonest"]:.0%} to {found["negative"]["commonest_negative"]:.0%} when it is named there.
* A photograph comes back from the autoencoder as a soft drawing of itself. Textures drawn by rule at 256 x 256 are
  restored with {vae["texture_psnr"]:.1f} dB on average: grain on a gradient {vae["grain_psnr"]:.1f}, soft foliage
  {vae["foliage_psnr"]:.1f}, 1/f noise {vae["noise_psnr"]:.1f}, dead leaves {vae["leaves_psnr"]:.1f}. Broad colours and
  shapes stay; anything finer than about four pixels goes.
"""


def _families(card: dict[str, Any]) -> str:
    """What patterns, landscapes and posters can be asked for, a line each."""
    lines = {
        "pattern": "Patterns of {motif}; repeats: {repeat}; scales: {scale} (“a checkered pattern of stars in candy "
        "colours”). Their borders meet: turn on tiling.",
        "landscape": "Landscapes with {back}, one or one behind the other, {light} on the left or right; times of day: "
        "{time} (“a landscape with mountains behind a lake, sun on the right, in the evening”).",
        "poster": "Posters of {form} with space for text at the {calm} (“a poster of arcs in retro colours with space "
        "at the top”).",
    }
    found = [
        "* " + line.format(**{slot: _list(words) for slot, words in card["families"][family].items()})
        for family, line in lines.items()
        if family in card["families"]
    ]
    if found:
        found.append(f"* Palettes for patterns and posters: {_list(card['palettes'])}.")
    return "".join(line + "\n" for line in found)


def _counts(card: dict[str, Any]) -> str:
    """How many different subjects are among the families' prompts."""
    return "different ones: " + ", ".join(f"{count} {family}s" for family, count in card["combinations"].items())


def _family_rows(card: dict[str, Any]) -> str:
    """The families' shares as rows of the table of scores."""
    found, between = card["more_scores"]["families"], card["more_intervals"]["families"]
    rows = []
    for name, value in found.items():
        low, high = between[name]
        rows.append(f"| {name.replace('.', ': ').replace('_', ' ')} | {value:.1%} | {low:.1%} to {high:.1%} |")
    return "\n".join(rows)


def write_readme(card: dict[str, Any], folder: Path) -> None:
    """Writes README.md beside the weights; the card must hold scores."""
    scores = card["scores"]
    rows = "\n".join(
        f"| {text} | {scores['base'][name]:.1%} | {low:.1%} to {high:.1%} |"
        for (name, text), (low, high) in zip(_ROWS.items(), scores["intervals"].values(), strict=True)
    )
    shares = card["word_shares"]
    weak = [
        f"{word} ({right} of {asked})" for word, (right, asked) in shares.items() if word not in card["known_words"]
    ]
    text = f"""---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---

# Limner starter

A small text-to-image diffusion model, trained from scratch on drawn scenes, so that a studio has something to draw with
before anything is downloaded. It draws flat shapes and things in plain colours at 256 x 256.

```python
from diffusers import StableDiffusionPipeline

pipeline = StableDiffusionPipeline.from_pretrained("models/checkpoints/limner-starter")
pipeline("a blue star, yellow background", num_inference_steps=20, guidance_scale=1.7).images[0].save("star.png")
```

## What it draws

* Things: {_list(card["things"])}; one, or two side by side ("and", "next to", "beside").
* Colours: {_list(card["colours"])}.
* Backgrounds: {_list(card["backgrounds"])} ("on green ground under a blue sky").
* Styles: {_list(card["styles"])}; no style means flat.
* Places and sizes of a single thing: {_list(card["places"] + card["sizes"])}.
{_families(card)}* {len(card["synonyms"])} synonyms, such as {_list([*card["synonyms"]][:6])}; `card.json` lists them.

## What it can't

It knows no other words: they are no part of its training and change the picture at random, so the studio leaves them
out. No people, no scenes of three things, no text, no photographs; edges are soft and flat areas slightly mottled.
Other sizes than 256 x 256 repeat or stretch what it knows.
Words that were trained but are drawn rightly in less than 90 % of a survey are not on its list: {_list(weak)}.

## Scores

On combinations of thing, colour and background that training never saw, with seeds of their own:
{scores["prompts"]["one"]} prompts of one thing, {scores["prompts"]["two"]} of two; DDIM, 20 steps, guidance 1.7.
Things are named by a small classifier trained on drawings, colours measured against the colour table.
`python launch.py starter evaluate` repeats it.

| | share | 95 % interval |
|---|---|---|
{rows}

The autoencoder restores 200 held-out scenes with {scores["vae"]["psnr"]:.1f} dB.
{_more(card)}
## How it was made

`python launch.py starter train`, from random weights: an `AutoencoderTiny` whose first three latents are pinned to the
8 x 8 box means of the picture, a two-layer `CLIPTextModel` taught to read captions, and a `UNet2DConditionModel` of
8.5 M parameters with v-prediction and almost no signal at the last step. docs/starter.md tells what each stage does and
how long it took on one core of a CPU. Every training picture is drawn and said by code in
`toolkit/starter`; no picture or text of anyone else was used.

Licence: Apache-2.0, for code and weights.
"""
    (folder / "README.md").write_text(text, encoding="utf-8")
