"""The engine on threads of this process, for scripts; the process engine runs the same one inside its worker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.engine.control import Control, Drawn, Patience
from toolkit.engine.offline import stay_offline
from toolkit.engine.preprocessing import ControlAsk, Preprocessing, Told
from toolkit.engine.protocol import EXPRESS, JOBS_AT_ONCE, EngineJob, OnDeath, OnEvent
from toolkit.engine.runner import JobRunner
from toolkit.errors import LimnerError
from toolkit.models import ModelIndex
from toolkit.warmth import folder_beside

if TYPE_CHECKING:
    from toolkit.engine.drawing import Drawer
    from toolkit.engine.manager import PipelineManager
    from toolkit.plugins.plugins import Plugins

log = logging.getLogger(__name__)


class InlineEngine:
    """Draws on job threads. torch and diffusers are imported by the first job or `warm`, whichever comes first."""

    def __init__(
        self, models: ModelIndex, *, dtype: str = "auto", name: str = "inline", plugins: Plugins | None = None,
        patience: Patience | None = None, attention: str = "auto",
    ) -> None:  # fmt: skip
        self._attention = attention
        self.capacity, self.express = JOBS_AT_ONCE, EXPRESS
        self._models, self._dtype, self._name, self._patience = models, dtype, name, patience
        self._runner = self._hire(plugins)
        self._preprocessing = Preprocessing(lambda: self._runner.plugins, self._device, patience)
        self._on_death: OnDeath = lambda reason: None
        self._opening = threading.Lock()
        self._opened: tuple[PipelineManager, Drawer] | None = None

    def start(self, on_event: OnEvent, on_death: OnDeath) -> None:
        self._on_death = on_death
        self._runner.start(on_event)

    def _hire(self, plugins: Plugins | None) -> JobRunner:
        return JobRunner(self._draw, self.capacity + self.express, plugins, self._patience, self._stuck, self._hung)

    def _hung(self) -> bool:
        """Whether a denoiser has been in one call for longer than a step may last."""
        longest = (self._patience or Patience()).least
        return self._opened is not None and self._opened[0].longest_call() >= longest

    def _stuck(self, reason: str) -> None:
        """Start afresh: a thread that hangs inside a model holds what the other jobs need."""
        with self._opening:
            hung, self._runner = self._runner, self._hire(self._runner.plugins)
            self._opened = None
        hung.abandon()
        self._on_death(reason)

    def submit(self, job: EngineJob) -> None:
        self._runner.submit(job)

    def cancel(self, job_id: str) -> None:
        self._runner.cancel(job_id)

    def skip(self, job_id: str, picture: int | None = None) -> None:
        self._runner.skip(job_id, picture)

    def warm(self, model: str) -> None:
        threading.Thread(target=self._warm, args=(model,), name="warm", daemon=True).start()

    def preprocess(self, ask: ControlAsk, told: Told) -> None:
        self._preprocessing.ask(ask, told)

    def _device(self) -> str:
        return self._opened[0].device.type if self._opened is not None else "cpu"

    def use(self, plugins: Plugins) -> None:
        """Take other plugins from the next job on."""
        self._runner.plugins = plugins

    def stats(self) -> Mapping[str, Any]:
        known: dict[str, Any] = {"engine": self._name, "alive": True, "capacity": self.capacity}
        known["running"] = self._runner.running
        if self._opened is None:
            return {**known, "device": "unknown", "dtype": self._dtype, "models": []}
        manager = self._opened[0]
        dtype = str(manager.dtype).removeprefix("torch.")
        known |= {"device": manager.device.type, "dtype": dtype, "budget": manager.budget}
        return {**known, "models": manager.loaded()}

    @property
    def hung_beside(self) -> bool:
        """Whether a thread hangs beside the drawing that only the end of the process frees, while nothing is done."""
        return self._preprocessing.stuck and self._runner.running == 0

    def close(self, timeout: float = 30.0) -> None:
        self._runner.close(timeout)
        if self._opened is not None:
            self._opened[0].close()

    def open(self) -> tuple[PipelineManager, Drawer]:
        """Import what draws and look for the device; takes seconds the first time."""
        with self._opening:
            if self._opened is None:
                stay_offline()
                from toolkit.engine.drawing import Drawer
                from toolkit.engine.manager import PipelineManager

                told = folder_beside(self._models.where)
                manager = PipelineManager(self._dtype, told=told, attention=self._attention)
                self._opened = manager, Drawer(self._models, manager, self._name, lambda: self._runner.plugins)
            return self._opened

    def _draw(self, job: EngineJob, control: Control) -> Drawn:
        control.phase("loading")
        return self.open()[1].draw(job, control)

    def _warm(self, name: str) -> None:
        try:
            with self.open()[0].lease(self._models.find(name)):
                pass
        except LimnerError as error:
            log.info("%s could not be loaded ahead: %s", name, error)
