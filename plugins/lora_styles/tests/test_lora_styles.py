"""A LoRA whose notes say that it gives a look is a style; choosing it draws with the LoRA as recommended."""

import shutil
from pathlib import Path

import pytest

from toolkit.adapters import LoraUse
from toolkit.model_folders import LIST
from toolkit.request import GenerationRequest
from toolkit.sidecars import LoraCard

FOLDER = Path(__file__).resolve().parent.parent
STARTER = FOLDER.parents[1] / "models" / "loras" / "limner-starter-neon.safetensors"
NEON = LoraCard(
    "Neon_v2", Path("/models/loras/Neon_v2.safetensors"), "Neon", "Glowing tubes.", "neon {sign}", "blurry", 0.8, True,
    preview=Path("/models/loras/Neon_v2.webp"),
)  # fmt: skip


@pytest.fixture
def styles(load_plugin):
    (implementation,) = [one for _, one in load_plugin(FOLDER).registry.implementations("register_styles")]
    return lambda *loras: list(implementation.function(loras))


def test_a_look_is_a_card_with_preview_words_and_weight(styles):
    (style,) = styles(NEON, LoraCard("hero", Path("/hero.safetensors"), "A hero", trigger="hero"))
    assert (style.id, style.name, style.description) == ("lora-neon-v2", "Neon", "Glowing tubes.")
    assert style.around("a fox") == "a fox, neon sign <lora:Neon_v2:0.8>"
    assert style.negative == "blurry" and style.source.parent / style.preview == NEON.preview


def test_names_that_come_to_the_same_stay_apart(styles):
    cards = [LoraCard(name, Path("/x"), name, style=True) for name in ("a b", "a-b", "a<b", "墨")]
    assert [style.id for style in styles(*cards)] == ["lora-a-b", "lora-a-b-2", "lora"]


def test_the_starters_looks_are_drawn_with_as_recommended(studio_with):
    with studio_with(FOLDER) as studio:
        assert "lora-limner-starter-neon" in studio.styles.styles
        request = studio.prepare(GenerationRequest("a red fish", styles=("lora-limner-starter-neon",), seed=1))
        assert request.loras == (LoraUse("limner-starter-neon"),)
        assert request.prompt == "a red fish"
        assert request.written.styles == ("lora-limner-starter-neon",)
        assert studio.styles.styles["lora-limner-starter-neon"].preview_path.is_file()
        assert not any("draft" in name for name in studio.styles.styles)


def test_a_lora_that_comes_later_is_there_when_styles_are_read_again(studio_with, plugin_data, tmp_path):
    mine = tmp_path / "mine" / "loras"
    mine.mkdir(parents=True)
    with studio_with(FOLDER) as studio:
        assert "lora-ink" not in studio.styles.styles
        shutil.copy(STARTER, mine / "ink.safetensors")
        (mine / "ink.json").write_text('{"title": "Ink", "style": true, "preferred weight": 0.5}')
        (plugin_data / LIST).write_text(f"{mine.parent}\n", "utf-8")
        studio.read_styles()
        assert studio.styles.styles["lora-ink"].prompt == "{prompt} <lora:ink:0.5>"
        studio.plugins.enable("lora_styles", False)
        assert not any(name.startswith("lora-") for name in studio.styles.styles)
