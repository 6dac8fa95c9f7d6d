"""How long planning takes: `manus plan` and `snakemake -n` for recipes of 10, 100 and 1000 stages.

    python benchmarks/plan.py [--stages 10 100 1000] [--repeats 1] [--write]

Each is timed from process start to exit, the stages with data of their own (one file each), nothing built yet. The
baseline is a recipe of one stage.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tables import write_table

ROOT = Path(__file__).parents[1]
HEADER = (
    "| stages | artifacts | `manus plan` s | ratio to 1 stage | `snakemake -n` s | ratio to 1 stage |\n"
    "|---|---|---|---|---|---|"
)


def write_recipe(folder: Path, stages: int) -> Path:
    """Write a recipe with so many stages, a base that can be planned with, and a data file for each stage."""
    base = folder / "base"
    base.mkdir(exist_ok=True)
    (base / "config.json").write_text('{"model_type": "llama"}')
    (base / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    lines = []
    for number in range(stages):
        row = {"prompt": f"{number} + 1?", "completion": f"{number + 1}"}
        (folder / f"{number}.jsonl").write_text(json.dumps(row) + "\n")
        lines.append(f"  - cot: {{name: s{number}, data: [{{path: {number}.jsonl}}]}}")
    path = folder / f"stages-{stages}.yaml"
    path.write_text(
        "base_model: base\ncompose: parallel\ndefaults: {method: lora}\ncapabilities:\n" + "\n".join(lines) + "\n"
    )
    return path


def seconds(command: list[str], folder: Path) -> float:
    """Return how long a command takes.

    Raises:
        SystemExit: it failed.
    """
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - began


def measured(stages: int, repeats: int, place: Path) -> tuple[int, float, float]:
    """Return how many artifacts a recipe has, and the medians of both commands."""
    folder = place / str(stages)
    folder.mkdir(exist_ok=True)
    recipe = write_recipe(folder, stages)
    plan = [sys.executable, "-m", "manus", "plan", str(recipe)]
    dry = [sys.executable, "-m", "snakemake", "-n", "--quiet", "--cores", "2", "--snakefile", str(ROOT / "Snakefile")]
    dry += ["--config", f"recipe={recipe}"]
    took = [median(seconds(command, folder) for _ in range(repeats)) for command in (plan, dry)]
    told = subprocess.run(
        [*plan, "--json"], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True
    )
    return len(json.loads(told.stdout)["artifacts"]), took[0], took[1]


def main() -> None:
    """Print a table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/BENCHMARKS.md")
    given = parser.parse_args()
    lines = [HEADER]
    print(HEADER)
    with tempfile.TemporaryDirectory() as place:
        measured(1, 1, Path(place))  # fills the page cache
        _, first_plan, first_dry = measured(1, given.repeats, Path(place))
        for stages in given.stages:
            artifacts, plan, dry = measured(stages, given.repeats, Path(place))
            lines.append(
                f"| {stages} | {artifacts} | {plan:.2f} | {plan / first_plan:.1f} | {dry:.1f} | {dry / first_dry:.1f} |"
            )
            print(lines[-1], flush=True)
    if given.write:
        write_table("plan", "\n".join(lines))


if __name__ == "__main__":
    main()
