"""Which device draws, and in which dtype."""

from __future__ import annotations

import psutil
import torch

from toolkit.errors import EngineError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def choose_device() -> torch.device:
    """The fastest device that torch can use here."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype called `name`; "auto" is float16 on a GPU, and on a CPU bfloat16 where that is native, else float32.

    The starter's pictures differ by 50 dB (median over samplers) between bfloat16 and float32: nobody sees it.
    """
    if name != "auto":
        if name not in DTYPES:
            raise EngineError(f"There is no dtype “{name}”. There are auto, {', '.join(DTYPES)}.")
        return DTYPES[name]
    if device.type == "cpu":
        return torch.bfloat16 if _native_bfloat16() else torch.float32
    return torch.float16


def _native_bfloat16() -> bool:
    """True where the processor multiplies bfloat16 itself; elsewhere it is slower than float32."""
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def memory_budget(device: torch.device) -> int:
    """Bytes that loaded models may fill: most of a GPU's memory, or half of the computer's."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory * 0.8)
    return psutil.virtual_memory().total // 2


def memory_free(device: torch.device) -> int:
    """Bytes that a model can still fill, with what torch keeps for itself and would give back."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return psutil.virtual_memory().available


def out_of_memory(error: BaseException) -> bool:
    """True for every way in which torch and its backends say that memory ran out."""
    text = str(error).lower()
    said = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed", "cudnn_status_alloc")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(words in text for words in said)
    )


def free_cache(device: torch.device) -> None:
    """Give memory that torch keeps for later back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
