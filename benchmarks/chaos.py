"""Kills whole runs of a five-stage recipe at random moments and compares the final weights with an undisturbed run's.

    python benchmarks/chaos.py [--kills 100] [--seed 0]

A pico model and generated data, made on the spot; each kill is SIGKILL to Snakemake and to all that it started. Prints
the kills that met a running job, by kind of job, and whether every weight file has the same bits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SHORTEST_SECONDS, LONGEST_SECONDS = 2.0, 18.0
HEAD = """\
base_model: base
defaults: {batch_size: 8, learning_rate: 5e-3, held_out: 20, max_length: 64, precision: fp32, epochs: 20}
guards: {checkpoint_every_steps: 25, cooldown_every_steps: 0}
capabilities:
"""
STAGE = "  - {capability}: {{name: {name}, method: {method}, data: [{{path: {data}.jsonl}}], probe: {{max_new_tokens: 12}}{more}}}\n"


def recipe_of_five() -> str:
    """Return a recipe of five stages that use every method of the supervised family."""
    plan = [
        ("cot", "one", "lora", "first", ", dropout: 0.1"),
        ("reasoning", "two", "sft", "middle", ", learning_rate: 1e-3, packing: true"),
        ("cot", "three", "dora", "last", ", gradient_accumulation: 2"),
        ("reasoning", "four", "qlora", "first", ", packing: true"),
        ("cot", "five", "lora", "middle", ", warmup: 0.3"),
    ]
    return HEAD + "".join(STAGE.format(capability=c, name=n, method=m, data=d, more=more) for c, n, m, d, more in plan)


def snakemake(folder: Path) -> subprocess.Popen[str]:
    """Start the recipe in a session of its own, so that all of it can be killed at once."""
    log = (folder / "output.txt").open("a")
    state = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")}
    return subprocess.Popen(
        [str(BIN / "snakemake"), "-s", str(ROOT / "Snakefile"), "--cores", "1", "--config", "recipe=five.yaml"],
        cwd=folder, env={**os.environ, **state, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}, start_new_session=True,
        stdout=log, stderr=log, text=True,
    )  # fmt: skip


def weights(folder: Path) -> dict[str, str]:
    """Return the sha256 of every weight file that the recipe shows."""
    files = sorted((folder / "results" / "five").rglob("*.safetensors"))
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def running_kinds(folder: Path) -> list[str]:
    """Return the states that the run's jobs told last."""
    found = []
    for path in folder.glob("results/.store/*/work/status.json"):
        try:
            found.append(str(json.loads(path.read_text())["state"]))
        except (OSError, ValueError):
            continue
    return found


def make_inputs(folder: Path) -> None:
    """Write the base model, the data and the recipe."""
    sys.path.insert(0, str(ROOT))
    from tests.pico import pretrained, rows, write_rows

    folder.mkdir()
    pretrained(folder / "base")
    for place in ("first", "middle", "last"):
        write_rows(folder / f"{place}.jsonl", rows(place, 180))
    (folder / "five.yaml").write_text(recipe_of_five())


def main() -> None:
    """Run undisturbed, run disturbed, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw, met = random.Random(given.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        calm, wild = Path(place) / "calm", Path(place) / "wild"
        make_inputs(calm)
        subprocess.run(["cp", "-a", str(calm), str(wild)], check=True)
        assert snakemake(calm).wait() == 0, (calm / "output.txt").read_text()
        kills = rounds = 0
        while kills < given.kills:
            rounds += 1
            while kills < given.kills:
                run = snakemake(wild)
                try:
                    run.wait(draw.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
                    break
                except subprocess.TimeoutExpired:
                    os.killpg(run.pid, signal.SIGKILL)
                    run.wait()
                    kills += 1
                    met.update(running_kinds(wild) or ["between jobs"])
            if kills >= given.kills:
                assert snakemake(wild).wait() == 0, (wild / "output.txt").read_text()
            is_same = weights(calm) == weights(wild)
            print(
                f"round {rounds}: {kills} kills so far, {len(weights(wild))} weight files, same bits: {is_same}",
                flush=True,
            )
            if not is_same:
                sys.exit(1)
            subprocess.run(["rm", "-rf", str(wild / "results")], check=True)
        print(f"{kills} kills met: " + ", ".join(f"{kind} {count}" for kind, count in met.most_common()))


if __name__ == "__main__":
    main()
