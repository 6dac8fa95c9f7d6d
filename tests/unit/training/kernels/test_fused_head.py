"""TRL's fused head is used where it computes what the model does, and else the model's own head."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel
from trl.trainer.utils import add_fused_lm_head

from manus.training.kernels.fused_head import answer_by, own_heads
from manus.training.labels import IGNORED
from tests.families import small_model

SAMPLE = list(range(3, 30))
OUTPUTS = ("log_probs", "entropy", "mean_logits", "is_top1")
# Llama 4's body has another name; these scale logits behind the head, or count experts under another name.
UNFIT = ("llama4_text", "inkling_text", "granitemoe", "modernbert-decoder")


@pytest.mark.parametrize("model_type", ["llama", "gemma2", "cohere", "granite", "qwen3_moe"])
def test_it_fits(model_type: str) -> None:
    model = small_model(model_type)
    assert own_heads(SAMPLE, model) == []
    assert "forward" not in model.__dict__


@pytest.mark.parametrize("model_type", UNFIT)
def test_it_does_not_fit(model_type: str) -> None:
    model = small_model(model_type)
    heads = own_heads(SAMPLE, model, None)
    assert [one for one, _ in heads] == [model]
    add_fused_lm_head(model, outputs=OUTPUTS)
    answer_by(heads)
    ids, labels = batch()
    found = model(input_ids=ids, labels=labels, fused_lm_head=True)
    expected = model(input_ids=ids).logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    expected[:, :3] = 0
    torch.testing.assert_close(found.log_probs, expected)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.tensor([SAMPLE, SAMPLE[::-1]])
    labels = ids.clone()
    labels[:, :4] = IGNORED
    return ids, labels


def answered(model: PreTrainedModel) -> list[torch.Tensor]:
    ids, labels = batch()
    found = model(input_ids=ids, labels=labels, fused_lm_head=True)
    return [getattr(found, name) for name in ("loss", *OUTPUTS)]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_where_both_work_they_say_the_same(temperature: float) -> None:
    model = small_model("llama")
    own = [(model, model.forward)]
    add_fused_lm_head(model, temperature, outputs=OUTPUTS)
    fused = answered(model)
    answer_by(own, temperature)
    for one, other in zip(answered(model), fused, strict=True):
        torch.testing.assert_close(one, other)
