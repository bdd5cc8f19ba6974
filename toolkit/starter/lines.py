"""Line drawings of scenes, as a preprocessor or a hand makes them: white on black, 256 x 256."""

import random
from dataclasses import replace

import cv2
import numpy as np

from toolkit.starter.drawing import draw_scene, place_anywhere, place_things
from toolkit.starter.world import COLOURS, Scene, sample_scene

LOW, HIGH = 100, 200
LINES_SEED = 500_000_000
NEAR = 2.0


def canny(picture: np.ndarray) -> np.ndarray:
    """The edges of a uint8 picture (h, w, 3) as 0 or 255, with the thresholds controlnet_aux's detector has."""
    return cv2.Canny(np.ascontiguousarray(picture), LOW, HIGH)


def recoloured(scene: Scene, rng: random.Random) -> Scene:
    """The scene in other colours: no thing keeps its own, nor does the background; still apart from each other."""
    names, taken = [name for name in COLOURS if not (scene.style == "night" and name == "black")], {scene.ground}

    def pick(but: str) -> str:
        colour = rng.choice([name for name in names if name not in taken and name != but])
        taken.add(colour)
        return colour

    background = pick(scene.background)
    return replace(
        scene, background=background, things=tuple(replace(one, colour=pick(one.colour)) for one in scene.things)
    )


def scribble(edges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The lines as a hand draws them: off by a few pixels, of one thickness between 3 and 7."""
    side = edges.shape[0]
    coarse = rng.normal(0, 1, (2, 7, 7)).astype(np.float32) * rng.uniform(0.5, 2.5)
    x, y = (cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC) for field in coarse)
    grid_y, grid_x = np.mgrid[:side, :side].astype(np.float32)
    thick = cv2.dilate(edges, np.ones((3, 3), np.uint8))
    moved = cv2.remap(thick, grid_x + x, grid_y + y, cv2.INTER_LINEAR)
    width = int(rng.integers(1, 5))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.where(cv2.dilate(moved, kernel) > 127, 255, 0).astype(np.uint8)


def pair(scene: Scene, seed: int, anywhere: bool) -> tuple[np.ndarray, np.ndarray]:
    """The scene's pixels, and the edges of the same lines in other colours."""
    place = place_anywhere if anywhere else place_things
    other = draw_scene(recoloured(scene, random.Random(seed + 1)), random.Random(seed), place=place)
    return draw_scene(scene, random.Random(seed), place=place), canny(other)


def draw_pair(seed: int) -> tuple[Scene, np.ndarray, np.ndarray]:
    """A scene of no held-out combination, its pixels and lines, half the time with its things anywhere."""
    rng = random.Random(seed)
    scene = sample_scene(rng)
    placed = any(thing.place or thing.size for thing in scene.things)
    return scene, *pair(scene, seed, anywhere=not placed and rng.random() < 0.6)


def by_hand(edges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The lines as they come: two thirds as edges, thin or thick, the others scribbled."""
    roll = rng.random()
    if roll < 0.3:
        return scribble(edges, rng)
    if roll < 0.45:
        return cv2.dilate(edges, np.ones((2, 2) if roll < 0.4 else (3, 3), np.uint8))
    return edges


def edge_f1(found: np.ndarray, wanted: np.ndarray) -> float:
    """How well two edge maps agree, 0..1: the harmonic mean of the shares that lie within 2 px of the other's edges."""
    if not found.any() or not wanted.any():
        return 0.0
    precision = (_distance(wanted)[found > 0] <= NEAR).mean()
    recall = (_distance(found)[wanted > 0] <= NEAR).mean()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def _distance(edges: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform((edges == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
