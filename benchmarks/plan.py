"""How long planning takes: `manus plan` and `snakemake -n` for 10, 100 and 1000 stages, or many media.

    python benchmarks/plan.py [--stages 10 100 1000] [--repeats 1] [--write]
    python benchmarks/plan.py --media 3000 100000 [--repeats 1] [--write]

Stages are timed from process start to exit, with data of their own (one file each), nothing built yet. The
baseline is a recipe of one stage. With --media, one stage has rows that name so many pictures, and the second
plan is compared with the first, in seconds of the processor: nothing waits for anything but disks, and those
are warm.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from tables import write_table

ROOT = Path(__file__).parents[1]
SETTLED_SECONDS = 3  # what was changed just now is read again
HEADER = (
    "| stages | artifacts | `manus plan` s | ratio to 1 stage | `snakemake -n` s | ratio to 1 stage |\n"
    "|---|---|---|---|---|---|"
)


MEDIA_HEADER = "| pictures | first plan CPU s | second plan CPU s | first / second |\n|---|---|---|---|"
PICTURE_BYTES = 2000
SEES = {"model_type": "qwen2_5_vl", "vision_config": {"model_type": "qwen2_5_vl"}}


def write_base(folder: Path, config: dict[str, Any]) -> None:
    """Write a base that can be planned with."""
    base = folder / "base"
    base.mkdir(exist_ok=True)
    (base / "config.json").write_text(json.dumps(config))
    (base / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")


def write_recipe(folder: Path, stages: int) -> Path:
    """Write a recipe with so many stages, a base that can be planned with, and a data file for each stage."""
    write_base(folder, {"model_type": "llama"})
    lines = []
    for number in range(stages):
        row = {"prompt": f"{number} + 1?", "completion": f"{number + 1}"}
        (folder / f"{number}.jsonl").write_text(json.dumps(row) + "\n")
        lines.append(f"  - cot: {{name: s{number}, data: [{{path: {number}.jsonl}}]}}")
    path = folder / f"stages-{stages}.yaml"
    path.write_text(
        "base_model: base\ncompose: parallel\ndefaults: {method: lora}\ncapabilities:\n"
        + "\n".join(lines)
        + "\n"
    )
    return path


def seconds(command: list[str], folder: Path) -> float:
    """Return how long a command takes."""
    began = time.perf_counter()
    output(command, folder)
    return time.perf_counter() - began


def processor_seconds(command: list[str], folder: Path) -> float:
    """Return how long a command keeps the processor busy."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output(command, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def output(command: list[str], folder: Path) -> str:
    """Run a command and return what it prints.

    Raises:
        SystemExit: it failed.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def measured(stages: int, repeats: int, place: Path) -> tuple[int, float, float]:
    """Return how many artifacts a recipe has, and the medians of both commands."""
    folder = place / str(stages)
    folder.mkdir(exist_ok=True)
    recipe = write_recipe(folder, stages)
    plan = [sys.executable, "-m", "manus", "plan", str(recipe)]
    dry = [
        sys.executable,
        "-m",
        "snakemake",
        "-n",
        "--quiet",
        "--cores",
        "2",
        "--snakefile",
        str(ROOT / "Snakefile"),
    ]
    dry += ["--config", f"recipe={recipe}"]
    took = [median(seconds(command, folder) for _ in range(repeats)) for command in (plan, dry)]
    told = json.loads(output([*plan, "--json"], folder))
    return len(told["artifacts"]), took[0], took[1]


def write_media_recipe(folder: Path, pictures: int) -> Path:
    """Write a recipe of one stage whose rows name so many pictures, which nobody decodes while planning."""
    write_base(folder, SEES)
    (folder / "pictures").mkdir()
    with (folder / "rows.jsonl").open("w") as rows:
        for number in range(pictures):
            name = f"pictures/{number:07}.png"
            (folder / name).write_bytes(os.urandom(PICTURE_BYTES))
            rows.write(
                json.dumps({"image": name, "question": "What is in this picture?", "answer": "noise"}) + "\n"
            )
    path = folder / "media.yaml"
    path.write_text("base_model: base\ncapabilities:\n  - vision-qa: {data: [{path: rows.jsonl}]}\n")
    return path


def measured_media(pictures: int, repeats: int, place: Path) -> tuple[float, float]:
    """Return how long the first plan of so many pictures takes, and the median of those after it.

    Raises:
        SystemExit: the plan did not count the pictures.
    """
    folder = place / str(pictures)
    folder.mkdir()
    plan = [sys.executable, "-m", "manus", "plan", str(write_media_recipe(folder, pictures))]
    time.sleep(SETTLED_SECONDS)
    first = processor_seconds(plan, folder)
    later = median(processor_seconds(plan, folder) for _ in range(repeats))
    told = json.loads(output([*plan, "--json"], folder))
    counted = told["artifacts"]["data/vision-qa"]["made_from"]["data"][0]["media_files"]
    if counted != pictures:
        raise SystemExit(f"{counted} of {pictures} pictures were counted")
    return first, later


def compare_media(counts: list[int], repeats: int) -> list[str]:
    """Print and return a table of plans with so many pictures."""
    lines = [MEDIA_HEADER]
    print(MEDIA_HEADER)
    for pictures in counts:
        with tempfile.TemporaryDirectory() as place:
            first, later = measured_media(pictures, repeats, Path(place))
        lines.append(f"| {pictures:,} | {first:.2f} | {later:.2f} | {first / later:.1f} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Print a table, and write it down where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stages", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--media", type=int, nargs="+", help="pictures, instead of stages")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/BENCHMARKS.md")
    given = parser.parse_args()
    if given.media:
        table = compare_media(given.media, given.repeats)
        if given.write:
            write_table("plan of media", "\n".join(table))
        return
    lines = [HEADER]
    print(HEADER)
    with tempfile.TemporaryDirectory() as place:
        measured(1, 1, Path(place))  # fills the page cache
        _, first_plan, first_dry = measured(1, given.repeats, Path(place))
        for stages in given.stages:
            artifacts, plan, dry = measured(stages, given.repeats, Path(place))
            lines.append(
                f"| {stages} | {artifacts} | {plan:.2f} | {plan / first_plan:.1f} "
                f"| {dry:.1f} | {dry / first_dry:.1f} |"
            )
            print(lines[-1], flush=True)
    if given.write:
        write_table("plan", "\n".join(lines))


if __name__ == "__main__":
    main()
