"""The peak memory of a dpo stage against a supervised one, with an adapter and without, on a real model.

    python -m benchmarks.alignment_memory [--base results/quickstart/base] [--steps 3]

Each stage trains in a process of its own, on as many rows of the same text in a batch: a pair counts as two.
With an adapter the reference is the adapter switched off, so that dpo needs about what lora needs; where all
weights train it is a frozen copy, and dpo needs one model more than sft. What imports take is left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.trl_alignment import HELD_OUT, MAX_LENGTH, ROOT, SEED, prepare_rows, worked_rows

ROWS_IN_BATCH = 4
STAGES = {
    "lora": ("lora", {}),
    "dpo+lora": ("dpo", {"adapter": "lora"}),
    "sft": ("sft", {}),
    "dpo": ("dpo", {"adapter": "none"}),
}


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def train(name: str, base: Path, data: Path, folder: Path) -> int:
    """Train one stage in this process; return its peak over what the libraries take."""
    import manus.training.trainers.preference
    import manus.training.trainers.supervised  # noqa: F401
    from manus.jobs.libraries import quiet_libraries
    from manus.recipe.recipe import METHODS
    from manus.training.stage_job import StageJob

    quiet_libraries()
    method, own = STAGES[name]
    for part in ("work", "staging"):
        (folder / part).mkdir()
    batch_size = ROWS_IN_BATCH // 2 if method == "dpo" else ROWS_IN_BATCH
    settings = METHODS[method].Settings(batch_size=batch_size, epochs=1, precision="fp32", **own)
    before = peak_bytes()
    METHODS[method].train(
        StageJob(
            name="stage",
            settings=settings,
            base=base,
            base_name="base",
            start=(),
            data=data,
            max_length=MAX_LENGTH,
            seed=SEED,
            work=folder / "work",
            staging=folder / "staging",
            capability="cot",
        )
    )
    return peak_bytes() - before


def measured(name: str, base: Path, data: Path) -> int:
    """Train one stage in a process of its own; return its peak."""
    command = [sys.executable, "-m", "benchmarks.alignment_memory", "--only", name]
    command += ["--base", str(base), "--data", str(data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    peak: int = json.loads(done.stdout.splitlines()[-1])
    return peak


def main() -> None:
    """Prepare the rows, train the four stages, print their peaks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, default=Path("results/quickstart/base"))
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    base = given.base.resolve()
    with tempfile.TemporaryDirectory() as place:
        if given.only:
            print(train(given.only, base, given.data, Path(place)))
            return
        rows = worked_rows(given.steps * ROWS_IN_BATCH // 2 + HELD_OUT)
        prepare_rows(base, Path(place) / "dpo", rows, "dpo")
        chats = [
            {"messages": [*row["prompt"], *row[side]]} for row in rows for side in ("chosen", "rejected")
        ]
        prepare_rows(base, Path(place) / "sft", chats, "sft")
        peaks = {
            n: measured(n, base, Path(place) / ("dpo" if m == "dpo" else "sft"))
            for n, (m, _) in STAGES.items()
        }
    model = sum(file.stat().st_size for file in base.glob("*.safetensors"))
    print(f"the model's files     {model / 1e6:8.0f} MB")
    for name, peak in peaks.items():
        print(f"peak of {name:13} {peak / 1e6:8.0f} MB")
    for one, other in (("dpo+lora", "lora"), ("dpo", "sft")):
        print(
            f"{one} over {other}: {(peaks[one] - peaks[other]) / 1e6:.0f} MB, "
            f"ratio {peaks[one] / peaks[other]:.2f}"
        )


if __name__ == "__main__":
    main()
