"""On for the calls of the jobs that asked, and off again whatever happens."""

from pathlib import Path

import pytest

from toolkit.plugins import calls
from toolkit.request import GenerationRequest

FOLDER = Path(__file__).resolve().parent.parent


class Denoiser:
    """What diffusers' UNet has for FreeU."""

    on = None

    def enable_freeu(self, **options):
        self.on = options

    def disable_freeu(self):
        self.on = None


def test_it_is_on_only_inside_a_call(load_plugin):
    plugins, denoiser = load_plugin(FOLDER), Denoiser()
    assert calls.denoising(plugins, denoiser, GenerationRequest("x")) is None
    around = calls.denoising(plugins, denoiser, GenerationRequest("x", extras={"freeu": {"on": True, "b1": 1.5}}))
    with around():
        assert denoiser.on == {"b1": 1.5, "b2": 1.2, "s1": 0.9, "s2": 0.2}
    assert denoiser.on is None
    with pytest.raises(ZeroDivisionError), around():
        _ = 1 / 0
    assert denoiser.on is None


def test_the_starter_draws_another_picture_with_it(studio_with, run_job):
    pytest.importorskip("torch")
    with studio_with(FOLDER, engine="inline") as studio:
        [plain] = run_job(studio, GenerationRequest("a red fish", seed=3))
        [freed] = run_job(studio, GenerationRequest("a red fish", seed=3, extras={"freeu": {"on": True}}))
        [again] = run_job(studio, GenerationRequest("a red fish", seed=3))
    assert freed.image.tobytes() != plain.image.tobytes()
    assert again.image.tobytes() == plain.image.tobytes(), "the denoiser is left as it was"
