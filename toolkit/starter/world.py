"""The flat world the starter model draws: its words, its colours and how a scene is put together. Imports no torch."""

import random
import zlib
from dataclasses import dataclass

COLOURS = {
    "red": (222, 52, 46),
    "orange": (243, 144, 35),
    "yellow": (250, 212, 50),
    "green": (52, 168, 83),
    "teal": (24, 160, 160),
    "blue": (44, 98, 214),
    "purple": (128, 64, 190),
    "pink": (240, 120, 175),
    "brown": (132, 84, 50),
    "black": (28, 28, 34),
    "white": (248, 248, 245),
    "gray": (150, 152, 158),
}
THINGS = (
    "circle", "square", "triangle", "star", "heart", "moon",
    "house", "tree", "flower", "boat", "car", "fish", "cat", "cup",
)  # fmt: skip
BACKGROUNDS = ("plain", "gradient", "striped", "ground")
STYLES = ("flat", "outline", "pastel", "night")
PLACES = {"left": (0.28, 0.5), "right": (0.72, 0.5), "top": (0.5, 0.28), "bottom": (0.5, 0.72)}
SIZES = ("big", "small")
GROUNDS = ("green", "brown", "white", "gray")

SYNONYMS = {
    "crimson": "red", "scarlet": "red", "ruby": "red",
    "tangerine": "orange", "amber": "orange",
    "gold": "yellow", "golden": "yellow", "lemon": "yellow",
    "emerald": "green", "lime": "green",
    "turquoise": "teal", "cyan": "teal", "aqua": "teal",
    "navy": "blue", "azure": "blue", "cobalt": "blue",
    "violet": "purple", "lavender": "purple", "indigo": "purple",
    "rose": "pink", "magenta": "pink", "fuchsia": "pink",
    "chocolate": "brown", "tan": "brown",
    "dark": "black", "ebony": "black",
    "snowy": "white", "ivory": "white",
    "grey": "gray", "silver": "gray",
    "disc": "circle", "disk": "circle", "ball": "circle", "dot": "circle",
    "box": "square", "pyramid": "triangle", "crescent": "moon",
    "home": "house", "cottage": "house", "cabin": "house", "blossom": "flower", "daisy": "flower",
    "ship": "boat", "sailboat": "boat", "auto": "car", "kitten": "cat", "kitty": "cat", "mug": "cup",
    "backdrop": "background", "solid": "plain", "stripes": "striped", "stripy": "striped",
    "land": "ground", "floor": "ground", "outlined": "outline", "nighttime": "night", "soft": "pastel",
    "large": "big", "huge": "big", "giant": "big", "little": "small", "tiny": "small",
    "upper": "top", "lower": "bottom", "near": "beside", "plus": "and",
    "wallpaper": "pattern", "wavy": "wave", "checked": "checkered", "chequered": "checkered",
    "scenery": "landscape", "vista": "landscape", "peak": "mountain", "city": "skyline", "town": "skyline",
    "ocean": "sea", "lake": "sea", "water": "sea", "wood": "forest", "woods": "forest",
    "dawn": "morning", "sunrise": "morning", "dusk": "evening", "sunset": "evening", "noon": "day", "daytime": "day",
    "front": "before", "flyer": "poster", "cover": "poster", "room": "space", "calm": "empty", "colors": "colours",
}  # fmt: skip
# "sun" means a round thing beside other things and the light of a landscape, so it is no mere synonym.
SUN = "sun"
GRAMMAR_WORDS = (
    "background", "sky", "beside", "next", "and", "style", "behind", "before", "by", "colours", "palette", "space",
    "empty",
)  # fmt: skip
IGNORED = (
    "a", "an", "the", "of", "on", "in", "at", "to", "with", "under", "one", "side", "over", "against", "drawing",
    "picture", "illustration", "image", "centre", "center", "middle", "is", "it", "its",
)  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """One thing in a scene: what it is, its colour, and "left"/"right"/"top"/"bottom" or "big"/"small" where named."""

    kind: str
    colour: str
    place: str | None = None
    size: str | None = None


@dataclass(frozen=True)
class Scene:
    """One or two things (left one first) on a background; `ground` is a colour for the kind "ground" only."""

    things: tuple[Thing, ...]
    background: str
    kind: str = "plain"
    ground: str | None = None
    style: str = "flat"


def held_out(kind: str, colour: str, background: str) -> bool:
    """Whether the evaluation keeps this combination from training: about one in ten, the same on every machine."""
    return zlib.crc32(f"{kind}/{colour}/{background}".encode()) % 10 == 0


def table(style: str, ground: bool = False) -> dict[str, tuple[int, int, int]]:
    """The colour table as a style draws it: `ground` for what lies behind the things. Values 0..255."""
    if style == "pastel":
        return {name: tuple(int(v * 0.5 + 127) for v in rgb) for name, rgb in COLOURS.items()}
    if style == "night" and ground:
        return {name: tuple(int(v * 0.4) for v in rgb) for name, rgb in COLOURS.items()}
    return dict(COLOURS)


def sample_scene(
    rng: random.Random, *, simple: bool = False, held: bool | None = False, count: int | None = None
) -> Scene:
    """A random scene.

    `simple` keeps to one flat thing on a plain background. `held` False leaves out every held-out combination, True
    takes only those (for the first thing), None takes any. `count` fixes the number of things, 1 or 2.
    """
    while True:
        scene = _sample(rng, simple, count)
        flags = [held_out(thing.kind, thing.colour, scene.background) for thing in scene.things]
        if held is None or (held and flags[0]) or (not held and not any(flags)):
            return scene


def _sample(rng: random.Random, simple: bool, count: int | None) -> Scene:
    count = count or (1 if simple else rng.choices((1, 2), (0.62, 0.38))[0])
    kind = "plain" if simple else rng.choices(BACKGROUNDS, (0.5, 0.17, 0.13, 0.2))[0]
    style = "flat" if simple else rng.choices(STYLES, (0.64, 0.12, 0.12, 0.12))[0]
    background = rng.choice(list(COLOURS))
    ground = rng.choice([name for name in GROUNDS if name != background]) if kind == "ground" else None
    taken = {background, ground}
    if style == "night":
        taken.add("black")
    things = []
    for _ in range(count):
        colour = rng.choice([name for name in COLOURS if name not in taken])
        taken.add(colour)
        place = size = None
        if count == 1 and not simple:
            extra = rng.random()
            if extra < 0.25:
                place = rng.choice(list(PLACES))
            elif extra < 0.45:
                size = rng.choice(SIZES)
        things.append(Thing(rng.choice(THINGS), colour, place, size))
    return Scene(tuple(things), background, kind, ground, style)
