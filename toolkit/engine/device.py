"""Which device draws, and in which dtype."""

from __future__ import annotations

import ctypes
import sys

import psutil
import torch

from toolkit.errors import EngineError

# Parameters of glibc's mallopt, and the largest size from which on it takes a block apart from the heap.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST_IN_HEAP = 32 * 2**20

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
    elif (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def keep_freed_memory(device: torch.device) -> None:
    """On a CPU, have memory that is freed stay in the process until `free_cache`.

    A call of the denoiser takes and frees the same blocks as the one before it. glibc gives the freed ones back to the
    system each time, whose pages must then be cleared and mapped again: a third of the time of a call of 16 rows. One
    heap serves all threads, so that the threads of eight jobs do not keep eight times as much.
    """
    if device.type == "cpu" and (libc := _glibc()) is not None:
        for parameter, value in (
            (_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST_IN_HEAP), (_TRIM_THRESHOLD, 2**31 - 1),
        ):  # fmt: skip
            libc.mallopt(parameter, value)


def _glibc() -> ctypes.CDLL | None:
    """The C library where it is the GNU one; others give memory back less eagerly, or can't be told."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None
