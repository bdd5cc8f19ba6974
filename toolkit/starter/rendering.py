"""Draws many scenes on all cores, one seed a scene."""

import os
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from toolkit.starter.drawing import draw_scene
from toolkit.starter.world import Scene, sample_scene

VAE_SEED, TRAIN_SEED, JUDGE_SEED, EVALUATION_SEED = 100_000_000, 200_000_000, 300_000_000, 900_000_000


def on_all_cores(task: Callable, items: Iterable) -> list:
    """`task` of each item, in order; as many processes as cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(task, items, chunksize=32))


def _render_chunk(seeds: list[int], options: dict) -> tuple[list[Scene], np.ndarray]:
    scenes, pictures = [], []
    for seed in seeds:
        rng = random.Random(seed)
        scene = sample_scene(rng, **options)
        scenes.append(scene)
        pictures.append(draw_scene(scene, rng))
    return scenes, np.stack(pictures)


def render_scenes(first: int, count: int, **options) -> tuple[list[Scene], np.ndarray]:
    """`count` scenes of the seeds from `first` on and their pixels, uint8 (count, 256, 256, 3).

    `options` go to `sample_scene`.
    """
    chunks = [list(range(first + i, first + min(i + 64, count))) for i in range(0, count, 64)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(_render_chunk, chunks, [options] * len(chunks)))
    return [scene for scenes, _ in parts for scene in scenes], np.concatenate([pictures for _, pictures in parts])
