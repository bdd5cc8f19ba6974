"""Fixtures for tests of plugins, as a plugin of pytest: `-p toolkit.testing`. Nothing here needs a network, and torch
only who asks for the starter model.

`load_plugin(folder)` loads a plugin by the studio's own door and fails the test when it isn't active; `finish(name,
image, **options)` runs a finishing step of the plugins loaded so far, `preprocess` a preprocessor and `export` an
exporter; `studio_with(*folders)` is a studio with the sketch engine or the starter model, and `run_job` draws with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from toolkit.adapters import ControlUse
from toolkit.finishing import FinishStep
from toolkit.geometry import Size
from toolkit.plugins import calls
from toolkit.plugins.choices import FILE as CHOICES
from toolkit.plugins.choices import Choices
from toolkit.plugins.plugins import Plugins
from toolkit.plugins.states import State
from toolkit.request import GenerationRequest, Sampling

if TYPE_CHECKING:
    from PIL.Image import Image

    from toolkit.jobs import GeneratedImage
    from toolkit.studio import Studio


@pytest.fixture
def plugin_data(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "plugin-data"
    folder.mkdir()
    return folder


@pytest.fixture
def load_plugin(plugin_data: Path) -> Callable[..., Plugins]:
    """`load_plugin(folder)`: the plugins, with the one in `folder` active, and those loaded before it."""
    given: list[Path] = []

    def load(folder: Path | str) -> Plugins:
        given.append(Path(folder).resolve())
        # One that is off until its owner switches it on is on where it is tested.
        Choices(plugin_data / CHOICES).enable(given[-1].name, True)
        plugins = Plugins(plugin_data, own=None, given=given)
        plugin = plugins.get(given[-1].name)
        said = f"{plugin.name} is {plugin.state.value}: {plugin.reason}\n{plugin.traceback}"
        assert plugin.state is State.ACTIVE, said
        load.plugins = plugins
        return plugins

    return load


@pytest.fixture
def finish(load_plugin: Callable[..., Plugins]) -> Callable[..., Image]:
    """`finish(name, image, **options)`: the picture after one finishing step, run like in the engine."""

    def run(name: str, image: Image, seed: int = 0, **options: Any) -> Image:
        plugins: Plugins = load_plugin.plugins
        request = GenerationRequest("test", seed=seed, size=Size(*image.size), finish=(FinishStep(name, options),))
        checked = calls.prepare(plugins, request)
        done = calls.finish(plugins, image, checked)
        assert not done.notes, done.notes
        return done.image

    return run


@pytest.fixture
def preprocess(load_plugin: Callable[..., Plugins]) -> Callable[..., Image]:
    """`preprocess(name, image, **options)`: the picture that a ControlNet would follow, run like in the engine."""

    def run(name: str, image: Image, **options: Any) -> Image:
        plugins: Plugins = load_plugin.plugins
        use = ControlUse("any", "0" * 64, preprocessor=name, options=options)
        checked = calls.check_preprocessors(plugins, GenerationRequest("test", seed=0, controls=(use,)))
        return calls.preprocess(plugins, checked.controls[0], image, checked)

    return run


@pytest.fixture
def export(load_plugin: Callable[..., Plugins]) -> Callable[..., bytes]:
    """`export(name, image)`: the bytes of the other file that an exporter makes of a picture."""

    def run(name: str, image: Image) -> bytes:
        return calls.export(load_plugin.plugins, name, image, GenerationRequest("test", seed=0))

    return run


@pytest.fixture
def studio_with(plugin_data: Path) -> Callable[..., Any]:
    """`with studio_with(folder) as studio`: a studio with the plugins in these folders, that sketches.

    With `engine="inline"` it draws with the starter model instead, which takes seconds.
    """

    @contextmanager
    def opened(*folders: Path | str, engine: str = "sketch") -> Iterator[Studio]:
        from toolkit.settings import load_settings
        from toolkit.studio import Studio

        settings = load_settings(data=plugin_data)
        plugins = Plugins(plugin_data, own=None, given=[Path(folder).resolve() for folder in folders])
        with Studio(settings=settings, engine=engine, plugins=plugins) as studio:
            yield studio

    return opened


@pytest.fixture
def run_job() -> Callable[..., list[GeneratedImage]]:
    """`run_job(studio, request)`: the pictures of a request, two steps each."""

    def run(studio: Studio, request: GenerationRequest) -> list[GeneratedImage]:
        return studio.generate(replace(request, sampling=replace(request.sampling or Sampling(), steps=2)))

    return run
