"""SDXL's LoRAs in the trainers' original numbering of blocks, and for both text encoders, by the formula alone."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from tests.engine.checkpoint_makers import write_checkpoint
from toolkit.engine.adapters.lora import LoraShelf, module_of
from toolkit.engine.adapters.sets import LoraSet, LoraSwitch, Use, reading
from toolkit.engine.manager import PipelineManager
from toolkit.model_files import WeightsFile
from toolkit.models import ModelIndex

# Trainers' names, and the modules that they mean, written down from the structure of SDXL.
UNET = {
    "input_blocks_0_0": "conv_in",
    "input_blocks_1_0_in_layers_2": "down_blocks.0.resnets.0.conv1",
    "input_blocks_2_0_emb_layers_1": "down_blocks.0.resnets.1.time_emb_proj",
    "input_blocks_3_0_op": "down_blocks.0.downsamplers.0.conv",
    "input_blocks_4_0_out_layers_3": "down_blocks.1.resnets.0.conv2",
    "input_blocks_4_1_proj_in": "down_blocks.1.attentions.0.proj_in",
    "input_blocks_5_1_transformer_blocks_1_attn2_to_k": "down_blocks.1.attentions.1.transformer_blocks.1.attn2.to_k",
    "input_blocks_7_0_skip_connection": "down_blocks.2.resnets.0.conv_shortcut",
    "input_blocks_8_1_transformer_blocks_9_ff_net_0_proj":
        "down_blocks.2.attentions.1.transformer_blocks.9.ff.net.0.proj",
    "middle_block_1_transformer_blocks_3_attn1_to_out_0": "mid_block.attentions.0.transformer_blocks.3.attn1.to_out.0",
    "middle_block_2_in_layers_2": "mid_block.resnets.1.conv1",
    "output_blocks_1_1_transformer_blocks_0_attn1_to_q": "up_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q",
    "output_blocks_2_2_conv": "up_blocks.0.upsamplers.0.conv",
    "output_blocks_5_1_proj_out": "up_blocks.1.attentions.2.proj_out",
    "output_blocks_8_0_in_layers_2": "up_blocks.2.resnets.2.conv1",
    "time_embed_0": "time_embedding.linear_1",
    "label_emb_0_2": "add_embedding.linear_2",
    "out_2": "conv_out",
}  # fmt: skip
TEXT = {
    "lora_te1_text_model_encoder_layers_0_self_attn_q_proj": ("text_encoder", "encoder.layers.0.self_attn.q_proj"),
    "lora_te2_text_model_encoder_layers_3_mlp_fc1": ("text_encoder_2", "encoder.layers.3.mlp.fc1"),
    "lora_te2_text_model_encoder_layers_31_self_attn_out_proj":
        ("text_encoder_2", "encoder.layers.31.self_attn.out_proj"),
}  # fmt: skip


@pytest.fixture(scope="module")
def components(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdxl") / "checkpoints"
    folder.mkdir()
    write_checkpoint(folder / "tiny.safetensors", "sdxl")
    with PipelineManager("float32").lease(ModelIndex([folder]).find("tiny")) as components:
        yield components


def text_module(components, place):
    encoder = components.text.readers[0 if place[0] == "text_encoder" else 1].encoder
    return next(module for name, module in encoder.named_modules() if name.removeprefix("text_model.") == place[1])


def parts(shape, chance):
    down = torch.randn(3, *shape[1:], generator=chance) * 0.1
    up = torch.randn(shape[0], 3, *(1,) * (len(shape) - 2), generator=chance) * 0.1
    return down, up, torch.tensor(1.5)


def test_the_original_numbering_and_both_text_encoders_are_merged_by_the_formula(components, tmp_path):
    chance = torch.Generator().manual_seed(2)
    modules = {f"lora_unet_{name}": components.unet.get_submodule(path) for name, path in UNET.items()}
    modules |= {name: text_module(components, place) for name, place in TEXT.items()}
    made = {name: parts(module.weight.shape, chance) for name, module in modules.items()}
    tensors = {}
    for name, (down, up, alpha) in made.items():
        tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": alpha}
    path = tmp_path / "style.safetensors"
    save_file(tensors, path)
    lora = LoraShelf(components).take(WeightsFile("style", path, "lora", path.stat().st_size, {}))
    assert len(lora.layers) == len(modules)
    assert {id(module_of(components, place)) for place in lora.layers} == {id(module) for module in modules.values()}

    before = {name: module.weight.detach().clone() for name, module in modules.items()}

    def expected(name, weight):
        down, up, alpha = made[name]
        change = (up.flatten(1) @ down.flatten(1)).reshape(before[name].shape)
        return before[name] + weight * change * alpha / 3

    switch = LoraSwitch(components)
    switch.merge(((lora, 0.8),))
    with reading(components, LoraSet((Use(lora, 0.8, 0.4),))):
        for name, module in modules.items():
            weight = 0.8 if name.startswith("lora_unet_") else 0.4
            assert (module.weight - expected(name, weight)).abs().max() < 1e-6, name
            assert (module.weight - before[name]).abs().max() > 1e-4, name
    switch.merge(())
    for name, module in modules.items():
        assert torch.equal(module.weight, before[name]), name
