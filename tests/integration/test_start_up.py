"""What a training job has loaded when its first step is done: nothing that no stage needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.stage import prepared
from tests.pico import rows

# Each of them takes from a tenth of a second to seconds of start-up; none takes part in a step.
NEVER = {
    "torch._dynamo.eval_frame": "PyTorch's compiler",
    "torch._inductor.config": "what it compiles with",
    "datasets": "our samples are memory-mapped",
    "pandas": "datasets imports it",
    "pyarrow": "likewise",
    "trl": "the methods that are not TRL's do without",
    "scipy": "transformers imports it where it can",
    "sklearn": "likewise",
    "matplotlib": "charts are drawn by other jobs",
    "manus.charts": "likewise",
    "manus.report": "reports are another job",
    "manus.serving": "conversations are no job",
}

PROGRAM = """
import os, sys
from pathlib import Path
from manus.jobs.libraries import prepare_process
from manus.models.loading.imports import import_libraries
prepare_process()
import_libraries(with_trainer=True)
from manus.guards.run import RUN
from manus.guards.settings import GuardSettings
from manus.recipe.recipe import METHODS
from manus.training.stage_job import StageJob

base, data, work, method = sys.argv[1:]
def crossing(doing, step=0, *rest):
    if step:
        print("loaded", *sorted(sys.modules), flush=True)
        os._exit(0)
RUN.cross = crossing
for folder in (Path(work) / "work", Path(work) / "staging"):
    folder.mkdir(parents=True)
order = StageJob(
    name="stage", settings=METHODS[method].Settings(batch_size=4), base=Path(base), base_name="pico", start=(),
    data=Path(data), max_length=64, seed=1, work=Path(work) / "work", staging=Path(work) / "staging",
)
with RUN.of(order.work, GuardSettings(cooldown_every_steps=0), "starting"):
    METHODS[method].train(order)
"""


@pytest.mark.parametrize("method", ["lora", "sft"])
def test_a_training_job_loads_only_what_it_needs(pico_base: Path, tmp_path: Path, method: str) -> None:
    data = prepared(pico_base, tmp_path / "data", rows("first", 20), held_out=4)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pico_base), str(data), str(tmp_path / "run"), method],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    told = next((line.split() for line in done.stdout.splitlines() if line.startswith("loaded ")), None)
    assert told is not None, done.stderr[-3000:]
    assert {"torch", "transformers.trainer", "peft"} <= set(told)
    assert {name: why for name, why in NEVER.items() if name in told} == {}
