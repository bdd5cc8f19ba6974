"""The small CLIP as anyone would load it: plain transformers; and what near misses are."""

import json
import random

import pytest
from PIL import Image
from transformers import CLIPModel, CLIPProcessor

from toolkit.starter.clip import MISSES, with_misses
from toolkit.starter.drawing import draw_scene
from toolkit.starter.near_misses import near_misses, possible, say, trained
from toolkit.starter.score_clip import CAPTIONS, CLIP_FOLDER, questions, similarities
from toolkit.starter.world import Scene, Thing, sample_scene

CARD = json.loads((CLIP_FOLDER / "card.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def loaded():
    return CLIPModel.from_pretrained(CLIP_FOLDER).eval(), CLIPProcessor.from_pretrained(CLIP_FOLDER)


def test_the_folder_is_small_and_has_a_card():
    assert sum(path.stat().st_size for path in CLIP_FOLDER.iterdir()) <= 4 * 1024 * 1024
    assert {"title", "licence", "description", "made", "scores"} <= CARD.keys()


@pytest.mark.parametrize("seed", range(20))
def test_near_misses_differ_in_one_word(seed):
    rng = random.Random(seed)
    scene = sample_scene(rng)
    text = say(scene, rng)
    found = near_misses(text, scene, rng, CAPTIONS - 1)
    assert len(set(found)) == CAPTIONS - 1
    for other in found:
        pairs = zip(text.split(), other.split(), strict=True)
        assert sum(right != wrong for right, wrong in pairs) == 1


def test_a_sun_among_things_is_a_circle():
    scene = Scene((Thing("circle", "yellow"),), "pink")
    found = near_misses("a yellow sun on a pink background", scene, random.Random(3), CAPTIONS - 1)
    own = [text.split()[1] for text in found if text.endswith("sun on a pink background")]
    assert own
    assert "pink" not in own
    assert any("sun" not in text for text in found)
    assert not any("a yellow circle on" in text for text in found)


def test_every_caption_of_training_has_its_near_misses():
    scene, rng = Scene((Thing("circle", "orange"),), "white", style="pastel"), random.Random(0)
    said = [with_misses(scene, rng) for _ in range(200)]
    assert any("sun" in text for text, *_ in said)
    assert {len(set(texts)) for texts in said} == {MISSES + 1}


def test_a_scene_without_contrast_is_impossible():
    assert possible(Scene((Thing("fish", "red"),), "white"))
    assert not possible(Scene((Thing("fish", "red"),), "red"))
    assert not possible(Scene((Thing("fish", "red"), Thing("cat", "red")), "white"))
    assert not possible(Scene((Thing("fish", "black"),), "white", style="night"))


def test_training_names_no_held_out_combination():
    rng = random.Random(0)
    scene = next(scene for scene in iter(lambda: sample_scene(rng, held=True), None) if len(scene.things) == 1)
    assert not trained(scene)


def test_a_fish_is_told_from_a_cat(loaded):
    model, processor = loaded
    fish = draw_scene(Scene((Thing("fish", "red"),), "blue"), random.Random(1))
    captions = ["a red fish on a blue background", "a red cat on a blue background", "a blue fish on a red background"]
    inputs = processor(text=captions, images=Image.fromarray(fish), padding=True, return_tensors="pt")
    assert model(**inputs).logits_per_image.argmax().item() == 0


def test_the_right_caption_of_sixteen_fits_best(loaded):
    pictures, captions = questions(200, first=7)
    right = (similarities(*loaded, pictures, captions).argmax(-1) == 0).float().mean().item()
    assert right >= CARD["scores"]["top1"] - 0.07
