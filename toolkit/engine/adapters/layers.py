"""What one layer's adapter does to the layer's weight, by the formulas of the papers.

* LoRA (Hu et al. 2021): ΔW = up · down × alpha / rank; for convolutions also with a kernel in between (LoCon).
* LoHa (Hyeon-Woo et al. 2022): ΔW = (w1_a · w1_b) ⊙ (w2_a · w2_b) × alpha / rank.
* LoKr (Yeh et al. 2023): ΔW = w1 ⊗ w2 × alpha / rank, where either factor may itself be a product.
* DoRA (Liu et al. 2024): W' = m (W + ΔW) / ‖W + ΔW‖, the norm taken for each output, or for each input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Layer:
    """The tensors of one layer's adapter by their part ("up", "hada_w1_a", …), on the CPU in float32."""

    parts: Mapping[str, torch.Tensor]

    @property
    def kind(self) -> str:
        """ "lora", "loha" or "lokr"; raises ValueError when a part is missing."""
        names = self.parts.keys()
        for kind, needed in (("lora", {"up", "down"}), ("loha", {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"})):
            if needed <= names:
                return kind
        first, second = (
            f"lokr_w{n}" in names or {f"lokr_w{n}_a", f"lokr_w{n}_b"} <= names for n in (1, 2)
        )  # fmt: skip
        if first and second:
            return "lokr"
        raise ValueError(f"there are only {', '.join(sorted(names))}")

    @property
    def scale(self) -> float:
        """alpha / rank; 1 where the file gives no alpha, or nothing has a rank."""
        rank = self.rank
        return float(self.parts["alpha"]) / rank if "alpha" in self.parts and rank else 1.0

    @property
    def rank(self) -> int | None:
        """The inner dimension; None for a LoKr of two whole factors."""
        for name in ("down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b"):
            if name in self.parts:
                return self.parts[name].shape[0]
        return None

    def low_rank(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """(A, B) with the change of the output B · (A · x), the scale within B; None for what isn't low rank."""
        if self.kind != "lora" or "dora" in self.parts:
            return None
        down, up = self.parts["down"], self.parts["up"] * self.scale
        if "mid" in self.parts:
            down = torch.einsum("rskl,si->rikl", self.parts["mid"], down.flatten(1))
        return down, up

    def delta(self, shape: torch.Size) -> torch.Tensor:
        """ΔW in the shape of the layer's weight; raises RuntimeError when it can't have that shape."""
        change = {"lora": self._lora, "loha": self._loha, "lokr": self._lokr}[self.kind]() * self.scale
        return change.reshape(shape)

    def merged(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        """The layer's weight (float32) with the adapter at `strength`."""
        change = self.delta(weight.shape).to(weight.device)
        if "dora" not in self.parts:
            return weight + strength * change
        whole, magnitude = weight + change, self.parts["dora"].to(weight.device)
        by_output = magnitude.numel() == weight.shape[0]
        others = tuple(axis for axis in range(weight.dim()) if axis != (0 if by_output else 1))
        norm = torch.linalg.vector_norm(whole, dim=others, keepdim=True)
        whole = whole / norm * magnitude.reshape(norm.shape)
        return weight + strength * (whole - weight)

    def _lora(self) -> torch.Tensor:
        down, up = self.parts["down"], self.parts["up"]
        if "mid" in self.parts:
            return torch.einsum("or,rskl,si->oikl", up.flatten(1), self.parts["mid"], down.flatten(1))
        return up.flatten(1) @ down.flatten(1)

    def _loha(self) -> torch.Tensor:
        parts = self.parts
        if "hada_t1" in parts:
            return _tucker(parts["hada_t1"], parts["hada_w1_a"], parts["hada_w1_b"]) * _tucker(
                parts["hada_t2"], parts["hada_w2_a"], parts["hada_w2_b"]
            )
        return (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"])

    def _lokr(self) -> torch.Tensor:
        first, second = self._factor(1), self._factor(2)
        for _ in range(second.dim() - first.dim()):
            first = first.unsqueeze(-1)
        return torch.kron(first, second.contiguous())

    def _factor(self, number: int) -> torch.Tensor:
        parts, name = self.parts, f"lokr_w{number}"
        if name in parts:
            return parts[name]
        if number == 2 and "lokr_t2" in parts:
            return _tucker(parts["lokr_t2"], parts["lokr_w2_a"], parts["lokr_w2_b"])
        left, right = parts[f"{name}_a"], parts[f"{name}_b"]
        return (left @ right.flatten(1)).reshape(left.shape[0], *right.shape[1:])


def _tucker(core: torch.Tensor, outer: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """A convolution's kernel from LyCORIS' core (r, s, h, w) and factors (r, out) and (s, in)."""
    return torch.einsum("rskl,ro,si->oikl", core, outer, inner)
