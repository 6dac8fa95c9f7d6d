"""PEFT is there at once; what is compiled is compiled when it is needed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from manus.training.imports import compiled_later

PROGRAM = """
import sys, torch
before = torch.compile
from manus.training.imports import import_peft
import_peft()
assert torch.compile is before and "peft" in sys.modules and "bitsandbytes" in sys.modules
assert "torch._inductor.compile_fx" not in sys.modules, "the compiler was loaded"
"""


def test_peft_comes_without_the_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_decorator_called", [True, False])
def test_a_function_is_compiled_once_and_when_it_is_called(is_decorator_called: bool) -> None:
    asked: list[Any] = []

    def compile_now(function: Any, **options: Any) -> Any:
        asked.append(options)
        return lambda x: function(x) + 1

    def double(x: int) -> int:
        """Twice."""
        return 2 * x

    if is_decorator_called:
        made = compiled_later(compile_now, dynamic=False)(double)
    else:
        made = compiled_later(compile_now, double, dynamic=False)
    assert not asked and made.__doc__ == "Twice."
    assert [made(3), made(4)] == [7, 9]
    assert asked == [{"dynamic": False}]
