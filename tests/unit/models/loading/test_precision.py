"""Arithmetic is chosen by what the processor is fast in."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.models.loading.precision import cpu_is_fast_in_bf16


@pytest.mark.parametrize(
    ("flags", "is_fast"),
    [("fpu sse4_2 avx2", False), ("avx512f avx512_bf16", False), ("avx512_bf16 amx_bf16 amx_tile", True)],
)
def test_bf16_needs_matrix_units(flags: str, is_fast: bool, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        f"processor\t: 0\nflags\t\t: {flags}\nvmx flags\t: amx_bf16\n\nprocessor\t: 1\nflags\t\t: x\n"
    )
    assert cpu_is_fast_in_bf16(cpuinfo) == is_fast


def test_processors_that_tell_no_flags_are_taken_as_slow(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nFeatures\t: asimd\n")
    assert not cpu_is_fast_in_bf16(tmp_path / "cpuinfo")
    assert not cpu_is_fast_in_bf16(tmp_path / "absent")
