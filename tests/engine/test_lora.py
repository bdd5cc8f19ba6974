"""LoRA and its relatives: exact against their papers' formulas, the same alone and in company, gone without a trace."""

from __future__ import annotations

import threading

import pytest
import torch
from safetensors.torch import save_file

from toolkit import GenerationRequest
from toolkit.adapters import LoraUse
from toolkit.engine.adapters.layers import Layer
from toolkit.engine.adapters.lora import LoraShelf
from toolkit.engine.adapters.sets import LoraSet, Use
from toolkit.engine.denoiser import Seat
from toolkit.engine.manager import PipelineManager
from toolkit.errors import EngineError, ModelError, RequestError
from toolkit.model_files import WeightsFile
from toolkit.models import ModelIndex
from toolkit.studio import ROOT, Studio

DOWN, UP = torch.randn(4, 6), torch.randn(5, 4)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.1


@pytest.fixture(scope="module")
def loaded():
    model = ModelIndex([ROOT / "models" / "checkpoints"]).find("limner-starter")
    with PipelineManager("float32").lease(model) as components:
        yield components


@pytest.fixture
def components(loaded):
    predicted(loaded, [(0, LoraSet())])  # a LoRA stays merged until the next call, which may be another test's
    return loaded


def file_of(path, tensors, **metadata):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata)
    return WeightsFile(path.stem, path, "lora", path.stat().st_size, {"base": metadata.get("ss_base_model")})


def attention(components):
    """The denoiser's attention projections by name, with their weights' shapes."""
    return {
        name: tuple(module.weight.shape)
        for name, module in components.unet.named_modules()
        if name.endswith(("to_q", "to_v", "conv1"))
    }


def made(components, path, kind="peft", rank=4, seed=1):
    tensors = {}
    for number, (name, shape) in enumerate(attention(components).items()):
        down = drawn(rank, *shape[1:], seed=seed + number)
        up = drawn(shape[0], rank, *(1,) * (len(shape) - 2), seed=seed + 100 + number)
        if kind == "peft":
            tensors |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
        else:
            stem = "lora_unet_" + name.replace(".", "_")
            alpha = {f"{stem}.alpha": torch.tensor(float(rank))}
            tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, **alpha}
    return file_of(path, tensors)


def test_the_formulas_of_the_papers():
    weight = torch.randn(5, 6)
    lora = Layer({"down": DOWN, "up": UP, "alpha": torch.tensor(2.0)})
    assert torch.allclose(lora.delta(weight.shape), UP @ DOWN * 2 / 4)
    a, b, c, d = torch.randn(5, 2), torch.randn(2, 6), torch.randn(5, 2), torch.randn(2, 6)
    loha = Layer({"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d, "alpha": torch.tensor(1.0)})
    assert torch.allclose(loha.delta(weight.shape), (a @ b) * (c @ d) / 2)
    first, left, right = torch.randn(5, 2), torch.randn(1, 2), torch.randn(2, 3)
    lokr = Layer({"lokr_w1": first, "lokr_w2_a": left, "lokr_w2_b": right, "alpha": torch.tensor(4.0)})
    assert torch.allclose(lokr.delta(weight.shape), torch.kron(first, left @ right) * 4 / 2)
    whole = Layer({"lokr_w1": first, "lokr_w2": torch.randn(1, 3), "alpha": torch.tensor(4.0)})
    assert whole.scale == 1.0
    magnitude = torch.rand(5, 1) + 0.5
    dora = Layer({"down": DOWN, "up": UP, "dora": magnitude})
    moved = weight + UP @ DOWN
    expected = magnitude * moved / moved.norm(dim=1, keepdim=True)
    assert torch.allclose(dora.merged(weight, 1.0), expected, atol=1e-6)
    assert torch.allclose(dora.merged(weight, 0.5), (weight + expected) / 2, atol=1e-6)


def test_a_convolution_with_a_kernel_in_between_is_the_three_convolutions():
    down, mid, up = torch.randn(3, 4, 1, 1), torch.randn(3, 3, 3, 3), torch.randn(6, 3, 1, 1)
    layer = Layer({"down": down, "mid": mid, "up": up})
    picture = torch.randn(2, 4, 8, 8)
    conv = torch.nn.functional.conv2d
    steps = conv(conv(conv(picture, down), mid, padding=1), up)
    assert torch.allclose(conv(picture, layer.delta(torch.Size((6, 4, 3, 3))), padding=1), steps, atol=1e-4)
    inner, outer = layer.low_rank()
    assert torch.allclose(conv(conv(picture, inner, padding=1), outer), steps, atol=1e-4)


@pytest.mark.parametrize("kind", ["peft", "kohya"])
def test_both_namings_mean_the_same_layers(components, tmp_path, kind):
    lora = LoraShelf(components).take(made(components, tmp_path / "a.safetensors", kind))
    assert {place[1] for place in lora.layers} == set(attention(components))
    assert lora.gateable and not lora.reads


def test_rows_with_different_loras_share_a_call_and_each_is_as_alone(components, tmp_path):
    shelf = LoraShelf(components)
    one, two = (shelf.take(made(components, tmp_path / f"{n}.safetensors", rank=n + 2, seed=1000 * n)) for n in (1, 2))
    before = {name: weight.clone() for name, weight in components.unet.state_dict().items()}
    sets = [
        LoraSet((Use(one, 0.8, 0.0),)),
        LoraSet(),
        LoraSet((Use(two, 1.2, 0.0), Use(one, -0.3, 0.0))),
        LoraSet((Use(two, 0.5, 0.0),)),
    ]
    alone = [predicted(components, [(number, own)])[0] for number, own in enumerate(sets)]
    together = predicted(components, list(enumerate(sets)))
    for own, shared in zip(alone, together, strict=True):
        assert (own - shared).abs().max() < 1e-5
    plain = predicted(components, [(0, LoraSet())])[0]
    assert (alone[0] - plain).abs().max() > 1e-3
    for name, weight in components.unet.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_gates_stand_around_what_somebody_else_put_into_a_module(components, tmp_path):
    shelf = LoraShelf(components)
    one, two = (shelf.take(made(components, tmp_path / f"{n}.safetensors", seed=500 * n)) for n in (1, 2))
    jobs = [(0, LoraSet((Use(one, 1.0, 0.0),))), (1, LoraSet((Use(two, 1.0, 0.0),)))]
    before = predicted(components, jobs)
    module = components.unet.get_submodule(next(iter(attention(components))))
    usual, seen = module.forward, []

    def counting(*values, **named):
        seen.append(1)
        return usual(*values, **named)

    module.forward = counting
    try:
        for expected, found in zip(before, predicted(components, jobs), strict=True):
            assert (expected - found).abs().max() < 1e-5
        assert seen and module.forward is counting
    finally:
        del module.forward


def predicted(components, jobs):
    """The denoiser's answers to one call of each job, all waiting at once."""
    results, ready = {}, threading.Barrier(len(jobs))

    def work(number, loras):
        with torch.no_grad(), components.coalescer.job() as turn:
            seat = Seat(turn, components.unet, adapters=loras, calls=2)
            ready.wait()
            sample, text = drawn(1, 4, 16, 16, seed=number) * 10, drawn(1, 77, 128, seed=number) * 10
            results[number] = seat(sample, 500 + number, text[..., : components.unet.config.cross_attention_dim])[0]

    threads = [threading.Thread(target=work, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[number] for number, _ in jobs]


def test_loha_lokr_and_dora_are_merged_apart_and_leave_no_trace(components, tmp_path):
    name, shape = next((n, s) for n, s in attention(components).items() if n.endswith("to_q"))
    stem = "lora_unet_" + name.replace(".", "_")
    size = shape[0]
    files = {
        "loha": {"hada_w1_a": drawn(size, 2), "hada_w1_b": drawn(2, size), "hada_w2_a": drawn(size, 2),
                 "hada_w2_b": drawn(2, size)},
        "lokr": {"lokr_w1": drawn(4, 4), "lokr_w2": drawn(size // 4, size // 4)},
        "dora": {"lora_down.weight": drawn(2, size), "lora_up.weight": drawn(size, 2),
                 "dora_scale": drawn(size, 1).abs() + 1},
    }  # fmt: skip
    module = components.unet.get_submodule(name)
    pristine = module.weight.clone()
    for kind, parts in files.items():
        tensors = {f"{stem}.{part}": tensor for part, tensor in parts.items()}
        lora = LoraShelf(components).take(file_of(tmp_path / f"{kind}.safetensors", tensors))
        assert not lora.gateable
        own = LoraSet((Use(lora, 0.7, 0.0),))
        assert own.apart is not None
        plain = predicted(components, [(0, LoraSet())])[0]
        changed, beside = predicted(components, [(0, own), (1, LoraSet())])
        assert (changed - plain).abs().max() > 1e-6
        assert torch.equal(predicted(components, [(0, LoraSet())])[0], plain)
        assert torch.equal(module.weight, pristine), kind
        assert beside.isfinite().all()


def test_jobs_with_the_same_ungateable_lora_but_different_others_keep_apart(components, tmp_path):
    shelf = LoraShelf(components)
    name, shape = next((n, s) for n, s in attention(components).items() if n.endswith("to_q"))
    factors = {"lokr_w1": drawn(4, 4), "lokr_w2": drawn(shape[0] // 4, shape[0] // 4)}
    stem = "lora_unet_" + name.replace(".", "_")
    tensors = {f"{stem}.{part}": tensor for part, tensor in factors.items()}
    strange = shelf.take(file_of(tmp_path / "lokr.safetensors", tensors))
    low = shelf.take(made(components, tmp_path / "low.safetensors"))
    one, other = (LoraSet((Use(strange, 1.0, 0.0), Use(low, weight, 0.0))) for weight in (0.3, 0.6))
    assert one.apart != other.apart
    assert one.apart == LoraSet((Use(strange, 1.0, 0.0), Use(low, 0.3, 0.0))).apart
    early, late = (LoraSet((Use(strange, 1.0, 0.0, end=0.5),)) for _ in range(2))
    assert early.apart != late.apart
    alone = [predicted(components, [(number, own)])[0] for number, own in enumerate((one, other))]
    for own, shared in zip(alone, predicted(components, [(0, one), (1, other)]), strict=True):
        assert (own - shared).abs().max() < 1e-5


def test_a_lora_works_in_its_part_of_the_steps_only(components, tmp_path):
    lora = LoraShelf(components).take(made(components, tmp_path / "a.safetensors"))
    part = LoraSet((Use(lora, 1.0, 0.0, start=0.25, end=0.75),))
    assert [bool(part.at(progress)) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)] == [False, True, True, False, False]


def test_what_does_not_fit_is_refused_as_a_whole(components, tmp_path):
    shelf = LoraShelf(components)
    name = next(iter(attention(components)))
    good = {f"unet.{name}.lora_A.weight": drawn(2, 3, 3, 3), f"unet.{name}.lora_B.weight": drawn(9, 2, 1, 1)}
    for tensors, words in [
        (good, "another shape"),
        ({"lora_unet_nowhere.lora_down.weight": drawn(2, 2)}, "are not in this model's denoiser"),
        ({"lora_te_text_model_nowhere.lora_down.weight": drawn(2, 2)}, "text encoder"),
        ({f"unet.{name}.oft_blocks": drawn(2, 2)}, "can't be applied"),
        ({f"unet.{name}.lora_A.weight": drawn(2, 2)}, "another shape"),
    ]:
        with pytest.raises(ModelError, match=words) as refused:
            shelf.take(file_of(tmp_path / "wrong.safetensors", tensors, ss_base_model="Another Model"))
        assert (
            ("wrong.safetensors" in str(refused.value)
            and "Another Model" in str(refused.value))
            or "oft" in words
            or ("applied" in words)
        )


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with Studio(tmp_path_factory.mktemp("lora"), dtype="float32") as studio:
        yield studio


def test_a_style_is_there_at_one_and_gone_at_nought(studio):
    plain = GenerationRequest("a red fish on a blue background", seed=4)
    neon = plain.with_(prompt=plain.prompt + " <lora:limner-starter-neon:1>")
    resolved = studio.prepare(neon)
    assert resolved.prompt == plain.prompt and resolved.loras == (LoraUse("limner-starter-neon"),)
    assert studio.prepare(resolved) == resolved
    first, with_style, without, half = (
        torch.tensor(list(studio.generate(request)[0].image.tobytes()), dtype=torch.float32)
        for request in (plain, neon, plain.with_(loras=(LoraUse("limner-starter-neon", 0.0),)),
                        plain.with_(loras=(LoraUse("limner-starter-neon", 0.5),)))
    )  # fmt: skip
    assert torch.equal(first, without)
    assert (with_style - first).abs().mean() > (half - first).abs().mean() > 2


def test_a_lora_that_is_not_here_is_named(studio):
    with pytest.raises(RequestError, match="limner-starter-neon"):
        studio.prepare(GenerationRequest("a fish <lora:starter-neon:1>"))
    with pytest.raises(RequestError, match="write <lora"):
        studio.prepare(GenerationRequest("a fish <lora:x:much>"))


def test_a_damaged_lora_fails_its_job_and_no_other(studio, tmp_path_factory):
    folder = ROOT / "models" / "loras"
    assert folder.is_dir()
    plain = GenerationRequest("a red fish on a blue background", seed=4)
    before = studio.generate(plain)[0].image
    name, shape = "conv_in", (1, 1, 1, 1)
    path = tmp_path_factory.mktemp("models") / "wrong.safetensors"
    save_file({f"unet.{name}.lora_A.weight": drawn(*shape), f"unet.{name}.lora_B.weight": drawn(*shape)}, path)
    studio.models.where.places += (path.parent,)
    try:
        with pytest.raises(EngineError, match=r"wrong\.safetensors"):
            studio.generate(plain.with_(loras=(LoraUse("wrong"),)))
    finally:
        studio.models.where.places = studio.models.where.places[:-1]
    assert studio.generate(plain)[0].image.tobytes() == before.tobytes()
