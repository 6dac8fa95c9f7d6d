"""Real tokens per CPU second of one stage: Manus, TRL's SFTTrainer, LLaMA-Factory, and a bare loop as the limit.

    python benchmarks/throughput.py [BASE_FOLDER] [--samples 96] [--repeats 3] [--kinds lora full] [--write]

Same model, rows, seed, 32-bit arithmetic, learning rate, LoRA settings and one epoch. Each run is a process of its own;
the repeats are interleaved, so that a noisy machine harms all alike. All get the same number of threads, and none of
them spins while it waits (GOMP_SPINCOUNT=0, which Manus sets for itself): spinning is counted as CPU time and would
only measure what else the machine does. Padding is not counted as tokens. The held-out loss is measured after training.
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
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import psutil

CAPACITY = 1024
SETTINGS = {"rank": 8, "alpha": 16, "learning_rate": 2e-4}
RATE_OF_ALL_WEIGHTS = 2e-5
SIDES = {
    "manus": "Manus, packed",
    "manus_rows": "Manus, defaults (batch of 8, no padding)",
    "trl": "TRL SFTTrainer, defaults",
    "trl_kept": "TRL, no gradient checkpointing",
    "trl_packed": "TRL, packed",
    "bare": "bare loop (the limit)",
    "llamafactory": "LLaMA-Factory, defaults",
}
BEGIN, END = "<!-- throughput -->", "<!-- /throughput -->"
PAGE = Path(__file__).parents[1] / "docs" / "BENCHMARKS.md"


class Meter:
    """Notes when the first step begins and when training ends, and how many places the batches had."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self.places = 0

    def begins(self) -> None:
        """Note the first step."""
        if "startup_seconds" not in self.figures:
            self.figures["startup_seconds"] = time.time() - psutil.Process().create_time()
            self.figures["startup_cpu_seconds"] = self.began = time.process_time()

    def ends(self) -> None:
        """Note what training took."""
        self.figures["cpu_seconds"] = time.process_time() - self.began
        self.figures["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9

    def watch_trainer(self) -> None:
        """Measure whatever Trainer runs in this process."""
        from transformers import Trainer
        from transformers.trainer_callback import DefaultFlowCallback

        step, meter = Trainer.training_step, self

        def counted(trainer: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            meter.places += inputs["input_ids"].numel()
            return step(trainer, model, inputs, *args, **kwargs)

        Trainer.training_step = counted
        DefaultFlowCallback.on_step_begin = lambda *args, **kwargs: meter.begins()
        DefaultFlowCallback.on_train_end = lambda *args, **kwargs: meter.ends()


def prepare_rows(base: Path, folder: Path, samples: int) -> int:
    """Prepare the data once: as Manus reads it, and as the columns that TRL reads; return the number of tokens."""
    from manus.capabilities import cot
    from manus.data.preparation import prepare
    from manus.data.prepared import PreparedSamples, write_jsonl
    from manus.data.rendering import load_tokenizer
    from manus.data.settings import DataSettings, Source

    source, tokenizer = Source(generator="cot"), load_tokenizer(base)
    settings = DataSettings(sample_size=samples, held_out=min(40, samples // 2), max_length=CAPACITY)
    prepare([source], settings, cot.read, "messages", tokenizer, folder, 1, folder, folder / "bad.jsonl")
    prepared = PreparedSamples(folder)
    rows = []
    for sample in (prepared[index] for index in range(len(prepared))):
        ids, start = sample["ids"].tolist(), int(sample["is_learned"].argmax())
        rows.append({"input_ids": ids, "completion_mask": [0] * start + [1] * (len(ids) - start)})
    write_jsonl(folder / "trl.jsonl", rows)
    return int(prepared.lengths.sum())


def run_manus(base: Path, folder: Path, is_full: bool, meter: Meter, packing: bool) -> Any:
    """Train by our own method."""
    from manus.methods import lora, sft
    from manus.runner import prepare_process
    from manus.training import job as jobs

    prepare_process()
    method: Any = sft if is_full else lora
    kept: list[Any] = []
    save = jobs.save
    jobs.save = lambda model, job: kept.append(model)  # type: ignore[assignment]
    own = {"learning_rate": RATE_OF_ALL_WEIGHTS} if is_full else SETTINGS
    settings = method.Settings(
        **own, epochs=1, batch_size=1 if packing else 8, scheduler="constant", warmup=0.0, precision="fp32",
        packing=packing,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        work, staging = Path(place) / "work", Path(place) / "staging"
        work.mkdir()
        staging.mkdir()
        meter.watch_trainer()
        method.train(
            jobs.StageJob(
                name="stage", settings=settings, base=base, base_name="base", start=(), data=folder,
                max_length=CAPACITY, seed=1, work=work, staging=staging,
            )
        )  # fmt: skip
    jobs.save = save
    kept[0].get_base_model().set_attn_implementation("sdpa") if not is_full else kept[0].set_attn_implementation("sdpa")
    return kept[0]


def run_trl(base: Path, folder: Path, is_full: bool, meter: Meter, **own: Any) -> Any:
    """Train with TRL's SFTTrainer, its defaults but for the arithmetic and what is `own`."""
    import torch
    from datasets import load_dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(1)
    meter.watch_trainer()
    lora = LoraConfig(
        r=SETTINGS["rank"], lora_alpha=SETTINGS["alpha"], target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with tempfile.TemporaryDirectory() as place:
        arguments = SFTConfig(
            output_dir=place, num_train_epochs=1, lr_scheduler_type="constant", bf16=False, save_strategy="no",
            learning_rate=RATE_OF_ALL_WEIGHTS if is_full else SETTINGS["learning_rate"], report_to="none", seed=1,
            use_cpu=not torch.cuda.is_available(), model_init_kwargs={"dtype": "float32"}, max_length=CAPACITY,
            disable_tqdm=True, **own,
        )  # fmt: skip
        data = load_dataset("json", data_files=str(folder / "trl.jsonl"), split="train", cache_dir=place)
        trainer = SFTTrainer(model=str(base), args=arguments, train_dataset=data, peft_config=None if is_full else lora)
        trainer.train()
    return trainer.model


def run_bare(base: Path, folder: Path, is_full: bool, meter: Meter) -> Any:
    """Train by the bare loop."""
    import bare_loop

    settings = {**SETTINGS, "learning_rate": RATE_OF_ALL_WEIGHTS} if is_full else SETTINGS
    model = bare_loop.train(base, folder, settings, CAPACITY, is_full, meter.begins)
    meter.ends()
    return model


RUNS: dict[str, Callable[[Path, Path, bool, Meter], Any]] = {
    "manus": lambda *given: run_manus(*given, packing=True),
    "manus_rows": lambda *given: run_manus(*given, packing=False),
    "trl": run_trl,
    "trl_kept": lambda *given: run_trl(*given, gradient_checkpointing=False),
    "trl_packed": lambda *given: run_trl(*given, packing=True, per_device_train_batch_size=1),
    "bare": run_bare,
}


def held_out_loss(model: Any, base: Path, folder: Path) -> float:
    """Return the mean loss on learned tokens of held-out samples, one by one."""
    import torch
    import torch.nn.functional as F

    from manus.data.prepared import read_held_out
    from manus.data.rendering import load_tokenizer, render

    tokenizer, total, count = load_tokenizer(base), 0.0, 0
    model.eval()
    for sample in read_held_out(folder):
        tokens = render(tokenizer, sample)
        ids, is_learned = torch.tensor([tokens.ids]), torch.tensor(tokens.is_learned)[1:]
        with torch.no_grad():
            logits = model(input_ids=ids.to(model.device), use_cache=False).logits[0, :-1].float().cpu()
        total += F.cross_entropy(logits[is_learned], ids[0, 1:][is_learned], reduction="sum").item()
        count += int(is_learned.sum())
    return total / count


def run_here(side: str, base: Path, folder: Path, is_full: bool, tokens: int) -> None:
    """Run one side in this process and print its figures."""
    meter = Meter()
    model = RUNS[side](base, folder, is_full, meter)
    figures = {
        **meter.figures,
        "tokens_per_cpu_second": tokens / meter.figures["cpu_seconds"],
        "padding": 1 - tokens / meter.places if meter.places else 0.0,
        "held_out_loss": held_out_loss(model, base, folder),
    }
    print(json.dumps(figures))


def measured(side: str, base: Path, folder: Path, kind: str, tokens: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [sys.executable, __file__, str(base), "--only", side, "--data", str(folder), "--kinds", kind]
    environment = {**os.environ, "GOMP_SPINCOUNT": "0"}
    done = subprocess.run(
        [*command, "--tokens", str(tokens)], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{kind} {side}: {figures}", file=sys.stderr, flush=True)
    return figures


def table(kind: str, rounds: list[dict[str, dict[str, float]]]) -> list[str]:
    """Return the lines of one kind's table; a ratio is taken within each round."""
    lines = [
        f"| {kind} | tokens per CPU s | Manus packed is faster by (min, median, max) | peak GB | padding | start-up s (CPU s) | held-out loss |",
        "|---|---|---|---|---|---|---|",
    ]
    for side, name in SIDES.items():
        if side not in rounds[0]:
            lines.append(f"| {name} | not installed here | | | | | |")
            continue
        one = {figure: median(each[side][figure] for each in rounds) for figure in rounds[0][side]}
        ratios = sorted(each["manus"]["tokens_per_cpu_second"] / each[side]["tokens_per_cpu_second"] for each in rounds)
        lines.append(
            f"| {name} | {one['tokens_per_cpu_second']:.1f} | {ratios[0]:.2f}, {median(ratios):.2f}, {ratios[-1]:.2f} "
            f"| {one['peak_gb']:.2f} | {one['padding']:.1%} | {one['startup_seconds']:.1f} ({one['startup_cpu_seconds']:.1f}) "
            f"| {one['held_out_loss']:.3f} |"
        )
    return lines


def write(lines: list[str]) -> None:
    """Put the tables into the page, between their marks."""
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    if BEGIN not in before:
        before = f"{before.rstrip()}\n\n{BEGIN}\n{END}\n"
    head, rest = before.split(BEGIN, 1)
    PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def main() -> None:
    """Prepare, run all sides in turn, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, nargs="?", default=Path("results/quickstart/base"))
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=["lora", "full"], default=["lora", "full"])
    parser.add_argument("--sides", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--write", action="store_true", help="put the tables into docs/BENCHMARKS.md")
    parser.add_argument("--only", choices=list(RUNS), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tokens", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        run_here(given.only, given.base, given.data, given.kinds[0] == "full", given.tokens)
        return
    from manus.environment import hardware

    known = hardware()
    if find_spec("llamafactory") is not None:
        print("LLaMA-Factory is installed, but this benchmark has no run of it yet", file=sys.stderr)
    lines = [
        "## Throughput of training",
        "",
        f"{known['cpu']}, {known['cores']} cores; {given.samples} samples, {given.repeats} interleaved repeats, medians, fp32. "
        "One command: `python benchmarks/throughput.py --write`.",
    ]
    with tempfile.TemporaryDirectory() as place:
        tokens = prepare_rows(given.base, Path(place), given.samples)
        for kind in given.kinds:
            rounds = [
                {side: measured(side, given.base, Path(place), kind, tokens) for side in given.sides}
                for _ in range(given.repeats)
            ]
            lines += ["", *table(kind, rounds)]
    print("\n".join(lines))
    if given.write:
        write(lines)


if __name__ == "__main__":
    main()
