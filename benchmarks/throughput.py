"""Real tokens per CPU second of one stage: Manus, TRL's SFTTrainer, LLaMA-Factory, a bare loop as the limit.

    python benchmarks/throughput.py [BASE_FOLDER] [--samples 96] [--repeats 3] [--kinds lora full] [--write]
        [--llamafactory-python PATH]

Same model, tokens, seed, 32-bit arithmetic, learning rate, LoRA settings and one epoch, in about as many
steps: those who pack take as many full rows a step as hold the eight samples of the others' batches, one
after another. The samples are conversations of one to four worked problems. Each run is a process of its own;
the repeats are interleaved, so that a noisy machine harms all alike. All get the same number of threads, and
none of them spins while it waits (GOMP_SPINCOUNT=0): spinning is counted as CPU time and would only measure
what else the machine does. Padding is not counted as tokens. The held-out loss is measured after training.
LLaMA-Factory cannot share Manus's packages; it is run by the Python of another environment, which is the one
of `llamafactory-cli` on PATH if none is named.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import sides
import tables

SIDES = {
    "manus": "Manus, packed",
    "manus_rows": "Manus, batches of 8 (no padding either)",
    "trl": "TRL SFTTrainer, defaults",
    "trl_kept": "TRL, no gradient checkpointing",
    "trl_packed": "TRL, packed",
    "llamafactory": "LLaMA-Factory, defaults of its YAML",
    "bare": "bare loop (the limit)",
}
MOST_TURNS = 4
HELD_OUT_SAMPLES = 20
SECONDS_AT_MOST = 3600


def prepare_rows(base: Path, folder: Path, samples: int) -> None:
    """Prepare the data once: as Manus reads it, and the same tokens as the columns that the others read."""
    from manus.capabilities import cot
    from manus.data.forms.messages import as_messages
    from manus.data.preparation.choosing import prepare
    from manus.data.prepared.samples import PreparedSamples, read_held_out
    from manus.data.settings import DataSettings, Source
    from manus.data.sources.rows import rows
    from manus.data.tokens.rendering import render
    from manus.files import write_jsonl
    from manus.models.tokenizer import load_tokenizer

    source, tokenizer, rng = Source(generator="cot"), load_tokenizer(base), random.Random(1)
    most = MOST_TURNS * (samples + HELD_OUT_SAMPLES)
    made = (
        cot.read(row)["messages"] for _, row in rows(source, folder, most, 1, False) if isinstance(row, dict)
    )
    joined = [
        {"messages": [turn for _ in range(rng.randint(1, MOST_TURNS)) for turn in next(made)]}
        for _ in range(samples + HELD_OUT_SAMPLES)
    ]
    file = folder / "conversations.jsonl"
    write_jsonl(file, joined)
    settings = DataSettings(held_out=HELD_OUT_SAMPLES, max_length=sides.CAPACITY)
    prepare(
        [Source(path=str(file))],
        settings,
        as_messages,
        "messages",
        tokenizer,
        folder,
        1,
        folder,
        folder / "work",
    )
    prepared = PreparedSamples(folder)
    trained = (
        (sample["ids"].tolist(), sample["is_learned"].tolist())
        for sample in map(prepared.__getitem__, range(len(prepared)))
    )
    held_out = (
        (tokens.ids, tokens.is_learned)
        for tokens in (render(tokenizer, one) for one in read_held_out(folder))
    )
    for name, pairs in ((sides.TRAIN, trained), (sides.HELD_OUT, held_out)):
        write_jsonl(
            folder / name,
            ({"input_ids": ids, "completion_mask": [int(x) for x in mask]} for ids, mask in pairs),
        )


def write_for_llamafactory(folder: Path, python: str) -> None:
    """Write the tokens as LLaMA-Factory keeps tokenised data, by its own version of `datasets`."""
    program = (
        "import json, sys, datasets\n"
        "rows = [json.loads(line) for line in open(sys.argv[1], encoding='utf-8')]\n"
        "made = [{'input_ids': r['input_ids'], 'attention_mask': [1] * len(r['input_ids']), 'labels': "
        "[i if m else -100 for i, m in zip(r['input_ids'], r['completion_mask'])]} for r in rows]\n"
        "datasets.DatasetDict(train=datasets.Dataset.from_list(made)).save_to_disk(sys.argv[2])\n"
    )
    paths = [str(folder / sides.TRAIN), str(folder / sides.FOR_LLAMAFACTORY)]
    subprocess.run([python, "-c", program, *paths], check=True, capture_output=True)


def llamafactory_python() -> str | None:
    """Return the Python beside `llamafactory-cli` on PATH."""
    found = shutil.which("llamafactory-cli")
    return str(Path(found).parent / "python") if found else None


def measured(side: str, base: Path, folder: Path, kind: str, python: str) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [python, str(Path(sides.__file__)), side, str(base), str(folder), kind]
    environment = {**os.environ, "GOMP_SPINCOUNT": "0", "DISABLE_VERSION_CHECK": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=SECONDS_AT_MOST
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{kind} {side}: {figures}", file=sys.stderr, flush=True)
    return figures


def table(kind: str, rounds: list[dict[str, dict[str, float]]]) -> list[str]:
    """Return the lines of one kind's table; a ratio is taken within each round."""
    lines = [
        f"| {kind} | tokens per CPU s | Manus packed is faster by (min, median, max) | peak GB | padding "
        "| start-up s (CPU s) | held-out loss |",
        "|---|---|---|---|---|---|---|",
    ]
    for side, name in SIDES.items():
        if side not in rounds[0]:
            lines.append(f"| {name} | not run here | | | | | |")
            continue
        one = {figure: median(each[side][figure] for each in rounds) for figure in rounds[0][side]}
        ratios = sorted(
            each["manus"]["tokens_per_cpu_second"] / each[side]["tokens_per_cpu_second"] for each in rounds
        )
        lines.append(
            f"| {name} | {one['tokens_per_cpu_second']:.1f} "
            f"| {ratios[0]:.2f}, {median(ratios):.2f}, {ratios[-1]:.2f} "
            f"| {one['peak_gb']:.2f} | {padded(one['padding'])} "
            f"| {one['startup_seconds']:.1f} ({one['startup_cpu_seconds']:.1f}) "
            f"| {one['held_out_loss']:.3f} |"
        )
    return lines


def padded(share: float) -> str:
    """Return the share of padding in what was computed; below 0, samples share what was computed once."""
    return f"{share:.1%}" if share >= 0 else f"0.0%, {1 - 1 / (1 - share):.1%} of the tokens spared"


def interleaved(given: Any, pythons: dict[str, str], folder: Path) -> list[str]:
    """Run all sides of all kinds in turn and return the lines of their tables."""
    lines: list[str] = []
    for kind in given.kinds:
        rounds = [
            {side: measured(side, given.base, folder, kind, python) for side, python in pythons.items()}
            for _ in range(given.repeats)
        ]
        lines += ["", *table(kind, rounds)]
    return lines


def main() -> None:
    """Prepare, run all sides in turn, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, nargs="?", default=Path("results/quickstart/base"))
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=["lora", "full"], default=["lora", "full"])
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument(
        "--llamafactory-python", default=llamafactory_python(), help="a Python that has LLaMA-Factory"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/BENCHMARKS.md")
    given = parser.parse_args()
    pythons = dict.fromkeys(["manus", *given.sides], sys.executable)
    if "llamafactory" in pythons:
        if given.llamafactory_python is None:
            print("no llamafactory-cli on PATH and no --llamafactory-python: it is left out", file=sys.stderr)
            del pythons["llamafactory"]
        else:
            pythons["llamafactory"] = given.llamafactory_python
    with tempfile.TemporaryDirectory() as place:
        prepare_rows(given.base, Path(place), given.samples)
        if "llamafactory" in pythons:
            write_for_llamafactory(Path(place), given.llamafactory_python)
        lines = interleaved(given, pythons, Path(place))
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    told = f"{given.samples} samples, {given.repeats} interleaved repeats, medians, fp32, {threads} thread(s)"
    markdown = "\n".join([f"{told}.", *lines])
    print(markdown)
    if given.write:
        tables.write_table("throughput", markdown)


if __name__ == "__main__":
    main()
