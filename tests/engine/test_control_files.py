"""ControlNets in one file under their original names are the ones that diffusers knows, weight for weight."""

from __future__ import annotations

import re

import pytest
import torch
from diffusers import ControlNetModel
from safetensors.torch import save_file

from tests.engine.checkpoint_makers import write_checkpoint
from toolkit.controls import control_files
from toolkit.engine.adapters.control_nets import ControlShelf
from toolkit.engine.manager import PipelineManager
from toolkit.errors import ModelError
from toolkit.models import ModelIndex

_RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
           "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip
_WHOLE = {
    "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "controlnet_mid_block": "middle_block_out.0", "controlnet_cond_embedding.conv_in": "input_hint_block.0",
    "controlnet_cond_embedding.conv_out": "input_hint_block.14",
}  # fmt: skip


def original(name: str) -> str:
    """The name that the first implementation gives to what diffusers calls `name`."""
    layer, _, end = name.rpartition(".")
    if layer in _WHOLE:
        return f"{_WHOLE[layer]}.{end}"
    if found := re.fullmatch(r"controlnet_cond_embedding\.blocks\.(\d+)", layer):
        return f"input_hint_block.{2 + 2 * int(found[1])}.{end}"
    if found := re.fullmatch(r"controlnet_down_blocks\.(\d+)", layer):
        return f"zero_convs.{found[1]}.0.{end}"
    if found := re.fullmatch(r"down_blocks\.(\d+)\.downsamplers\.0\.conv", layer):
        return f"input_blocks.{3 + 3 * int(found[1])}.0.op.{end}"
    block, kind, number, rest = re.fullmatch(r"(down_blocks\.\d+|mid_block)\.(\w+)\.(\d+)\.(.+)", layer).groups()
    if block == "mid_block":
        place = f"middle_block.{1 if kind == 'attentions' else 2 * int(number)}"
    else:
        place = f"input_blocks.{1 + 3 * int(block.rpartition('.')[2]) + int(number)}.{int(kind == 'attentions')}"
    return f"{place}.{_RESNET.get(rest, rest)}.{end}"


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("prefix", ["control_model.", ""])
def test_original_names_become_diffusers_own(family, prefix, tmp_path):
    (tmp_path / "controlnet").mkdir()
    (tmp_path / "checkpoints").mkdir()
    write_checkpoint(tmp_path / "checkpoints" / "tiny.safetensors", family)
    index = ModelIndex([tmp_path])
    with PipelineManager("float32").lease(index.find("tiny")) as components:
        torch.manual_seed(1)
        net = ControlNetModel.from_unet(components.unet).eval()
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.05)
        tensors = {prefix + original(name): weight.contiguous() for name, weight in net.state_dict().items()}
        assert len(tensors) == len(net.state_dict())
        save_file(tensors, tmp_path / "controlnet" / "canny.safetensors")
        [file] = control_files(index)
        assert file.name == "canny" and file.config is None and file.fits(components.model)
        own = ControlShelf(components).take(file).model.state_dict()
        assert own.keys() == net.state_dict().keys()
        for name, weight in net.state_dict().items():
            assert torch.equal(own[name], weight), name


def test_a_file_of_diffusers_own_names_needs_no_folder(tmp_path):
    (tmp_path / "controlnet").mkdir()
    (tmp_path / "checkpoints").mkdir()
    write_checkpoint(tmp_path / "checkpoints" / "tiny.safetensors", "sd1")
    index = ModelIndex([tmp_path])
    with PipelineManager("float32").lease(index.find("tiny")) as components:
        net = ControlNetModel.from_unet(components.unet)
        path = tmp_path / "controlnet" / "depth.safetensors"
        save_file({name: weight.contiguous() for name, weight in net.state_dict().items()}, path)
        loaded = ControlShelf(components).take(control_files(index)[0]).model
        assert torch.equal(loaded.conv_in.weight, net.conv_in.weight)
        whole = net.state_dict().items()
        lacking = {name: weight.contiguous() for name, weight in whole if not name.startswith("mid_block")}
        save_file(lacking, path)
        with pytest.raises(ModelError, match=r"controlnet/depth\.safetensors is no ControlNet for"):
            ControlShelf(components).take(control_files(index)[0])


def test_kept_nets_are_counted_used_ones_stay_and_all_go_with_their_model(tmp_path):
    (tmp_path / "controlnet").mkdir()
    (tmp_path / "checkpoints").mkdir()
    write_checkpoint(tmp_path / "checkpoints" / "tiny.safetensors", "sd1")
    index = ModelIndex([tmp_path])
    with PipelineManager("float32").lease(index.find("tiny")) as components:
        net = ControlNetModel.from_unet(components.unet)
        tensors = {name: weight.contiguous() for name, weight in net.state_dict().items()}
        for name in "abcd":
            save_file(tensors, tmp_path / "controlnet" / f"{name}.safetensors")
        files = {file.name: file for file in control_files(index)}
        shelf = ControlShelf(components)
        one = sum(weight.numel() * 4 for weight in net.parameters())
        taken = {name: shelf.take(files[name]) for name in "abc"}
        assert shelf.bytes == 3 * one
        assert shelf.take(files["a"]) is taken["a"]
        shelf.take(files["d"])
        assert shelf.bytes == 3 * one
        assert shelf.take(files["a"]) is taken["a"] and shelf.take(files["b"]) is not taken["b"]
        shelf.clear()
        assert shelf.bytes == 0
