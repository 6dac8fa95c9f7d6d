"""The sides of the throughput benchmark: each trains one stage in this process and prints figures as JSON.

    python benchmarks/sides.py SIDE BASE_FOLDER DATA_FOLDER lora|full

Knows nothing of repeats or tables. The side of LLaMA-Factory runs in that package's own Python, without
Manus.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

CAPACITY = 1024
SETTINGS = {"rank": 8, "alpha": 16, "learning_rate": 2e-4}
RATE_OF_ALL_WEIGHTS = 2e-5
SAMPLES_IN_STEP = 8
TRAIN, HELD_OUT, FOR_LLAMAFACTORY = "rows.jsonl", "held_out_tokens.jsonl", "llamafactory"


class Meter:
    """Notes when the first step begins and when training ends, and how many places the batches had."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self.places = 0
        self.model: Any = None

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
        """Measure whatever Trainer runs in this process, and keep its model."""
        from transformers import Trainer
        from transformers.trainer_callback import DefaultFlowCallback

        step, meter = Trainer.training_step, self

        def counted(trainer: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            meter.places += inputs["input_ids"].numel()
            meter.model = trainer.model
            return step(trainer, model, inputs, *args, **kwargs)

        Trainer.training_step = counted
        DefaultFlowCallback.on_step_begin = lambda *args, **kwargs: meter.begins()
        DefaultFlowCallback.on_train_end = lambda *args, **kwargs: meter.ends()


def rows_in_step(folder: Path) -> int:
    """Return how many full rows hold about as many samples as others' batches: all take as many steps."""
    with (folder / TRAIN).open(encoding="utf-8") as stream:
        lengths = [len(json.loads(line)["input_ids"]) for line in stream]
    return max(1, round(SAMPLES_IN_STEP * sum(lengths) / len(lengths) / CAPACITY))


def run_manus(base: Path, folder: Path, is_full: bool, meter: Meter, packing: bool) -> Any:
    """Train by our own method."""
    from manus.jobs.libraries import prepare_process
    from manus.methods import lora, sft
    from manus.models.loading.imports import import_libraries
    from manus.training import job as jobs

    prepare_process()
    import_libraries(with_trainer=True)
    method: Any = sft if is_full else lora
    own = {"learning_rate": RATE_OF_ALL_WEIGHTS} if is_full else SETTINGS
    settings = method.Settings(
        **own,
        epochs=1,
        batch_size=1 if packing else SAMPLES_IN_STEP,
        scheduler="constant",
        warmup=0.0,
        gradient_accumulation=rows_in_step(folder) if packing else 1,
        precision="fp32",
        packing=packing,
    )
    with tempfile.TemporaryDirectory() as place:
        work, staging = Path(place) / "work", Path(place) / "staging"
        work.mkdir()
        staging.mkdir()
        meter.watch_trainer()
        method.train(
            jobs.StageJob(
                name="stage",
                settings=settings,
                base=base,
                base_name="base",
                start=(),
                data=folder,
                max_length=CAPACITY,
                seed=1,
                work=work,
                staging=staging,
            )
        )
    plain = meter.model if is_full else meter.model.get_base_model()
    plain.set_attn_implementation("sdpa")
    return meter.model


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
            output_dir=place,
            num_train_epochs=1,
            lr_scheduler_type="constant",
            bf16=False,
            save_strategy="no",
            learning_rate=RATE_OF_ALL_WEIGHTS if is_full else SETTINGS["learning_rate"],
            report_to="none",
            seed=1,
            use_cpu=not torch.cuda.is_available(),
            model_init_kwargs={"dtype": "float32"},
            max_length=CAPACITY,
            disable_tqdm=True,
            **own,
        )
        data = load_dataset("json", data_files=str(folder / TRAIN), split="train", cache_dir=place)
        trainer = SFTTrainer(
            model=str(base), args=arguments, train_dataset=data, peft_config=None if is_full else lora
        )
        trainer.train()
    return trainer.model


def run_bare(base: Path, folder: Path, is_full: bool, meter: Meter) -> Any:
    """Train by the bare loop."""
    import bare_loop

    settings = {**SETTINGS, "learning_rate": RATE_OF_ALL_WEIGHTS} if is_full else SETTINGS
    model = bare_loop.train(base, folder, settings, CAPACITY, is_full, rows_in_step(folder), meter.begins)
    meter.ends()
    return model


def run_llamafactory(base: Path, folder: Path, is_full: bool, meter: Meter) -> Any:
    """Train with what LLaMA-Factory makes of a YAML file that says only what is the same for all sides."""
    import torch

    meter.watch_trainer()
    try:
        import torchaudio  # noqa: F401
    except (
        ImportError,
        OSError,
    ):  # its wheels want CUDA; LLaMA-Factory imports it, and uses it for audio files only
        sys.modules["torchaudio"] = ModuleType("torchaudio")
        sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)
    from llamafactory.train.tuner import run_exp

    own = (
        {"finetuning_type": "full"}
        if is_full
        else {
            "finetuning_type": "lora",
            "lora_rank": SETTINGS["rank"],
            "lora_alpha": SETTINGS["alpha"],
            "lora_target": "all",
        }
    )
    with tempfile.TemporaryDirectory() as place:
        run_exp({
            "model_name_or_path": str(base), "stage": "sft", "dataset": "that_of_tokenized_path",
            "do_train": True, "tokenized_path": str(folder / FOR_LLAMAFACTORY), "template": "smollm2",
            "cutoff_len": CAPACITY, "output_dir": place, "num_train_epochs": 1, "seed": 1,
            "learning_rate": RATE_OF_ALL_WEIGHTS if is_full else SETTINGS["learning_rate"],
            "save_strategy": "no", "lr_scheduler_type": "constant", "report_to": "none",
            "use_cpu": not torch.cuda.is_available(), **own,
        })  # fmt: skip
    return meter.model


RUNS: dict[str, Callable[[Path, Path, bool, Meter], Any]] = {
    "manus": lambda *given: run_manus(*given, packing=True),
    "manus_rows": lambda *given: run_manus(*given, packing=False),
    "trl": run_trl,
    "trl_kept": lambda *given: run_trl(*given, gradient_checkpointing=False),
    "trl_packed": lambda *given: run_trl(
        *given,
        packing=True,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=rows_in_step(given[1]),
    ),
    "llamafactory": run_llamafactory,
    "bare": run_bare,
}


def held_out_loss(model: Any, folder: Path) -> float:
    """Return the mean loss on learned tokens of held-out samples, one by one."""
    import torch
    import torch.nn.functional as F

    total, count = 0.0, 0
    model.eval()
    for line in (folder / HELD_OUT).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        ids, is_learned = (
            torch.tensor([row["input_ids"]]),
            torch.tensor(row["completion_mask"][1:], dtype=torch.bool),
        )
        with torch.no_grad():
            logits = model(input_ids=ids.to(model.device), use_cache=False).logits[0, :-1].float().cpu()
        total += F.cross_entropy(logits[is_learned], ids[0, 1:][is_learned], reduction="sum").item()
        count += int(is_learned.sum())
    return total / count


def main(side: str, base: Path, folder: Path, kind: str) -> None:
    """Run one side and print its figures; tokens are those of the data, whatever a side makes of them."""
    with (folder / TRAIN).open(encoding="utf-8") as stream:
        tokens = sum(len(json.loads(line)["input_ids"]) for line in stream)
    meter = Meter()
    model = RUNS[side](base, folder, kind == "full", meter)
    figures = {
        **meter.figures,
        "tokens_per_cpu_second": tokens / meter.figures["cpu_seconds"],
        "padding": 1 - tokens / meter.places
        if meter.places
        else 0.0,  # below 0: what samples share is computed once
        "held_out_loss": held_out_loss(model, folder),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
