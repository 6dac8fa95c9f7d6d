"""Trains one stage to foretell what a teacher foretells, on stored answers and on the student's own.

Generalised knowledge distillation (Agarwal et al. 2024, arXiv:2306.13649) with TRL's divergence, which here
is taken only where a token is learned, so that no tensor of all logits exists. Knows nothing of where the
teacher comes from.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel, set_seed
from trl.experimental.gkd import GKDTrainer

from manus.errors import ModelError
from manus.models.loading.composition import compose
from manus.models.loading.precision import device, held_dtype, precision_of
from manus.models.tokenizer import load_tokenizer
from manus.training.batches.text import FlatCollator, PaddedCollator, Rows, Segment, real_tokens
from manus.training.job import arguments, batches_of, conduct, total_steps
from manus.training.kernels.attention import can_share_beginnings, keep_samples_apart
from manus.training.labels import IGNORED
from manus.training.loop import Measured, StageTrainer
from manus.training.rollouts.sampling import Sampler
from manus.training.stage_job import StageJob
from manus.training.trainers.supervised import prepared_samples, proof
from manus.training.weights import frozen, trainable

# Shapes: B rows, T tokens of a row, K positions before a learned token, V vocabulary.


class StageDistillationTrainer(Measured, StageTrainer):
    """Trainer whose loss is the divergence between student and teacher at every learned token."""

    def __init__(
        self, *args: Any, settings: Any, teacher: PreTrainedModel, tokenizer: Any, collate: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.loss_is_scaled_for_ga = self.model_accepts_loss_kwargs = False
        self.settings, self.teacher, self.collate = settings, teacher, collate
        self.companions = [teacher]
        self.sampler = None
        if settings.on_policy_share:
            self.sampler = Sampler(self.model, tokenizer, settings, self.accelerator, settings.batch_size)

    def _prepare_inputs(self, inputs: Any) -> Any:
        """Return a batch of stored answers, or, as often as the settings say, of answers by the student."""
        segments = [segment for row in inputs for segment in row]
        is_own = self.sampler is not None and random.random() < self.settings.on_policy_share
        if self.sampler is not None:
            self.measure("on_policy_share", float(is_own))
        if is_own:
            segments = self._answered(segments)
        return super()._prepare_inputs(self.collate([segments]))

    def _answered(self, segments: Sequence[Segment]) -> list[Segment]:
        """Return the same prompts with answers by the student, of which every token is learned."""
        assert self.sampler is not None, "only who samples has answers of its own"
        prompts = [ids[: last_answer_start(labels)].tolist() for ids, labels in segments]
        answers = self.sampler.draw(prompts)
        self.measure("completions/mean_length", sum(map(len, answers)) / len(answers))
        made = []
        for prompt, answer in zip(prompts, answers, strict=True):
            ids = torch.tensor(prompt + answer)
            labels = ids.clone()
            labels[: len(prompt)] = IGNORED
            made.append((ids, labels))
        return made

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the mean divergence over the learned tokens of the batch."""
        labels_BT = inputs.pop("labels")
        self.tokens_seen += real_tokens(inputs)
        next_BT = F.pad(labels_BT[:, 1:], (0, 1), value=IGNORED)
        is_learned = next_BT != IGNORED
        keep_K = is_learned.any(0).nonzero().squeeze(1)
        own_NV = self._logits(model, inputs, keep_K)[is_learned[:, keep_K]]
        with torch.no_grad():
            shown_NV = self._logits(self.teacher, inputs, keep_K)[is_learned[:, keep_K]]
        shared = min(
            own_NV.shape[1], shown_NV.shape[1]
        )  # tables of one vocabulary may be padded to unlike sizes
        loss = GKDTrainer.generalized_jsd_loss(
            own_NV[:, :shared].float(),
            shown_NV[:, :shared].float(),
            beta=self.settings.beta,
            temperature=self.settings.distillation_temperature,
        )
        self.measure("divergence", loss.item())
        return loss

    def _logits(self, model: Any, inputs: dict[str, Any], keep_K: torch.Tensor) -> torch.Tensor:
        if self.can_skip_logits:
            logits: torch.Tensor = model(**inputs, logits_to_keep=keep_K, use_cache=False).logits
            return logits
        return model(**inputs, use_cache=False).logits[:, keep_K]  # type: ignore[no-any-return]


def last_answer_start(labels_T: torch.Tensor) -> int:
    """Return where the last run of learned tokens begins."""
    is_learned = (labels_T != IGNORED).tolist()
    end = len(is_learned) - is_learned[::-1].index(True)
    start = end - 1
    while start > 0 and is_learned[start - 1]:
        start -= 1
    return start


def _segments(rows: list[list[Segment]]) -> list[list[Segment]]:
    """Leave the samples as they are: what becomes of them is decided when the batch is used."""
    return rows


def train_distillation(job: StageJob) -> dict[str, Any]:
    """Train a student on the teacher's distributions.

    Raises:
        ModelError: the teacher has another tokenizer.
    """
    settings, adapter = job.settings, job.settings.adapter
    samples = prepared_samples(job)
    assert job.teacher is not None, "the recipe names a teacher"
    folder, chain = job.teacher
    check_tokenizers(job, folder)
    set_seed(job.seed)
    precision = precision_of(settings.precision)
    model = trainable(job.base, job.start, adapter, settings, precision)
    teacher = frozen(compose(folder, chain, held_dtype(precision)).to(device()))
    inner = model if adapter == "none" else model.get_base_model()
    texts = proof(samples)
    can_be_flat = not settings.on_policy_share and keep_samples_apart(teacher, texts)
    is_flat = can_be_flat and keep_samples_apart(inner, texts)
    is_sharing = is_flat and all(can_share_beginnings(each, texts) for each in (teacher, inner))
    rows = Rows(samples, None)
    total = total_steps(batches_of(len(rows), settings), settings)

    def build(callbacks: list[Any]) -> StageDistillationTrainer:
        return StageDistillationTrainer(
            model=model,
            settings=settings,
            teacher=teacher,
            tokenizer=job.tokenizer,
            collate=FlatCollator(is_sharing) if is_flat else PaddedCollator(job.tokenizer.pad_token_id),
            args=arguments(job, precision, total),
            train_dataset=rows,
            data_collator=_segments,
            callbacks=callbacks,
            title=job.name,
        )

    return {**conduct(job, total, build), "is_padding_free": is_flat}


def check_tokenizers(job: StageJob, teacher: Any) -> None:
    """Refuse a teacher that cuts texts into other tokens: its distributions say nothing of the student's.

    Raises:
        ModelError: the vocabularies differ.
    """
    if teacher == job.base:
        return
    own, other = job.tokenizer.get_vocab(), load_tokenizer(teacher).get_vocab()
    unlike = next((token for token, number in own.items() if other.get(token) != number), None)
    if unlike is not None or len(own) != len(other):
        raise ModelError(
            f"{job.name}: the teacher has another tokenizer ({unlike!r} is not the same token there), "
            "so it cannot be learned from token by token; "
            "take a teacher of the same family, or train by sft on its answers"
        )
