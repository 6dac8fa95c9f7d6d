"""With an adapter, dpo and grpo hold no second model: the reference is the model with its adapter off."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from peft import PeftModel
from transformers import Trainer, TrainerCallback

from manus.models.loading.composition import compose
from manus.models.tokenizer import load_tokenizer
from manus.recipe.recipe import METHODS
from tests.integration.stage import job, prepared, rows
from tests.pico import pairs

SMALL_SHARE = 0.1  # of the base's bytes; batches and adapters of other sizes lie far below it


def bytes_of_tensors() -> int:
    """Return how much memory stands behind all tensors that Python knows, each piece counted once."""
    gc.collect()
    found = [each.untyped_storage() for each in gc.get_objects() if issubclass(type(each), torch.Tensor)]
    return sum({storage.data_ptr(): storage.nbytes() for storage in found}.values())


@dataclass
class Held(TrainerCallback):
    """Counts, before the second step, the bytes of what a stage holds; keeps the trainer to look at."""

    bytes: int = 0
    trainer: Any = None
    before: int = field(default_factory=bytes_of_tensors)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count what came since; by now the optimizer has its states, and no gradient is left."""
        if state.global_step == 1:
            self.bytes = bytes_of_tensors() - self.before


def held(base: Path, folder: Path, method: str, data: Path, **settings: Any) -> Held:
    """Train a few steps and return what was held in them."""
    watch, train = Held(), Trainer.train

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.add_callback(watch)
        watch.trainer = self
        return train(self, *args, **kwargs)

    with mock.patch.object(Trainer, "train", watched):
        METHODS[method].train(job(base, data, folder, method, **{"epochs": 1, "batch_size": 8, **settings}))
    assert watch.bytes > 0
    return watch


@pytest.fixture(scope="module")
def data(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same number of rows in each form."""
    folder = tmp_path_factory.mktemp("memory")
    return {
        "messages": prepared(pico_base, folder / "messages", rows("last", 20), held_out=4),
        "preference": prepared(pico_base, folder / "preference", pairs("last", 20), 4, "preference"),
        "prompt": prepared(pico_base, folder / "prompt", rows("last", 20), 4, "prompt"),
    }


SETTINGS: dict[str, dict[str, Any]] = {
    "dpo": {"learning_rate": 5e-3},
    "grpo": {
        "learning_rate": 5e-3,
        "kl_coefficient": 0.1,
        "max_new_tokens": 12,
        "temperature": 1.5,
        "epochs": 0.25,
    },
}


@pytest.fixture(scope="module")
def plain(pico_base: Path, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What an adapter and a full stage of supervised learning hold: one model."""
    folder = tmp_path_factory.mktemp("plain")
    methods = {"lora": "lora", "none": "sft"}
    return {name: held(pico_base, folder / name, m, data["messages"]).bytes for name, m in methods.items()}


@pytest.mark.parametrize(("method", "kind"), [("dpo", "preference"), ("grpo", "prompt")])
def test_an_adapter_needs_no_second_model(
    pico_base: Path, data: dict[str, Path], plain: dict[str, int], tmp_path: Path, method: str, kind: str
) -> None:
    start = compose(pico_base, [], torch.float32)
    model_bytes = sum(p.numel() * p.element_size() for p in start.parameters())
    assert plain["lora"] > model_bytes, "the measure sees the model itself"
    with_adapter = held(
        pico_base, tmp_path / "adapter", method, data[kind], adapter="lora", **SETTINGS[method]
    )
    assert abs(with_adapter.bytes - plain["lora"]) < SMALL_SHARE * model_bytes
    trainer = with_adapter.trainer
    assert (trainer.ref_model, trainer.companions) == (None, [])
    assert_reference_is_the_start(
        trainer.model, start, load_tokenizer(pico_base)("first of 1 2 3")["input_ids"]
    )
    with_copy = held(pico_base, tmp_path / "copy", method, data[kind], adapter="none", **SETTINGS[method])
    assert with_copy.bytes - plain["none"] > (1 - SMALL_SHARE) * model_bytes, (
        "it sees a second one where there is one"
    )
    assert with_copy.trainer.companions == [with_copy.trainer.ref_model]


@torch.no_grad()
def assert_reference_is_the_start(model: Any, start: Any, ids: list[int]) -> None:
    """Check that a trained model without its adapter is the start model, and with it another one."""
    assert isinstance(model, PeftModel)
    words = {"input_ids": torch.tensor([ids])}
    with model.disable_adapter():
        reference = model(**words).logits
    assert torch.equal(reference, start(**words).logits)
    assert not torch.allclose(model(**words).logits, reference), "the adapter has learned something"
