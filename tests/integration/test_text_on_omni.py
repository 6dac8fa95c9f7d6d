"""Stages of text alone train on a model with senses as on any, by the methods whose losses TRL computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from manus.models.loading.composition import compose, load_model
from manus.models.loading.folders import copy_tokenizer
from tests.integration.stage import prepared, trained
from tests.pico import pairs, rows
from tests.pico_native import llava, made
from tests.pico_omni import with_senses


@pytest.fixture(scope="module")
def omni(undecided_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_senses(undecided_base, tmp_path_factory.mktemp("omni"))


@pytest.mark.parametrize(
    ("method", "settings"),
    [("dpo", {}), ("orpo", {}), ("grpo", {"max_new_tokens": 12}), ("distillation", {})],
)
@pytest.mark.parametrize("adapter", ["lora", "none"])
def test_only_the_language_model_learns_from_texts(
    omni: Path, tmp_path: Path, method: str, settings: dict[str, Any], adapter: str
) -> None:
    kinds: dict[str, Any] = {"dpo": "preference", "orpo": "preference", "grpo": "prompt"}
    kind = kinds.get(method, "messages")
    data = prepared(
        omni, tmp_path / "data", pairs("first", 24) if kind == "preference" else rows("first", 24), 4, kind
    )
    # From another teacher than itself, or there is nothing to learn.
    teacher = (
        (with_senses(_other(omni, tmp_path), tmp_path / "teacher"), ()) if method == "distillation" else None
    )
    stage = trained(
        omni,
        data,
        tmp_path / "run",
        method,
        teacher=teacher,
        epochs=1,
        batch_size=8,
        adapter=adapter,
        **settings,
    )
    before, after = (
        load_model(omni, torch.float32).state_dict(),
        compose(omni, [stage], torch.float32).state_dict(),
    )
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"language_model"}


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("dpo", {}),
        ("orpo", {}),
        ("grpo", {"max_new_tokens": 12}),
        ("distillation", {}),
        ("cpt", {"epochs": 4}),
    ],
)
def test_a_base_that_sees_by_itself_learns_from_texts(
    undecided_base: Path, tmp_path: Path, method: str, settings: dict[str, Any]
) -> None:
    base = llava(tmp_path / "llava", undecided_base)
    kinds: dict[str, Any] = {"dpo": "preference", "orpo": "preference", "grpo": "prompt", "cpt": "text"}
    kind = kinds.get(method, "messages")
    given = pairs("first", 24) if kind == "preference" else rows("first", 24)
    texts: list[dict[str, Any]] = [{"text": f"{number} words to be read"} for number in range(24)]
    data = prepared(base, tmp_path / "data", texts if kind == "text" else given, 4, kind)
    teacher = (made("llava", tmp_path / "teacher", seed=1), ()) if method == "distillation" else None
    stage = trained(
        base,
        data,
        tmp_path / "run",
        method,
        teacher=teacher,
        batch_size=8,
        adapter="lora",
        **{"epochs": 1, **settings},
    )
    before, after = (
        load_model(base, torch.float32).state_dict(),
        compose(base, [stage], torch.float32).state_dict(),
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("model.language_model.layers.") for name in changed)


def _other(omni: Path, folder: Path) -> Path:
    model = load_model(omni, torch.float32).language_model
    with torch.no_grad():
        model.lm_head.weight.mul_(0.5)
    model.save_pretrained(folder / "other")
    copy_tokenizer(omni, folder / "other")
    return folder / "other"
