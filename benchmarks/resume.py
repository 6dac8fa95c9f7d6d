"""Continuing a stage after 1 %, 50 % and 99 %: seconds from process start to first new step, and the data's.

    python benchmarks/resume.py [BASE_FOLDER] [--prepared FOLDER] [--steps 400]
        [--rows 1000000 1000000000] [--write]

A LoRA stage on large data is stopped at each share and continued in a new process; the baseline is the first
step of a new run. Seconds of the processor stand beside those of the clock, which other work on the machine
lengthens. Without a base, a pico model is made, so that nearly all of the time is Manus' own.

The data's part is the time to the first batch, at any number of rows. Its baseline is accelerate's way on
torch's RandomSampler, which walks through all batches before; it is left out where that takes more than the
memory of a list of all rows. With a folder of prepared data (a stage's `data/`), the first batch is read from
it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import skip_first_batches as walk
from tables import write_table
from torch.utils.data import DataLoader, Dataset, RandomSampler

from manus.training.batches.order import ShuffledBatches, skip_first_batches
from manus.training.batches.text import Rows

ROOT = Path(__file__).parents[1]

SHARES = (0.01, 0.5, 0.99)
LARGEST_WALKED = 20_000_000


class Numbers(Dataset[int]):
    """So many rows, each of which is its number."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return index


def seconds_to_first(made: Any, skip: Any, batches: int) -> float:
    """Return how long it takes to skip batches and get the next."""
    began = time.perf_counter()
    next(iter(skip(made, batches)))
    return time.perf_counter() - began


def kept(batch: Sequence[Any]) -> Sequence[Any]:
    """Return a batch as it is."""
    return batch


def line(title: str, rows: Any, size: int) -> str:
    """Return a line of the table for a data set."""
    ours, theirs = [], []
    for share in SHARES:
        batches = int(len(rows) / size * share)
        shuffled = DataLoader(rows, batch_sampler=ShuffledBatches(len(rows), size, 0), collate_fn=kept)
        ours.append(seconds_to_first(shuffled, skip_first_batches, batches))
        if len(rows) <= LARGEST_WALKED:
            drawn = DataLoader(rows, batch_size=size, sampler=RandomSampler(rows), collate_fn=kept)
            theirs.append(seconds_to_first(drawn, walk, batches))
    walked = [f"{1000 * seconds:.0f}" for seconds in theirs] or ["-"] * len(SHARES)
    cells = [*(f"{1000 * seconds:.1f}" for seconds in ours), *walked]
    return f"| {title} | {len(rows):,} | {' | '.join(cells)} |"


def prepare_stage(base: Path, folder: Path, rows: int) -> None:
    """Prepare chats as large data, one to a step."""
    import json

    from manus.capabilities import cot
    from manus.data.preparation.choosing import prepare
    from manus.data.settings import DataSettings, Source
    from manus.models.tokenizer import load_tokenizer

    file = folder / "chats.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        for number in range(rows + 20):
            turns = [("user", f"{number} plus 1"), ("assistant", f"The answer is \\boxed{{{number + 1}}}.")]
            stream.write(json.dumps({"messages": [{"role": r, "content": c} for r, c in turns]}) + "\n")
    (folder / "data").mkdir()
    settings = DataSettings(held_out=20, max_length=256, index_above_bytes=0)
    prepare(
        [Source(path=str(file))],
        settings,
        cot.read,
        "messages",
        load_tokenizer(base),
        folder,
        0,
        folder / "data",
        folder / "work",
    )


def train(base: Path, data: Path, work: Path, stop: int, began: float, max_length: int = 256) -> None:
    """Train from where `work` stands to a step, save, and print the seconds from `began` to the first step.

    Both those of the clock and those of the processor are printed.
    """
    from manus.errors import Interrupted
    from manus.guards.requests import REQUESTS
    from manus.guards.run import RUN
    from manus.guards.settings import GuardSettings
    from manus.jobs.libraries import quiet_libraries
    from manus.methods import lora
    from manus.training.stage_job import StageJob

    quiet_libraries()
    cross, first = RUN.cross, (0.0, 0.0)

    def crossing(doing: str, step: int = 0, *rest: Any) -> None:
        nonlocal first
        if step and not first[0]:
            first = time.time(), time.process_time()
        if step and step >= stop:
            REQUESTS.stop = signal.SIGTERM
        cross(doing, step, *rest)

    RUN.cross = crossing  # type: ignore[method-assign, assignment]
    staging = work.with_name(f"{work.name}-staging")
    for folder in (work, staging):
        folder.mkdir(exist_ok=True)
    order = StageJob(
        name="stage",
        settings=lora.Settings(epochs=1, batch_size=1, precision="fp32"),
        base=base,
        base_name="base",
        start=(),
        data=data,
        max_length=max_length,
        seed=1,
        work=work,
        staging=staging,
    )
    try:
        with RUN.of(work, GuardSettings(cooldown_every_steps=0), "starting", stage="benchmark", key="0"):
            lora.train(order)
    except Interrupted:
        print(f"seconds {first[0] - began:.3f} {first[1]:.3f}")


def in_a_process(base: Path, data: Path, work: Path, stop: int) -> tuple[float, float]:
    """Train in a process of its own; return the seconds from start to first step, by clock and by processor.

    Raises:
        SystemExit: it failed.
    """
    command = [
        sys.executable,
        __file__,
        str(base),
        "--child",
        str(data),
        str(work),
        str(stop),
        str(time.time()),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(work.parent / "state")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    told = [line for line in done.stdout.splitlines() if line.startswith("seconds ")]
    if done.returncode or not told:
        raise SystemExit(done.stdout[-1000:] + done.stderr[-3000:])
    clock, processor = told[-1].split()[1:]
    return float(clock), float(processor)


def whole(base: Path | None, steps: int, place: Path) -> list[str]:
    """Return the table of a stage that is stopped and continued."""
    os.environ["MANUS_CACHE_DIR"] = str(place / "cache")
    if base is None:
        sys.path.append(str(ROOT))
        from tests.pico import pretrained

        base = pretrained(place / "base")
    prepare_stage(base, place, steps)
    data, run = place / "data", place / "run"
    fresh = in_a_process(base, data, place / "fresh", 1)
    lines = [
        "| continued at | step | process start to first new step, s | of the processor, s "
        "| ratio of these to a new run |",
        "|---|---|---|---|---|",
        f"| 0 % (a new run) | 0 of {steps} | {fresh[0]:.2f} | {fresh[1]:.2f} | 1.00 |",
    ]
    for share in SHARES:
        step = max(1, round(steps * share))
        in_a_process(base, data, run, step)
        copy = place / f"copy-{step}"
        shutil.copytree(run, copy)
        clock, processor = in_a_process(base, data, copy, step + 1)
        lines.append(
            f"| {share:.0%} | {step} of {steps} | {clock:.2f} | {processor:.2f} "
            f"| {processor / fresh[1]:.2f} |"
        )
    return lines


def data_part(prepared: Path | None, rows: Sequence[int], size: int) -> list[str]:
    """Return the table of the data alone."""
    lines = [
        "| data | rows | ms at 1 % | at 50 % | at 99 % | accelerate: ms at 1 % | at 50 % | at 99 % |",
        "|---|---|---|---|---|---|---|---|",
        *(line("numbers", Numbers(count), size) for count in rows),
    ]
    if prepared:
        from manus.data.prepared.samples import open_samples

        samples = open_samples(prepared)
        for title, length in (("samples", None), ("packed rows", getattr(samples, "max_length", None))):
            if title == "samples" or length:
                lines.append(line(title, Rows(samples, length), size))
    return lines


def main() -> None:
    """Print both tables, and write them down where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, nargs="?")
    parser.add_argument("--prepared", type=Path, help="a folder of prepared data, for the data's part")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000, 1_000_000_000])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/BENCHMARKS.md")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        data, work, stop, began = given.child
        train(given.base, Path(data), Path(work), int(stop), float(began))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        table = whole(given.base.resolve() if given.base else None, given.steps, Path(place))
    print("\n".join(table), flush=True)
    table += ["", *data_part(given.prepared, given.rows, given.batch)]
    print("\n".join(table[len(SHARES) + 3 :]))
    if given.write:
        write_table("resume", "\n".join(table))


if __name__ == "__main__":
    main()
