"""Every causal model type of transformers is trained and merged without loss, or refused with the reason.

By default in memory: an adapter, one step, the merge. `make test-exhaustive` takes each type through what a
recipe does: `lora`, then `dpo`, then a merged folder that transformers loads alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM, PreTrainedModel

from manus.errors import InputError
from manus.methods import dora, lora, qlora
from manus.models.loading.adapters import absorbed
from manus.models.loading.composition import Trained, compose
from manus.models.native.recognising import own_senses
from manus.training.weights import Learned, lora_config, start_model, trainable
from tests.families import PAGE, Said, as_stored, causal_types, page, said, small_model
from tests.integration.stage import prepared, trained
from tests.pico import pairs, rows, tokenizer

TYPES = causal_types()
# Each of another kind: routers that return more, sizes by layer, scans, shared layers, names changed when
# stored, fused experts, logits scaled behind the head, convolutions in place of linear maps.
COVERING = (
    "gpt2",
    "llama4_text",
    "phimoe",
    "gemma3n_text",
    "mamba2",
    "zamba2",
    "laguna",
    "qwen3_moe",
    "granitemoe",
)
SETTINGS = {"lora": lora.Settings, "dora": dora.Settings, "qlora": qlora.Settings}
IDS = torch.randint(3, 300, (2, 12), generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def moved(model: Any) -> Any:
    """Move every trained weight of an adapter away from its start."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float() + 0.1 * torch.randn_like(parameter.data.float())
    return model


@torch.no_grad()
def logits(model: Any, ids: torch.Tensor = IDS) -> torch.Tensor:
    found: torch.Tensor = model.eval()(input_ids=ids, use_cache=False).logits
    return found


def adapted(model: PreTrainedModel, kind: Learned = "lora") -> PeftModel:
    config = lora_config(kind, SETTINGS[kind](rank=2), model)
    return moved(get_peft_model(model, config))


def looks_back_alone(model: PreTrainedModel) -> bool:
    other = IDS.clone()
    other[:, -1] = (other[:, -1] + 7) % 300
    return torch.allclose(logits(model)[:, :-1], logits(model, other)[:, :-1], atol=1e-5)


def test_there_are_many_types() -> None:
    assert len(TYPES) > 150
    assert set(COVERING) <= set(TYPES)


def test_the_page_says_what_holds() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("model_type", TYPES)
def test_a_type_is_refused_or_adapted_and_merged(model_type: str) -> None:
    if said(model_type).refused:
        return
    model = small_model(model_type)
    before = logits(model)
    assert looks_back_alone(model)
    active = adapted(model)
    assert active.train()(input_ids=IDS, labels=IDS, use_cache=False).loss.requires_grad
    together = logits(active)
    assert (together - before).abs().max() > 1e-3
    torch.testing.assert_close(logits(absorbed(active)), together, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("model_type", ["mamba2", "llama4_text", "phimoe", "jamba", "zamba"])
def test_layers_that_cannot_carry_an_adapter_get_none(model_type: str) -> None:
    names = {
        "mamba2": "out_proj",
        "llama4_text": "router",
        "phimoe": "router",
        "jamba": "dt_proj",
        "zamba": "q_proj",
    }
    model = small_model(model_type)
    found = {
        name.split(".lora_A")[0].rsplit(".")[-1]
        for name, _ in adapted(model).named_parameters()
        if "lora_A" in name
    }
    assert found and names[model_type] not in found
    with pytest.raises(
        InputError, match=f"targets: '{names[model_type]}' cannot carry an adapter: .*; leave it out"
    ):
        lora_config("lora", lora.Settings(targets=("in_proj", names[model_type])), small_model(model_type))


def test_an_error_blames_only_what_the_recipe_says(tmp_path: Path) -> None:
    small_model("qwen3_moe").save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"^dora on Qwen3MoeForCausalLM: "):
        trainable(tmp_path, (), "dora", dora.Settings(), "fp32")
    with pytest.raises(InputError, match=r"^targets: "):
        trainable(tmp_path, (), "lora", lora.Settings(targets=("nowhere",)), "fp32")


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["dora", "qlora"])
@pytest.mark.parametrize("model_type", TYPES)
def test_other_adapters_are_refused_or_work(model_type: str, kind: Learned, tmp_path: Path) -> None:
    told: Said = said(model_type)
    if told.refused:
        return
    model = small_model(model_type)
    model.save_pretrained(tmp_path / "base")
    if kind == "dora" and told.dora:
        with pytest.raises(ValueError, match="use_dora"):
            adapted(model, kind)
        return
    if kind == "qlora" and told.qlora:
        return
    active = adapted(start_model(tmp_path / "base", (), kind, "fp32"), kind)
    active.train()(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
    together = logits(active)
    active.save_pretrained(tmp_path / "adapter")
    merged = compose(tmp_path / "base", [Trained("stage", "adapter", tmp_path / "adapter")], torch.float32)
    if kind == "dora":
        torch.testing.assert_close(logits(merged), together, atol=1e-4, rtol=1e-3)
    assert torch.isfinite(logits(merged)).all()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Prepare a few samples and pairs for all types, which share a tokenizer."""
    root = tmp_path_factory.mktemp("families")
    small_model("llama").save_pretrained(root / "base")
    tokenizer().save_pretrained(root / "base")
    samples = prepared(root / "base", root / "samples", rows("first", 12), held_out=2)
    both = prepared(root / "base", root / "pairs", pairs("first", 12), held_out=2, kind="preference")
    return SimpleNamespace(samples=samples, pairs=both)


def chained(model_type: str, data: SimpleNamespace, folder: Path) -> None:
    """Train by lora, then by dpo, and merge; the result equals base and adapters, and loads as it is."""
    model = small_model(model_type)
    model.save_pretrained(folder / "base")
    tokenizer().save_pretrained(folder / "base")
    brief: dict[str, Any] = {"epochs": 1, "batch_size": 5, "learning_rate": 1e-2, "rank": 2}
    first = trained(folder / "base", data.samples, folder / "first", "lora", **brief)
    second = trained(folder / "base", data.pairs, folder / "second", "dpo", (first,), **brief)
    together = adapted_by(model, first, second)
    merged = compose(folder / "base", [first, second], torch.float32)
    torch.testing.assert_close(logits(merged), together, atol=1e-4, rtol=1e-3)
    merged.save_pretrained(folder / "merged")
    kind = AutoModelForMultimodalLM if own_senses(as_stored(model.config)) else AutoModelForCausalLM
    torch.testing.assert_close(
        logits(kind.from_pretrained(folder / "merged")), together, atol=1e-4, rtol=1e-3
    )


def adapted_by(model: PreTrainedModel, first: Trained, second: Trained) -> torch.Tensor:
    """Return the logits of a model with two stages' adapters beside its weights, as PEFT loads them."""
    from manus.models.loading.adapters import adapted as put

    before = logits(model)
    active = put(put(model, first.path, "first"), second.path, "second")
    active.base_model.set_adapter(["first", "second"])
    found = logits(active)
    assert (found - before).abs().max() > 1e-4
    return found


@pytest.mark.parametrize("model_type", COVERING)
def test_lora_then_dpo_then_merge(model_type: str, data: SimpleNamespace, tmp_path: Path) -> None:
    chained(model_type, data, tmp_path)


@pytest.mark.exhaustive
@pytest.mark.parametrize("model_type", [name for name in TYPES if name not in COVERING])
def test_lora_then_dpo_then_merge_of_every_type(
    model_type: str, data: SimpleNamespace, tmp_path: Path
) -> None:
    if said(model_type).refused:
        return
    if own_senses(as_stored(small_model(model_type).config)):
        pytest.skip(
            "bases that see or hear by themselves are trained with their processors, in test_native_training"
        )
    chained(model_type, data, tmp_path)
