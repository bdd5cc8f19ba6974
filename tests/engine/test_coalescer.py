"""Jobs that share denoiser calls: the same numbers as alone, and nobody's trouble is another's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import torch
from diffusers import UNet2DConditionModel, UNet2DModel

from toolkit.bench.shapes import EIGHT, Shape, Sketch
from toolkit.engine.coalescer import MOST_CELLS, Coalescer
from toolkit.engine.denoiser import Seat
from toolkit.engine.merging import Inputs, UNetRules
from toolkit.errors import Cancelled

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shape() -> Shape:
    return Shape("tiny", CPU, torch.float32)


@pytest.fixture
def coalescer(shape) -> Coalescer:
    return Coalescer(shape.unet)


def inputs(rows: int = 2, seed: int = 0, *, side: int = 8, tokens: int = 77, **others) -> Inputs:
    chance = torch.Generator().manual_seed(seed)
    sample = torch.randn(rows, 4, side, side, generator=chance)
    text = torch.randn(rows, tokens, 32, generator=chance)
    return Inputs(sample, torch.linspace(900, 10, rows), text, others)


def at_once(*jobs: Callable[[], None]) -> None:
    """Run the jobs on threads of their own; an error in one of them is the test's."""
    errors: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            with torch.no_grad():
                job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a job hangs"
    if errors:
        raise errors[0]


def together(coalescer: Coalescer, asked: dict[str, Inputs], **places) -> dict[str, torch.Tensor]:
    """What each job's one call gives, when all of them wait at the same moment; errors are given in their place."""
    results: dict[str, torch.Tensor] = {}
    ready = threading.Barrier(len(asked))

    def job(name: str) -> Callable[[], None]:
        def run() -> None:
            with coalescer.job(who=name, **places.get(name, {})) as turn:
                turn.active = True  # as after its first call: the others wait for it
                ready.wait()
                try:
                    results[name] = turn.predict(asked[name])
                except (RuntimeError, Cancelled) as error:
                    results[name] = error

        return run

    at_once(*(job(name) for name in asked))
    return results


def alone(unet: UNet2DConditionModel, one: Inputs) -> torch.Tensor:
    with torch.no_grad():
        return unet(one.sample, one.timestep, one.text, return_dict=False, **one.others)[0]


def residuals(seed: int, rows: int, side: int = 8) -> dict[str, object]:
    """What a ControlNet would add to each block of the tiny denoiser."""
    chance = torch.Generator().manual_seed(seed)
    shapes = [(32, side), (32, side), (32, side // 2), (64, side // 2)]
    made = tuple(torch.randn(rows, channels, edge, edge, generator=chance) for channels, edge in shapes)
    return {
        "down_block_additional_residuals": made,
        "mid_block_additional_residual": torch.randn(rows, 64, side // 2, side // 2, generator=chance),
    }


def test_one_call_for_prompts_of_any_length_guided_or_not_with_and_without_control(shape, coalescer):
    asked = {
        "guided": inputs(2, 1), "plain": inputs(1, 2), "long": inputs(2, 3, tokens=154),
        "longer": inputs(1, 4, tokens=231), "control": inputs(2, 5, **residuals(5, 2)), "four": inputs(4, 6),
    }  # fmt: skip
    found = together(coalescer, asked)
    assert coalescer.batches == 1
    for name, one in asked.items():
        assert (found[name] - alone(shape.unet, one)).abs().max() <= 1e-5, name


def test_added_conditions_of_sdxl_are_joined():
    torch.manual_seed(1)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=32, norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=80,
        attention_head_dim=8,
    ).eval()  # fmt: skip
    coalescer = Coalescer(unet)

    def added(seed: int) -> dict[str, object]:
        pooled = torch.randn(2, 32, generator=torch.Generator().manual_seed(seed))
        return {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": torch.full((2, 6), float(seed))}}

    asked = {"one": inputs(2, 1, **added(64)), "two": inputs(2, 2, tokens=154, **added(512))}
    found = together(coalescer, asked)
    assert coalescer.batches == 1
    for name, one in asked.items():
        assert (found[name] - alone(unet, one)).abs().max() <= 1e-5


def test_other_sizes_exact_jobs_and_patches_are_groups_of_their_own(shape, coalescer):
    asked = {name: inputs(2, seed) for seed, name in enumerate(("a", "b", "exact"))}
    asked |= {"large": inputs(2, 7, side=16), "odd": inputs(2, 8, cross_attention_kwargs={"scale": 0.5})}
    found = together(coalescer, asked, exact={"exact": True})
    assert coalescer.batches == 4
    assert torch.equal(found["exact"], alone(shape.unet, asked["exact"])), "an exact job is the same to the bit"


def test_eight_pipelines_draw_what_each_draws_alone(shape, coalescer):
    with torch.no_grad():
        expected = [shape.draw(shape.unet, sketch) for sketch in EIGHT]
    drawn: dict[int, torch.Tensor] = {}

    def job(number: int, sketch: Sketch) -> Callable[[], None]:
        def run() -> None:
            time.sleep(0.02 * number)  # one after the other joins, and leaves after its own number of steps
            with coalescer.job(f"person {number % 3}") as turn:
                drawn[number] = shape.draw(Seat(turn, shape.unet, calls=sketch.steps), sketch)

        return run

    at_once(*(job(number, sketch) for number, sketch in enumerate(EIGHT)))
    assert coalescer.calls == sum(sketch.steps for sketch in EIGHT)
    assert coalescer.batches < coalescer.calls / 1.5
    for number, latents in enumerate(expected):
        assert (drawn[number] - latents).abs().max() <= 1e-5 * latents.abs().max() * EIGHT[number].steps


def test_an_error_is_only_that_of_the_job_whose_rows_are_wrong(shape, coalescer):
    good = {name: inputs(2, seed) for seed, name in enumerate(("a", "b", "c"))}
    wrong = inputs(
        2,
        9,
        down_block_additional_residuals=(torch.zeros(2, 5, 8, 8),),
        mid_block_additional_residual=torch.zeros(2, 1, 1, 1),
    )
    found = together(coalescer, {**good, "wrong": wrong})
    assert isinstance(found["wrong"], RuntimeError)
    for name, one in good.items():
        assert (found[name] - alone(shape.unet, one)).abs().max() <= 1e-5


class Small(UNet2DConditionModel):
    """A denoiser on a device with room for `room` rows."""

    room = 3

    def forward(self, sample, *args, **kwargs):
        if len(sample) > self.room:
            raise torch.OutOfMemoryError(f"CUDA out of memory for {len(sample)} rows")
        return super().forward(sample, *args, **kwargs)


@pytest.fixture
def small(shape) -> Small:
    return Small.from_config(shape.unet.config).eval().requires_grad_(False)


def test_out_of_memory_halves_the_batch_and_goes_on(small):
    coalescer = Coalescer(small)
    asked = {name: inputs(2, seed) for seed, name in enumerate("abcdef")} | {"big": inputs(8, 9)}
    found = together(coalescer, asked)
    assert (
        found["big"] - torch.cat([alone(small, UNetRules().cut(asked["big"], i, i + 2)) for i in (0, 2, 4, 6)])
    ).abs().max() < 1e-5
    for name in "abcdef":
        assert (found[name] - alone(small, asked[name])).abs().max() <= 1e-5
    assert coalescer.most_cells == MOST_CELLS["cpu"], "nothing of it stays for later pictures"
    with coalescer.job():
        together(coalescer, asked)
        assert coalescer.most_cells <= 3 * 64
        tries = coalescer.batches
        again = together(coalescer, {"a": asked["a"], "b": asked["b"]})
        assert coalescer.batches == tries + 2, "while jobs go on, what was learned about the memory is remembered"
    assert torch.equal(again["a"], alone(small, asked["a"]))
    small.room = 0
    assert isinstance(together(coalescer, {"a": asked["a"]})["a"], torch.OutOfMemoryError)


def test_cancelling_one_job_frees_it_at_once_and_leaves_the_others_alone(shape, coalescer):
    with torch.no_grad():
        expected = shape.draw(shape.unet, EIGHT[0])
    stop, drawn = threading.Event(), {}

    def checkpoint() -> None:
        if stop.is_set():
            raise Cancelled("The job was cancelled.")

    def stopped() -> None:
        with pytest.raises(Cancelled), coalescer.job("b", checkpoint=checkpoint) as turn:
            shape.draw(Seat(turn, shape.unet, transforms=[cancelling]), Sketch("euler", 400, 5.0, 1, 3))

    def cancelling(rest, rows: Inputs) -> torch.Tensor:
        if coalescer.calls > 12:
            stop.set()
        checkpoint()
        return rest(rows)

    def other() -> None:
        with coalescer.job("a") as turn:
            drawn["a"] = shape.draw(Seat(turn, shape.unet), EIGHT[0])

    at_once(stopped, other)
    assert coalescer.calls < 60
    assert (drawn["a"] - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert coalescer.running == 0


def test_a_waiting_job_can_be_cancelled_while_the_denoiser_is_busy(shape):
    busy, go_on = threading.Event(), threading.Event()

    class Slow(UNet2DConditionModel):
        def forward(self, *args, **kwargs):
            busy.set()
            go_on.wait(30)
            return super().forward(*args, **kwargs)

    coalescer = Coalescer(Slow.from_config(shape.unet.config).eval())

    def slow() -> None:
        with coalescer.job("slow") as turn:
            turn.predict(inputs(1))

    def impatient() -> None:
        busy.wait(30)
        asked = time.monotonic()

        def checkpoint() -> None:
            raise Cancelled("The job was cancelled.")

        with pytest.raises(Cancelled), coalescer.job("impatient", checkpoint=checkpoint) as turn:
            turn.predict(inputs(1))
        assert time.monotonic() - asked < 5
        assert not go_on.is_set()
        go_on.set()

    at_once(slow, impatient)


def test_two_people_share_the_time_however_many_jobs_each_has(shape):
    """Six jobs of one person and one of another that can't join them: each person gets half of the denoiser."""
    coalescer = Coalescer(shape.unet)
    served: list[str] = []

    class Record:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    def around(calls) -> Record:
        served.append(calls[0].turn.who)
        return Record()

    coalescer.around.append(around)
    stop = threading.Event()

    def job(who: str, side: int, calls: int) -> Callable[[], None]:
        def run() -> None:
            with coalescer.job(who) as turn:
                for number in range(calls):
                    if stop.is_set():
                        return
                    turn.predict(inputs(2, number, side=side))
                stop.set()

        return run

    at_once(*(job("many", 16, 10_000) for _ in range(6)), job("one", 8, 30))
    assert served.count("one") == 30
    assert served.count("many") <= 2 * 30, "one person's six jobs kept another waiting"


def test_a_patch_is_in_force_for_its_own_calls_only(shape, coalescer):
    depth, seen = [0], []
    shape.unet.register_forward_pre_hook(lambda *_: seen.append(depth[0]))

    class Patch:
        def __enter__(self):
            depth[0] += 1

        def __exit__(self, *_):
            depth[0] -= 1

    def job(patch) -> Callable[[], None]:
        def run() -> None:
            with coalescer.job("patched" if patch else "plain") as turn:
                for number in range(5):
                    turn.predict(inputs(1, number), patch=patch, patch_key="free-u" if patch else None)

        return run

    at_once(job(Patch), job(Patch), job(None))
    assert set(seen) == {0, 1}
    assert depth == [0]


def test_closing_waits_for_the_call_that_nobody_waits_for_any_more(shape, coalescer):
    started, finished = threading.Event(), []

    class Slow(UNet2DConditionModel):
        def forward(self, *args, **kwargs):
            started.set()
            time.sleep(0.6)
            finished.append(True)
            return super().forward(*args, **kwargs)

    coalescer = Coalescer(Slow.from_config(shape.unet.config).eval())

    def cancelled() -> None:
        def checkpoint() -> None:
            raise Cancelled("The job was cancelled.")

        with pytest.raises(Cancelled), coalescer.job(checkpoint=checkpoint) as turn:
            turn.predict(inputs(1))

    at_once(cancelled)
    assert started.is_set()
    assert not finished
    coalescer.close()
    assert finished
    coalescer.close()
    assert together(coalescer, {"a": inputs(1)})["a"].shape == (1, 4, 8, 8), "it opens again for the next job"


def test_a_class_without_rules_runs_alone_and_says_so():
    unet = UNet2DModel(
        sample_size=8,
        block_out_channels=(32,),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
    )
    coalescer = Coalescer(unet)
    assert "UNet2DModel" in coalescer.alone(exact=False)
    assert coalescer.alone(exact=True) == "exact"
    assert Coalescer(Shape("tiny", CPU, torch.float32).unet).alone(exact=False) == ""
