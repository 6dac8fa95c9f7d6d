"""Which numbers a model computes in, by what the hardware has."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from manus.errors import InputError

Precision = Literal["fp32", "bf16", "fp16"]


def device() -> str:
    """Return where to train: the first GPU, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def precision_of(wanted: str) -> Precision:
    """Choose the arithmetic: what the recipe says, or bf16 where the hardware is fast in it.

    Raises:
        InputError: fp16 on a CPU, which PyTorch does not train in.
    """
    if wanted == "fp16" and device() == "cpu":
        raise InputError("precision: fp16 needs a GPU; use fp32, bf16 or auto")
    if wanted != "auto":
        return wanted  # type: ignore[return-value]
    if device() == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if cpu_is_fast_in_bf16() else "fp32"


def cpu_is_fast_in_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the CPU multiplies matrices of bf16 faster than those of fp32: with AMX.

    Measured: with AVX512-BF16 alone, products take 1.8 times as long as in fp32; without both, about 19
    times.
    """
    try:
        flags = cpuinfo.read_text(encoding="utf-8").split("flags", 2)[1].split("\n", 1)[0].split()
    except (OSError, IndexError):
        return False
    return "amx_bf16" in flags


def held_dtype(precision: Precision) -> torch.dtype:
    """Return the type in which weights that are not trained lie in memory."""
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
