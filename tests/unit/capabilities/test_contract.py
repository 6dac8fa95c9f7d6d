"""Every capability file has the shape that recipes rely on, and importing them costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from manus.capabilities import known_capabilities
from manus.data.settings import Source

CAPABILITIES = known_capabilities()


def test_the_text_capabilities_are_there():
    assert {"cot", "reasoning", "thinking", "tools"} <= set(CAPABILITIES)


@pytest.mark.parametrize("name", CAPABILITIES)
def test_defaults_are_valid(name):
    capability = CAPABILITIES[name]
    assert Source(**capability.DEFAULT_DATA).hub
    assert "messages" in capability.SAMPLE_KINDS
    assert capability.Settings().max_new_tokens > 0
    assert len(capability.doc or "") > 200
    for wrong in (0, -1, "64", 1.5):
        with pytest.raises(ValueError, match="max_new_tokens"):
            capability.Settings(max_new_tokens=wrong)


HEAVY = ("torch", "transformers", "datasets", "reasoning_gym", "math_verify", "sympy")


def test_importing_them_loads_nothing_heavy():
    code = (
        f"import sys; from manus.recipe import known;print([name for name in {HEAVY} if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
