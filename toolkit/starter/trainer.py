"""Trains weights beside the frozen base: optimizer, clock and a state that survives a restart."""

import random
from collections.abc import Callable
from pathlib import Path

import torch

from toolkit.starter.stage import Budget, save_atomically, taking_up

SAVE_EVERY = 60.0


class Trainer:
    """AdamW over `weights` for `minutes`, with warm-up and a cosine; `rng` chooses what a step sees."""

    def __init__(self, weights: list[torch.nn.Parameter], path: Path, minutes: float, peak: float, warm_up: int = 30):
        self.weights, self.path, self.peak, self.warm_up = weights, path, peak, warm_up
        self.optimizer = torch.optim.AdamW(weights, peak, betas=(0.9, 0.99), fused=True)
        self.budget, self.rng = Budget(minutes * 60, path.stem), random.Random(0)
        torch.manual_seed(0)

    def resume(self) -> None:
        """Takes up a saved state, if there is one."""
        if self.path.exists():
            with taking_up(self.path, self.weights[0].device) as state:
                for weight, value in zip(self.weights, state["weights"], strict=True):
                    weight.data.copy_(value)
                self.optimizer.load_state_dict(state["optimizer"])
            self.budget.load(state["budget"])
            self.rng.seed(self.budget.step)
            torch.manual_seed(self.budget.step)

    def save(self) -> None:
        """Writes the state; the time it takes isn't training time."""
        state = {"weights": [weight.data for weight in self.weights], "optimizer": self.optimizer.state_dict()}
        save_atomically(state | {"budget": self.budget.state()}, self.path)
        self.budget.pause()

    def update(self, loss: torch.Tensor) -> None:
        """One optimizer step down the loss."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate(self.peak, self.warm_up)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def run(self, step: Callable[[], torch.Tensor], until: float = 1.0) -> None:
        """Calls `step` for a loss and goes down it until that part of the time is spent."""
        losses: list[float] = []
        saved = self.budget.spent
        self.budget.pause()
        while self.budget.tick() and self.budget.spent < until * self.budget.seconds:
            loss = step()
            self.update(loss)
            losses = [*losses[-49:], loss.item()]
            self.budget.show(f"loss {sum(losses) / len(losses):.4f}", every=20)
            if self.budget.spent - saved > SAVE_EVERY:
                saved = self.budget.spent
                self.save()
        self.save()
