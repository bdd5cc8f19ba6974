"""Says a scene in words: several orders, with and without article, style and background, now and then a synonym."""

import random

from toolkit.starter.world import SUN, SYNONYMS, THINGS, Scene, Thing

# The sun among things is a circle; in a landscape it is its light.
NOUNS = SYNONYMS | {SUN: "circle"}
_OTHER_NAMES: dict[str, list[str]] = {}
for _synonym, _word in NOUNS.items():
    _OTHER_NAMES.setdefault(_word, []).append(_synonym)


def slots(scene: Scene) -> dict[str, str]:
    """Everything there is to say about a scene, by slot; "none" where it has no such thing."""
    said = {"background": scene.background, "kind": scene.kind, "ground": scene.ground or "none", "style": scene.style}
    for index in range(2):
        thing = scene.things[index] if index < len(scene.things) else None
        said[f"thing{index}"] = thing.kind if thing else "none"
        said[f"colour{index}"] = thing.colour if thing else "none"
    said["place"] = scene.things[0].place or scene.things[0].size or "none"
    return said


def _article(words: str, rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.3:
        return words
    if roll < 0.35:
        return f"the {words}"
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _thing(thing: Thing, adjective: str, colour: bool, rng: random.Random) -> str:
    parts = [thing.size, adjective, thing.colour if colour else "", thing.kind]
    return _article(" ".join(part for part in parts if part), rng)


def _background(scene: Scene, rng: random.Random) -> str:
    colour, on = scene.background, rng.choice(("on", "on", "with", "against"))
    if scene.kind == "gradient":
        phrase = _article(f"{colour} gradient", rng) + rng.choice(("", " background"))
    elif scene.kind == "striped":
        phrase = _article(f"{colour} striped background", rng)
    elif scene.kind == "ground":
        ground = f"{scene.ground} ground"
        if rng.random() < 0.3:
            return f", {ground}, {colour} sky"
        if rng.random() < 0.3:
            return f" under {_article(colour, rng)} sky on {ground}"
        return f" on {ground} {rng.choice(('under', 'and'))} {_article(colour, rng)} sky"
    else:
        roll = rng.random()
        if roll < 0.2:
            return f" on {colour}"
        phrase = _article(("plain " if roll < 0.35 else "") + f"{colour} background", rng)
    return f", {phrase}" if rng.random() < 0.3 else f" {on} {phrase}"


def _place(thing: Thing, rng: random.Random) -> str:
    if not thing.place:
        return ""
    word = "on the" if thing.place in ("left", "right") else "at the"
    return rng.choice((f" {word} {thing.place}", f", {thing.place}", f" on the {thing.place} side"))


def _style(scene: Scene, rng: random.Random) -> tuple[str, str, str]:
    """The style as words before everything, as an adjective of the first thing, and after everything; two are empty."""
    style, roll = scene.style, rng.random()
    if style == "flat" and roll < 0.55:
        return "", "", ""
    roll = rng.random()
    if style == "night":
        return "", "", rng.choice((", at night", " at night", ", night style", ", night"))
    if roll < 0.2:
        return "", style, ""
    if roll < 0.3:
        return f"{style} {rng.choice(('drawing', 'picture', 'illustration'))} of ", "", ""
    return "", "", rng.choice((f", {style} style", f" in {style} style", f", {style}"))


def caption(scene: Scene, rng: random.Random) -> tuple[str, dict[str, str]]:
    """A caption and what it says: `slots(scene)`, with "unsaid" for each slot left to chance."""
    said = slots(scene)
    before, adjective, after = _style(scene, rng)
    names = []
    for index, thing in enumerate(scene.things):
        colour = rng.random() > 0.03
        if not colour:
            said[f"colour{index}"] = "unsaid"
        names.append(_thing(thing, adjective if index == 0 else "", colour, rng))
    text = rng.choice((" and ", " and ", " next to ", " beside ")).join(names)
    place, background = _place(scene.things[0], rng), _background(scene, rng)
    if scene.kind == "plain" and rng.random() < 0.04:
        background, said["background"] = "", "unsaid"
    text = before + text + (place + background if rng.random() < 0.7 else background + place) + after
    return _vary(text, rng), said


def _vary(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    for index, word in enumerate(words):
        bare = word.rstrip(",")
        if bare in _OTHER_NAMES and rng.random() < 0.1:
            words[index] = rng.choice(_OTHER_NAMES[bare]) + word[len(bare) :]
    return " ".join(words)


def noun_index(words: list[str]) -> list[int]:
    """The positions of the words that name a thing, in order."""
    return [i for i, word in enumerate(words) if NOUNS.get(word, word) in THINGS]
