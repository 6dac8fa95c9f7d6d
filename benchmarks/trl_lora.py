"""One LoRA stage by Manus and the same written directly against TRL: time and loss, as ratios.

    python benchmarks/trl_lora.py [BASE_FOLDER] [--samples 64] [--repeats 2]

Same model, rows, seed, batch size, precision, learning rate and LoRA settings; no gradient checkpointing in
both. The two run in turn, in processes of their own, so that a noisy machine harms both alike.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

SETTINGS = {"rank": 8, "alpha": 16, "batch_size": 8, "learning_rate": 2e-4, "epochs": 1}


def prepare_rows(base: Path, folder: Path, samples: int) -> None:
    """Prepare the data once: as Manus reads it, and as the prompt and completion columns that TRL reads."""
    from manus.capabilities import cot
    from manus.data.preparation.choosing import prepare
    from manus.data.settings import DataSettings, Source
    from manus.data.sources.rows import rows
    from manus.files import write_jsonl
    from manus.models.tokenizer import load_tokenizer

    source = Source(generator="cot")
    settings = DataSettings(sample_size=samples, held_out=10)
    prepare(
        [source], settings, cot.read, "messages", load_tokenizer(base), folder, 1, folder, folder / "work"
    )
    made = [
        cot.read(row)["messages"]
        for _, row in rows(source, folder, samples, 1, False)
        if isinstance(row, dict)
    ]
    write_jsonl(folder / "trl.jsonl", [{"prompt": turns[:-1], "completion": turns[-1:]} for turns in made])


def run_manus(base: Path, folder: Path, precision: str) -> dict[str, float]:
    """Train by our own method and return its figures."""
    from manus.jobs.libraries import quiet_libraries
    from manus.methods import lora
    from manus.training.stage_job import StageJob

    quiet_libraries()
    with tempfile.TemporaryDirectory() as place:
        work, staging = Path(place) / "work", Path(place) / "staging"
        work.mkdir()
        staging.mkdir()
        settings = lora.Settings(**SETTINGS, scheduler="constant", warmup=0.0, precision=precision)
        metrics = lora.train(
            StageJob(
                name="stage",
                settings=settings,
                base=base,
                base_name="base",
                start=(),
                data=folder,
                max_length=1024,
                seed=1,
                work=work,
                staging=staging,
            )
        )
        losses = [json.loads(line)["loss"] for line in (staging / "metrics.jsonl").read_text().splitlines()]
    return {"training_seconds": metrics["training_seconds"], "mean_loss": sum(losses) / len(losses)}


def run_trl(base: Path, folder: Path, precision: str) -> dict[str, float]:
    """Train with TRL's SFTTrainer and return its figures."""
    import torch
    from datasets import load_dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as place:
        arguments = SFTConfig(
            output_dir=place,
            per_device_train_batch_size=SETTINGS["batch_size"],
            num_train_epochs=1,
            learning_rate=SETTINGS["learning_rate"],
            lr_scheduler_type="constant",
            bf16=precision == "bf16",
            gradient_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            seed=1,
            use_cpu=not torch.cuda.is_available(),
            model_init_kwargs={"dtype": "float32"},
            disable_tqdm=True,
        )
        lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
        data = load_dataset("json", data_files=str(folder / "trl.jsonl"), split="train", cache_dir=place)
        trainer = SFTTrainer(model=str(base), args=arguments, train_dataset=data, peft_config=lora)
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"training_seconds": seconds, "mean_loss": sum(losses) / len(losses)}


def timed(who: str, base: Path, folder: Path, precision: str) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [
        sys.executable,
        __file__,
        str(base),
        "--only",
        who,
        "--data",
        str(folder),
        "--precision",
        precision,
    ]
    started = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "process_seconds": time.monotonic() - started}


def main() -> None:
    """Prepare, run both sides in turn, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, nargs="?", default=Path("results/quickstart/base"))
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--only", choices=["manus", "trl"])
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    if given.only:
        side = run_manus if given.only == "manus" else run_trl
        print(json.dumps(side(given.base, given.data, given.precision)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare_rows(given.base, folder, given.samples)
        pairs = [
            {who: timed(who, given.base, folder, given.precision) for who in ("manus", "trl")}
            for _ in range(given.repeats)
        ]
    for figure in ("training_seconds", "process_seconds", "mean_loss"):
        ours, theirs = (median(pair[who][figure] for pair in pairs) for who in ("manus", "trl"))
        ratios = ", ".join(f"{pair['manus'][figure] / pair['trl'][figure]:.2f}" for pair in pairs)
        print(
            f"{figure:17} manus {ours:8.3f}   trl {theirs:8.3f}   "
            f"ratio {ours / theirs:.2f}   (each: {ratios})"
        )


if __name__ == "__main__":
    main()
