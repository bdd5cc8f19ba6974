"""Textual inversion: a word's vectors stand where the word stands, for every text encoder, and nowhere else."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from toolkit.engine.adapters.embeddings import WordShelf, split, word_in
from toolkit.engine.manager import PipelineManager
from toolkit.errors import ModelError
from toolkit.model_files import WeightsFile
from toolkit.models import ModelIndex
from toolkit.studio import ROOT


@pytest.fixture(scope="module")
def components():
    model = ModelIndex([ROOT / "models" / "checkpoints"]).find("limner-starter")
    with PipelineManager("float32").lease(model) as components:
        components.text._card = {}  # as a model that knows any word
        yield components


def file_of(path, tensors):
    save_file(tensors, path)
    return WeightsFile(path.stem, path, "embedding", path.stat().st_size, {})


def test_a_word_that_is_a_tokens_own_vector_reads_as_that_token(components, tmp_path):
    reader = components.text.readers[0]
    token = reader.tokenizer("fish", add_special_tokens=False).input_ids
    table = reader.encoder.get_input_embeddings().weight
    file = file_of(tmp_path / "my-thing.safetensors", {"emb_params": table[token].clone()})
    words = WordShelf(components).used(("a red my-thing",), [file])
    named = components.text.encode("a red my-thing on a blue background", words=words).embeds
    plain = components.text.encode("a red fish on a blue background").embeds
    assert torch.allclose(named, plain, atol=1e-6)
    again = components.text.encode("a red fish on a blue background", words={}).embeds
    assert torch.equal(again, plain)
    other = file_of(tmp_path / "odd.safetensors", {"emb_params": torch.ones(2, table.shape[1])})
    odd = WordShelf(components).used(("embedding:odd",), [other])
    assert not torch.allclose(components.text.encode("a red embedding:odd", words=odd).embeds[:, :8], plain[:, :8])


def test_only_what_is_named_is_read(components, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no")
    file = WeightsFile("broken", broken, "embedding", 2, {})
    assert WordShelf(components).used(("a fish",), [file]) == {}
    with pytest.raises(ModelError, match=r"broken\.safetensors is damaged"):
        WordShelf(components).used(("a broken fish",), [file])


def test_words_of_another_family_are_refused(components, tmp_path):
    file = file_of(tmp_path / "wide.safetensors", {"clip_g": torch.ones(1, 1280), "clip_l": torch.ones(1, 768)})
    with pytest.raises(ModelError, match="choose an embedding for its family"):
        WordShelf(components).used(("wide",), [file])


def test_names_are_whole_words():
    assert word_in("bad-hands", "no Bad-Hands, please") and word_in("x", "embedding:x")
    assert not word_in("bad", "bad-hands") and not word_in("art", "cartoon")
    assert split("a b c", ["b"]) == [("a ", None), ("", "b"), (" c", None)]
