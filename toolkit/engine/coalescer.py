"""Many jobs, one denoiser call: whatever waits at the same moment is predicted together.

Each job runs diffusers' own pipeline on its own thread. Where the pipeline calls its UNet it calls the job's seat,
which hands the rows in here and waits; one thread takes all rows that wait, calls the denoiser once and hands the
results back. Jobs join and leave between any two steps, whatever their sampler, step, prompt, guidance or mode.

    coalescer = Coalescer(unet)
    with coalescer.job(who="ann", checkpoint=control.checkpoint) as turn:
        pipeline = components.pipeline("text", Seat(turn, unet), scheduler)
        latents = pipeline(prompt_embeds=…, output_type="latent", …).images

A job counts as running from its first call to the end of the `with`, so encoding and decoding belong outside of it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import torch

from toolkit.engine.activations import Activations
from toolkit.engine.device import free_cache, keep_freed_memory, out_of_memory
from toolkit.engine.merging import Inputs, rules_for

log = logging.getLogger(__name__)

MOST_ROWS = {"cpu": 16, "mps": 16, "cuda": 32}
# Rows times latent pixels of one call: 16 pictures of 512 × 512 on a CPU. More is slower there, and takes memory.
MOST_CELLS = {"cpu": 2**16, "mps": 2**16, "cuda": 2**20}
# A call waits for its company while others keep arriving, at most so long; a slow denoiser is worth a longer wait.
_GAP, _GAP_SHARE = 0.003, 0.3
_LONGEST_WAIT, _WAIT_SHARE = 0.02, 0.5
_LOOK = 0.25
_IDLE = 2.0

Patch = Callable[[], AbstractContextManager[Any]]


@dataclass(eq=False)
class Call:
    """One job's rows, waiting to be predicted. `progress` in [0, 1] is how far the job's steps are."""

    turn: Turn
    inputs: Inputs
    key: Hashable
    patch: Patch | None
    adapters: Any
    progress: float
    arrived: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    result: torch.Tensor | None = None
    error: BaseException | None = None

    @property
    def rows(self) -> int:
        return self.inputs.rows

    @property
    def cells(self) -> int:
        """Rows × latent height × latent width, which the memory of a denoiser's call grows with."""
        return self.inputs.sample.shape[0] * math.prod(self.inputs.sample.shape[2:])


Around = Callable[[Sequence[Call]], AbstractContextManager[Any]]
Before = Callable[[Sequence[Inputs], Inputs], Inputs]


class Turn:
    """A job's place at the denoiser, from its first call to its last; used by the job's thread alone.

    `company` is the largest number of jobs that shared one of its calls, `rows` the largest batch it was part of.
    """

    def __init__(
        self, coalescer: Coalescer, who: str, exact: bool, checkpoint: Callable[[], None], alive: Callable[[], None]
    ) -> None:
        self._coalescer, self.who, self.exact = coalescer, who, exact
        self._checkpoint, self._alive = checkpoint, alive
        self.active, self.key = False, None
        self.company = self.rows = 0

    @property
    def merges(self) -> bool:
        """Whether this job's calls may be joined with those of others."""
        return self._coalescer.rules is not None and not self.exact

    def rest(self) -> None:
        """Say that no further call comes soon, so that nobody waits for one; the next call says otherwise."""
        self._coalescer._leave(self)

    def predict(
        self, inputs: Inputs, patch: Patch | None = None, patch_key: Hashable = None, adapters: Any = None,
        progress: float = 0.0,
    ) -> torch.Tensor:  # fmt: skip
        """The denoiser's prediction (rows, channels, height, width) for these rows.

        `patch` surrounds the call; jobs whose `patch_key` is equal share it. Raises what the denoiser raises for these
        rows, and whatever the job's checkpoint raises while they wait.
        """
        key = (self._key(inputs), patch_key if patch_key is not None or patch is None else id(patch))
        call = Call(self, inputs, (*key, getattr(adapters, "apart", None)), patch, adapters, progress)
        self._coalescer._take(call)
        seen = self._coalescer.batches
        while not call.done.wait(_LOOK):
            if seen != self._coalescer.batches:
                seen = self._coalescer.batches
                self._alive()  # others were served meanwhile: this job waits for its turn and is not stuck
            try:
                self._checkpoint()
            except BaseException:
                self._coalescer._withdraw(call)
                raise
        if call.error is not None:
            raise call.error
        return call.result

    def _key(self, inputs: Inputs) -> Hashable:
        signature = self._coalescer.rules.signature(inputs) if self.merges else None
        return id(self) if signature is None else signature


class Coalescer:
    """One denoiser and the calls that wait for it.

    `around` holds factories of context managers that surround every joined call and see its parts: what changes the
    denoiser for some rows only, such as LoRA, is switched there. `before` holds functions of the parts' inputs and the
    joined ones that return what the denoiser gets: what ControlNets add to some rows is computed there.
    """

    def __init__(self, denoiser: Any, most_rows: int | None = None) -> None:
        self.denoiser, self.rules = denoiser, rules_for(denoiser)
        self._device: torch.device = denoiser.device
        self.most_rows = most_rows or MOST_ROWS.get(self._device.type, 16)
        self.most_cells = MOST_CELLS.get(self._device.type, 2**16)
        self.activations = Activations(self._device)
        self.around: list[Around] = []
        self.before: list[Before] = []
        self.batches = self.calls = 0
        self._changed = threading.Condition()
        self._waiting: list[Call] = []
        self._turns: set[Turn] = set()
        self._served: dict[str, float] = defaultdict(float)
        self._thread: threading.Thread | None = None
        self._names = count(1)
        self._free = 0.0
        self._since: float | None = None
        self._halved = self._closed = False
        self._usual = 0.0

    @contextmanager
    def job(
        self, who: str = "owner", exact: bool = False, checkpoint: Callable[[], None] = lambda: None,
        alive: Callable[[], None] = lambda: None,
    ) -> Iterator[Turn]:  # fmt: skip
        """A place for one job; `exact` shares nothing.

        While it waits `checkpoint` is called now and then and may raise to leave, and `alive` whenever others were
        served.
        """
        turn = Turn(self, who, exact, checkpoint, alive)
        with self._changed:
            others = [self._served[other.who] for other in self._turns if other.who != who]
            if not any(other.who == who for other in self._turns):
                # Nobody saves up turns by staying away, and nobody pays for what they drew while alone.
                self._served[who] = min(others, default=0.0)
            self._turns.add(turn)
            if self._thread is None:
                self._closed = False
                self._thread = threading.Thread(target=self._serve, name=f"denoiser-{next(self._names)}", daemon=True)
                self._thread.start()
        try:
            yield turn
        finally:
            with self._changed:
                self._turns.discard(turn)
                if not self._turns:
                    # What memory could not hold once may fit the next time: nothing of it stays for later pictures.
                    self._halved, self.most_cells = False, MOST_CELLS.get(self._device.type, 2**16)
                self._changed.notify_all()

    def close(self, timeout: float = 10.0) -> None:
        """End the denoiser's thread when its present call is done; a process that ends before that is aborted."""
        with self._changed:
            thread, self._closed = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout)

    @property
    def running(self) -> int:
        """How many jobs have a place now."""
        return len(self._turns)

    def alone(self, exact: bool) -> str:
        """Why a job's calls can't be joined with those of others, for the picture's metadata; "" when they can."""
        if exact:
            return "exact"
        return "" if self.rules else f"there are no rules to join calls of {type(self.denoiser).__name__}"

    def stats(self) -> dict[str, int]:
        """JSON-ready: jobs that draw now, and how many calls were joined into how many batches so far."""
        return {"jobs": self.running, "calls": self.calls, "batches": self.batches}

    @property
    def busy_seconds(self) -> float:
        """How long the present call of the denoiser has lasted; 0 when there is none."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def _take(self, call: Call) -> None:
        with self._changed:
            call.turn.active, call.turn.key = True, call.key
            self._waiting.append(call)
            self._changed.notify_all()

    def _leave(self, turn: Turn) -> None:
        with self._changed:
            turn.active = False
            self._changed.notify_all()

    def _withdraw(self, call: Call) -> None:
        with self._changed:
            if call in self._waiting:
                self._waiting.remove(call)
            self._changed.notify_all()

    def _serve(self) -> None:
        """The denoiser's thread: lives while there are jobs, and a moment longer."""
        keep_freed_memory(self._device)
        with torch.no_grad():
            while (calls := self._next()) is not None:
                began = self._since = time.monotonic()
                self._predict(calls)
                self._since = None
                self._usual = time.monotonic() - began
                rows = sum(call.rows for call in calls)
                for call in calls:
                    self._served[call.turn.who] += self._usual * call.rows / rows
                    call.turn.company = max(call.turn.company, len({id(other.turn) for other in calls}))
                    call.turn.rows = max(call.turn.rows, rows)
                    call.done.set()
                self._free = time.monotonic()
        if self._device.type == "cpu":
            free_cache(self._device)

    def _next(self) -> list[Call] | None:
        """The calls to predict together, as soon as waiting longer is not worth it; None when all jobs have gone."""
        with self._changed:
            while True:
                if not self._waiting:
                    over = self._closed and not self._turns
                    if over or (not self._changed.wait(_IDLE) and not self._turns and not self._waiting):
                        self._thread = None
                        self._served.clear()
                        return None
                    continue
                groups = self._groups()
                waits = [self._patience(calls) for calls in groups]
                if min(waits) <= 0:
                    ready = [calls for calls, left in zip(groups, waits, strict=True) if left <= 0]
                    return self._choose([call for calls in ready for call in calls])
                self._changed.wait(min(waits))

    def _groups(self) -> list[list[Call]]:
        """The waiting calls, those together that can be joined."""
        groups: dict[Hashable, list[Call]] = defaultdict(list)
        for call in self._waiting:
            groups[call.key].append(call)
        return list(groups.values())

    def _patience(self, calls: list[Call]) -> float:
        """Seconds to go on waiting for jobs that are between two calls and may join these."""
        waiting = {call.turn for call in self._waiting}
        absent = [turn.key for turn in self._turns if turn.active and turn not in waiting]
        if not any(key in (None, calls[0].key) for key in absent):
            return 0.0
        # Counted from when the denoiser is free, or jobs go on in two waves, one waiting while the other is served.
        gap = max(calls[-1].arrived, self._free) + max(_GAP, _GAP_SHARE * self._usual)
        longest = max(calls[0].arrived, self._free) + max(_LONGEST_WAIT, _WAIT_SHARE * self._usual)
        return min(gap, longest) - time.monotonic()

    def _choose(self, calls: list[Call]) -> list[Call]:
        """The call of the person who had least of the denoiser's time, and what may join it within the limits."""
        order = sorted(calls, key=lambda call: (self._served[call.turn.who], call.arrived))
        chosen = [order[0]]
        for call in order[1:]:
            if call.key == order[0].key and self._fits([*chosen, call]):
                chosen.append(call)
        self._waiting = [call for call in self._waiting if call not in chosen]
        return chosen

    def _fits(self, calls: list[Call]) -> bool:
        rows, cells = (sum(getattr(call, name) for call in calls) for name in ("rows", "cells"))
        within = rows <= self.most_rows and cells <= self.most_cells
        return within and self.activations.fits(rows, cells // rows)

    def _predict(self, calls: list[Call]) -> None:
        """Give each call its result or its error; what fails together is tried in parts: only the cause fails."""
        if len(calls) == 1 and self._too_large(calls[0]):
            self._by_halves(calls[0])
            return
        try:
            results = self._forward(calls)
        except (
            Exception
        ) as error:  # the job thread's boundary, one thread further: the error goes to the job it belongs to
            self._split(calls, error)
            return
        for call, result in zip(calls, results, strict=True):
            call.result = result

    def _too_large(self, call: Call) -> bool:
        """Whether one job's rows are known to be too many for one call."""
        if call.rows == 1 or self.rules is None:
            return False
        learned = self._halved and call.cells > self.most_cells
        return learned or not self.activations.fits(call.rows, call.cells // call.rows)

    def _split(self, calls: list[Call], error: Exception) -> None:
        memory = out_of_memory(error)
        if memory:
            with suppress(RuntimeError):  # a device in trouble says so at the next call, to the job whose call it is
                free_cache(self._device)
            rows, cells = (sum(getattr(call, name) for call in calls) for name in ("rows", "cells"))
            self._halved, self.most_cells = True, max(1, cells // 2)
            log.warning("out of memory with %d rows at once; going on with half", rows)
        if len(calls) > 1:
            middle = len(calls) // 2
            self._predict(calls[:middle])
            self._predict(calls[middle:])
        elif memory and calls[0].rows > 1 and self.rules is not None:
            self._by_halves(calls[0])
        else:
            calls[0].error = error

    def _by_halves(self, call: Call) -> None:
        """One job's rows in two calls; the rows of a guided step need not be in one."""
        middle = call.rows // 2
        halves = [
            Call(call.turn, self.rules.cut(call.inputs, *ends), call.key, call.patch, call.adapters, call.progress)
            for ends in ((0, middle), (middle, call.rows))
        ]
        for half in halves:
            self._predict([half])
        call.error = next((half.error for half in halves if half.error is not None), None)
        if call.error is None:
            call.result = torch.cat([half.result for half in halves])

    def _forward(self, calls: list[Call]) -> list[torch.Tensor]:
        inputs = self.rules.join([call.inputs for call in calls]) if self.rules else calls[0].inputs
        self.batches, self.calls = self.batches + 1, self.calls + len(calls)
        for before in self.before:
            inputs = before([call.inputs for call in calls], inputs)
        with ExitStack() as surrounding:
            for around in self.around:
                surrounding.enter_context(around(calls))
            if calls[0].patch is not None:
                surrounding.enter_context(calls[0].patch())
            surrounding.enter_context(self.activations.measured(inputs.rows, inputs.sample[0, 0].numel()))
            predicted = self.denoiser(
                inputs.sample, inputs.timestep, inputs.text, return_dict=False, **inputs.others
            )[0]  # fmt: skip
        return list(predicted.split([call.rows for call in calls]))
