"""Memory that a processor's calls take and free again and again."""

from __future__ import annotations

import platform

import psutil
import pytest
import torch

from toolkit.engine.device import free_cache, keep_freed_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries can't be told")

CPU = torch.device("cpu")
BLOCK = 2**21  # numbers of four bytes: 8 MiB


def faults() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def call() -> None:
    """What a denoiser's call does to the heap: many blocks, all freed at its end."""
    held = [torch.ones(BLOCK // 4) for _ in range(24)]
    assert len(held) == 24


def test_the_same_memory_is_not_mapped_again_for_each_call():
    keep_freed_memory(CPU)
    for _ in range(3):
        call()
    before = faults()
    for _ in range(20):
        call()
    mapped_each_time = 20 * 24 * BLOCK // 4096
    assert faults() - before < mapped_each_time / 20


def test_what_was_kept_goes_back_when_nobody_draws():
    keep_freed_memory(CPU)
    held = [torch.ones(BLOCK) for _ in range(24)]
    full = psutil.Process().memory_info().rss
    del held
    assert full - psutil.Process().memory_info().rss < 50e6
    free_cache(CPU)
    assert full - psutil.Process().memory_info().rss > 150e6
