"""dpo and grpo compute what the same run written directly against TRL computes, step by step.

Both sides of grpo learn from answers of our engine; that those are drawn as they should be is tested with the
engine.
"""

from __future__ import annotations

from pathlib import Path
from statistics import pstdev

import pytest

from benchmarks.trl_alignment import HELD_OUT, Run, differences, pico_rows, prepare_rows, run_manus, run_trl

STEPS = 8
TOLERANCE = 4e-6  # two last bits of a gradient's norm of 16 to 32
COMPARED = {
    "dpo": {"loss", "grad_norm", "logps/chosen", "logps/rejected", "rewards/margins", "rewards/accuracies"},
    "grpo": {
        "loss",
        "grad_norm",
        "kl",
        "entropy",
        "reward",
        "reward_std",
        "rewards/capability/mean",
        "rewards/length/mean",
        "completions/mean_length",
        "completions/clipped_ratio",
    },
}


@pytest.mark.parametrize("method", sorted(COMPARED))
def test_a_run_is_that_of_trl_step_by_step(pico_base: Path, tmp_path: Path, method: str) -> None:
    run = Run(method, steps=STEPS, learning_rate=5e-3, answers="engine")
    prepare_rows(pico_base, tmp_path / "data", pico_rows(run.samples + HELD_OUT), method)
    ours = run_manus(pico_base, tmp_path / "data", run, tmp_path / "manus")
    theirs = run_trl(pico_base, tmp_path / "data", run, tmp_path / "trl")
    assert len(ours) == STEPS
    assert pstdev(entry["loss"] for entry in ours) > 0.01, "there is a curve to compare"
    found = differences(ours, theirs)
    assert COMPARED[method] <= found.keys()
    assert {name: by for name, by in found.items() if not by <= TOLERANCE} == {}
    if method == "grpo":
        for name in ("reward", "kl", "completions/mean_length"):
            assert pstdev(entry[name] for entry in ours) > 0, f"{name} says something"
