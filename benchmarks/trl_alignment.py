"""The same DPO and GRPO runs by Manus and written directly against TRL: losses side by side, time as a ratio.

    python -m benchmarks.trl_alignment [--base results/quickstart/base] [--methods dpo grpo]
        [--steps 8] [--repeats 3]

Same model, rows, seed, adapter, precision and settings; without `--base` the model is the pico model of the
tests. The two run in turn, in processes of their own, so that a noisy machine harms both alike. The seconds
of a step are those between the ends of two steps, the median over all runs; what a first step warms up does
not count. The processor's seconds of the training process are given too: neighbours disturb them less, but a
verifier's process is not in them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
SEED = 1
MAX_LENGTH = 1024
RANK, ALPHA, BETA, KL_COEFFICIENT = 8, 16, 0.1, 0.04
WANTED_CHARACTERS = 50
LENGTH_WEIGHT = 0.5
HELD_OUT = 1
SHOWN_STEPS = 12
ALIKE = ("loss", "grad_norm", "reward", "reward_std", "kl", "entropy", "rewards/", "logps/", "completions/")

Row = dict[str, Any]
History = list[dict[str, float]]


@dataclass(frozen=True)
class Run:
    """What both sides are told: pairs (dpo) or answers (grpo) a batch, and the most tokens of an answer.

    `answers: engine` lets TRL's side ask our engine for answers too: then both learn from the same ones.
    """

    method: str
    steps: int = 8
    batch_size: int = 8
    group_size: int = 4
    max_new_tokens: int = 16
    temperature: float = 1.5  # for the pico model, which is too sure of its answers at 1
    learning_rate: float = 1e-4
    answers: str = "trl"

    @property
    def samples(self) -> int:
        """The rows that so many steps take in one epoch."""
        return self.steps * (self.batch_size if self.method == "dpo" else self.batch_size // self.group_size)


OPTIONS = {name: value for name, value in asdict(Run("")).items() if name != "method"}


def worked_rows(samples: int) -> list[Row]:
    """Return generated problems with a right answer and the next problem's as the worse one."""
    from manus.capabilities import cot
    from manus.data.settings import Source
    from manus.data.sources.rows import rows

    read = [
        cot.read(row)  # type: ignore[arg-type]
        for _, row in rows(Source(generator="cot"), ROOT, samples + 1, SEED, False)
        if row
    ]
    return [
        {
            "prompt": one["messages"][:-1],
            "chosen": one["messages"][-1:],
            "rejected": next_["messages"][-1:],
            "answer": one["answer"],
        }
        for one, next_ in pairwise(read)
    ]


def prepare_rows(base: Path, folder: Path, data: list[Row], method: str) -> None:
    """Prepare rows as Manus reads them for a method, and leave in `trl.jsonl` those that train."""
    from manus.data.preparation.choosing import prepare
    from manus.data.prepared.samples import read_held_out
    from manus.data.settings import DataSettings, Source
    from manus.files import write_jsonl
    from manus.jobs.rows import reader_of
    from manus.models.tokenizer import load_tokenizer
    from manus.recipe.recipe import CAPABILITIES, METHODS
    from manus.recipe.stage import Stage

    folder.mkdir(parents=True)
    source = folder / "source.jsonl"
    write_jsonl(source, data)
    settings = DataSettings(held_out=HELD_OUT, data=(Source(path=str(source)),), max_length=MAX_LENGTH)
    stage = Stage(
        "stage", "cot", method, settings, METHODS[method].Settings(), CAPABILITIES["cot"].Settings()
    )
    prepare(
        settings.data,
        settings,
        reader_of(stage),
        stage.data_kind,
        load_tokenizer(base),
        folder,
        SEED,
        folder,
        folder / "work",
    )
    asked = [sample["messages"][:-1] for sample in read_held_out(folder)]
    write_jsonl(folder / "trl.jsonl", [row for row in data if row.get("prompt") not in asked])


@contextmanager
def step_times() -> Iterator[list[tuple[float, float]]]:
    """Note when every step of any Trainer ends, by clock and processor, on both sides in the same way."""
    from transformers import Trainer, TrainerCallback

    times: list[tuple[float, float]] = []
    train = Trainer.train

    class Watch(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            times.append((time.perf_counter(), time.process_time()))

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.add_callback(Watch())
        return train(self, *args, **kwargs)

    with mock.patch.object(Trainer, "train", watched):
        yield times


def run_manus(base: Path, data: Path, run: Run, folder: Path) -> History:
    """Train by our own method, as the runner does; return what it logged."""
    from manus.recipe.recipe import METHODS
    from manus.rewards.settings import RewardSettings
    from manus.training.stage_job import StageJob

    work, staging = folder / "work", folder / "staging"
    for part in (work, staging):
        part.mkdir(parents=True)
    own: dict[str, Any] = {"beta": BETA}
    if run.method == "grpo":
        own = {
            "kl_coefficient": KL_COEFFICIENT,
            "group_size": run.group_size,
            "max_new_tokens": run.max_new_tokens,
            "temperature": run.temperature,
        }
    settings = METHODS[run.method].Settings(
        adapter="lora",
        rank=RANK,
        alpha=ALPHA,
        learning_rate=run.learning_rate,
        scheduler="constant",
        warmup=0.0,
        batch_size=run.batch_size,
        epochs=1,
        precision="fp32",
        **own,
    )
    rewards = (
        RewardSettings(verifier="capability"),
        RewardSettings(
            verifier="length", weight=LENGTH_WEIGHT, options={"target_characters": WANTED_CHARACTERS}
        ),
    )
    METHODS[run.method].train(
        StageJob(
            name="stage",
            settings=settings,
            base=base,
            base_name="base",
            start=(),
            data=data,
            max_length=MAX_LENGTH,
            seed=SEED,
            work=work,
            staging=staging,
            capability="cot",
            rewards=rewards if run.method == "grpo" else (),
        )
    )
    return [json.loads(line) for line in (staging / "metrics.jsonl").read_text().splitlines()]


def run_trl(base: Path, data: Path, run: Run, folder: Path) -> History:
    """Train with TRL alone; return what it logged."""
    import torch
    from datasets import load_dataset
    from peft import LoraConfig
    from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer

    common: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": run.batch_size,
        "num_train_epochs": 1,
        "learning_rate": run.learning_rate,
        "lr_scheduler_type": "constant",
        "bf16": False,
        "logging_steps": 1,
        "activation_checkpointing": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": SEED,
        "use_cpu": not torch.cuda.is_available(),
        "model_init_kwargs": {"dtype": "float32"},
    }
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")
    rows = load_dataset(
        "json", data_files=str(data / "trl.jsonl"), split="train", cache_dir=str(folder / "cache")
    )
    torch.manual_seed(SEED)
    if run.method == "dpo":
        trainer: Any = DPOTrainer(
            model=str(base), args=DPOConfig(beta=BETA, **common), train_dataset=rows, peft_config=lora
        )
    else:
        arguments = GRPOConfig(
            beta=KL_COEFFICIENT,
            num_generations=run.group_size,
            max_completion_length=run.max_new_tokens,
            temperature=run.temperature,
            reward_weights=[1.0, LENGTH_WEIGHT],
            **common,
        )
        trainer = GRPOTrainer(
            model=str(base),
            args=arguments,
            reward_funcs=[capability, length],
            train_dataset=rows,
            peft_config=lora,
            rollout_func=_engine(base, run) if run.answers == "engine" else None,
        )
    trainer.train()
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def _engine(base: Path, run: Run) -> Callable[..., dict[str, Any]]:
    from manus.models.tokenizer import load_tokenizer
    from manus.settings.sampling import SamplingSettings
    from manus.training.trainers.grpo import rollouts

    settings = SamplingSettings(max_new_tokens=run.max_new_tokens, temperature=run.temperature)
    return rollouts(load_tokenizer(base), settings)


def capability(completions: list[Any], answer: list[str], **others: Any) -> list[float]:
    """Reward right answers, by the function that our verifier of this name calls in its own process."""
    from manus.capabilities import cot

    answers = (turns[-1]["content"] for turns in completions)
    return [
        float(cot.score({"messages": [], "answer": expected}, said).correct)
        for said, expected in zip(answers, answer, strict=True)
    ]


def length(completions: list[Any], **others: Any) -> list[float]:
    """Reward answers by how near their length is to what is wanted."""
    lengths = [len(turns[-1]["content"].strip()) for turns in completions]
    return [
        max(0.0, 1 - abs(found - WANTED_CHARACTERS) / WANTED_CHARACTERS) * (found > 0) for found in lengths
    ]


SIDES: dict[str, Callable[[Path, Path, Run, Path], History]] = {"manus": run_manus, "trl": run_trl}


def differences(ours: History, theirs: History) -> dict[str, float]:
    """Return the largest difference, over the steps, of every figure that both sides log alike."""
    assert len(ours) == len(theirs), f"{len(ours)} steps against {len(theirs)}"
    known = [name for name in theirs[0] if name in ours[0] and name.startswith(ALIKE)]
    return {
        name: max(abs(one[name] - other[name]) for one, other in zip(ours, theirs, strict=True))
        for name in known
    }


def timed(side: str, base: Path, data: Path, run: Run) -> tuple[History, list[list[float]]]:
    """Run one side in a process of its own; return what it logged and the seconds of its steps."""
    told = [f"--{name.replace('_', '-')}={getattr(run, name)}" for name in OPTIONS]
    command = [sys.executable, "-m", "benchmarks.trl_alignment", "--only", side, "--methods", run.method]
    command += ["--data", str(data), "--base", str(base), *told]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return found["history"], found["step_seconds"]


def only(side: str, base: Path, data: Path, run: Run) -> None:
    """Be the process of one side."""
    from manus.jobs.libraries import quiet_libraries

    quiet_libraries()
    with tempfile.TemporaryDirectory() as place, step_times() as ends:
        history = SIDES[side](base, data, run, Path(place))
    print(
        json.dumps(
            {
                "history": history,
                "step_seconds": [[b - a for a, b in zip(*both, strict=True)] for both in pairwise(ends)],
            }
        )
    )


def compare(base: Path, data: Path, run: Run, repeats: int) -> None:
    """Run both sides in turn and print how alike and how fast they are."""
    found = [
        {side: timed(side, base, data, run) for side in (SIDES if number % 2 else reversed(SIDES))}
        for number in range(repeats)
    ]
    ours, theirs = (found[0][side][0] for side in ("manus", "trl"))
    print(
        f"{run.method}: step, loss by manus and by trl" + (", reward by both" if run.method == "grpo" else "")
    )
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True), 1):
        rewards = f"   {one['reward']:8.5f} {other['reward']:8.5f}" if run.method == "grpo" else ""
        if step <= SHOWN_STEPS:
            print(f"  {step:3} {one['loss']:10.6f} {other['loss']:10.6f}{rewards}")
    for name, difference in differences(ours, theirs).items():
        print(f"  largest difference in {name}: {difference:.2g}")
    for place, clock in enumerate(("seconds a step", "processor seconds")):
        each = [{side: median(step[place] for step in pair[side][1]) for side in SIDES} for pair in found]
        both = {side: median(step[place] for pair in found for step in pair[side][1]) for side in SIDES}
        ratios = ", ".join(f"{one['manus'] / one['trl']:.3f}" for one in each)
        print(
            f"  {clock:17} manus {both['manus']:.4f}   trl {both['trl']:.4f}   "
            f"ratio {both['manus'] / both['trl']:.3f} (each repeat: {ratios})"
        )


def main() -> None:
    """Prepare the rows, run both sides, print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, help="a model's folder; without it, the pico model of the tests")
    parser.add_argument("--methods", nargs="+", default=["dpo", "grpo"], choices=["dpo", "grpo"])
    parser.add_argument("--repeats", type=int, default=3)
    for name, default in OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--only", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    runs = [Run(method, **{name: getattr(given, name) for name in OPTIONS}) for method in given.methods]
    if given.only:
        only(given.only, given.base, given.data, runs[0])
        return
    with tempfile.TemporaryDirectory() as place:
        base, data = given.base and given.base.resolve(), Path(place) / "data"
        rows = max(run.samples for run in runs) + HELD_OUT
        base, made = (base, worked_rows(rows)) if base else pico(Path(place), rows)
        for run in runs:
            prepare_rows(base, data / run.method, made[: run.samples + HELD_OUT], run.method)
            compare(base, data / run.method, run, given.repeats)


def pico(folder: Path, rows: int) -> tuple[Path, list[Row]]:
    """Make the pico model of the tests, and pairs for it: of what it knows, and of what it does not."""
    from tests.pico import pretrained

    return pretrained(folder / "base"), pico_rows(rows)


def pico_rows(count: int) -> list[Row]:
    """Return pairs for the pico model, those that it can tell apart and those that it cannot in turn."""
    from tests.pico import pairs

    known, new = (pairs(place, -(-count // 2)) for place in ("last", "first"))
    return [row for both in zip(known, new, strict=True) for row in both][:count]


if __name__ == "__main__":
    main()
