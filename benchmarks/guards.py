"""What the guards cost: a stage with all of them, and the same loop with none, as a share of the step time.

    python benchmarks/guards.py [BASE_FOLDER] [--steps 20] [--repeats 3]

Two figures: the time of one safe point alone, taken over many, as a share of a step; and both loops in turn,
in one process, which on a noisy machine says less.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

CROSSINGS = 20_000


def prepared(base: Path, folder: Path, samples: int) -> None:
    """Prepare worked problems as a stage's data."""
    from manus.capabilities import cot
    from manus.data.preparation.choosing import prepare
    from manus.data.settings import DataSettings, Source
    from manus.models.tokenizer import load_tokenizer

    settings = DataSettings(sample_size=samples, held_out=10)
    prepare(
        [Source(generator="cot")],
        settings,
        cot.read,
        "messages",
        load_tokenizer(base),
        folder,
        1,
        folder,
        folder / "work",
    )


def step_seconds(base: Path, data: Path, has_guards: bool) -> float:
    """Train one epoch and return the seconds of a step."""
    from transformers import Trainer

    from manus.guards.run import RUN
    from manus.guards.settings import GuardSettings
    from manus.methods import lora
    from manus.training.loop import StageTrainer
    from manus.training.stage_job import StageJob

    bare = mock.patch.object(StageTrainer, "_maybe_log_save_evaluate", Trainer._maybe_log_save_evaluate)
    with contextlib.nullcontext() if has_guards else bare:
        with tempfile.TemporaryDirectory() as place:
            work, staging = Path(place) / "work", Path(place) / "staging"
            work.mkdir()
            staging.mkdir()
            order = StageJob(
                name="stage",
                settings=lora.Settings(epochs=1, batch_size=2, precision="fp32"),
                base=base,
                base_name="base",
                start=(),
                data=data,
                max_length=1024,
                seed=1,
                work=work,
                staging=staging,
            )
            with RUN.of(work, GuardSettings(), "starting", stage="benchmark", key="0"):
                metrics: dict[str, Any] = lora.train(order)
        return float(metrics["training_seconds"]) / int(metrics["steps"])


def crossing_seconds() -> float:
    """Return the seconds of one safe point at which nothing was asked, with the thermometer running."""
    from manus.guards.run import RUN
    from manus.guards.settings import GuardSettings

    with tempfile.TemporaryDirectory() as place, RUN.of(Path(place), GuardSettings(), "training"):
        RUN.watch_heat(())
        started = time.perf_counter()
        for _ in range(CROSSINGS):
            RUN.cross("training", 1)
        return (time.perf_counter() - started) / CROSSINGS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, nargs="?", default=Path("results/quickstart/base"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    from manus.jobs.libraries import quiet_libraries

    quiet_libraries()
    with tempfile.TemporaryDirectory() as place:
        prepared(given.base, Path(place), 2 * given.steps)
        pairs = [
            (step_seconds(given.base, Path(place), True), step_seconds(given.base, Path(place), False))
            for _ in range(given.repeats)
        ]
    guarded, bare = (median(pair[side] for pair in pairs) for side in (0, 1))
    crossing = crossing_seconds()
    ratios = ", ".join(f"{one / other:.3f}" for one, other in pairs)
    print(
        f"one step          guarded {1000 * guarded:9.2f} ms   bare {1000 * bare:9.2f} ms   ratios {ratios}"
    )
    print(f"one safe point    {1e6 * crossing:9.2f} us   {crossing / bare:.5%} of a step")


if __name__ == "__main__":
    main()
