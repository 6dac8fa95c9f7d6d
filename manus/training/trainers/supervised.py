"""Trains one stage on prepared samples by next-token prediction: the sft family and cpt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from manus.data.preparation.while_training import SAMPLED, looked_at, unread_columns
from manus.data.prepared.samples import PreparedSamples, open_samples
from manus.data.prepared.sharded import ShardedSamples
from manus.errors import DataError, InputError, ManusError
from manus.training.job import arguments, batches_of, conduct, kernels, total_steps

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from manus.models.native.inputs import OwnInputs
    from manus.models.senses.inputs import Media
    from manus.training.loop import Guarded, StageTrainer
    from manus.training.stage_job import StageJob

TOKENS_ALIKE, TOKENS_OF_THEIR_OWN = (
    6,
    10,
)  # of each of a few samples, on which a model is asked what it can do


def train_supervised(job: StageJob) -> dict[str, Any]:
    """Train on all labels of the prepared samples; see `conduct` for what is left, returned and raised."""
    from transformers import set_seed

    from manus.data.media.files import has_media
    from manus.models.loading.precision import precision_of
    from manus.models.senses.inputs import media_inputs
    from manus.models.senses.omni_inputs import MediaInputs
    from manus.models.senses.projectors import language_model_of
    from manus.training.batches.text import FlatCollator, PaddedCollator
    from manus.training.weights import trainable

    settings = job.settings
    samples = prepared_samples(job)
    set_seed(job.seed)
    precision = precision_of(settings.precision)
    model = trainable(job.base, job.start, settings.adapter, settings, precision)
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    inputs = media_inputs(job.base, job.data) if has_media(job.data) else None
    shown = shown_by(language_model_of(whole), samples, inputs)
    if settings.packing and not shown.is_flat:
        name = type(language_model_of(whole)).__name__
        raise ManusError(f"{job.name}: packing: {name} cannot keep samples apart; set packing: false")
    padded = PaddedCollator(job.tokenizer.pad_token_id)
    placeholders = tuple(whole.config.special_token_ids) if isinstance(inputs, MediaInputs) else ()
    collator = FlatCollator(shown.is_sharing, placeholders) if shown.is_flat else padded
    feed = feed_of(job, samples, collator, inputs, whole)
    total = total_steps(feed.batches, settings)

    def build(callbacks: list[Any]) -> Guarded:
        args = arguments(job, precision, total, by_parts=shown.by_parts, **kernels(), **feed.arguments)
        return feed.trainer(
            model=model,
            args=args,
            by_parts=shown.by_parts,
            train_dataset=feed.rows,
            data_collator=feed.collator,
            callbacks=callbacks,
            title=job.name,
            **feed.own,
        )

    return {**conduct(job, total, build), "is_padding_free": shown.is_flat}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model shows of itself on a few samples: whether it needs no padding, logits, repetition."""

    by_parts: bool
    is_flat: bool = False
    is_sharing: bool = False


def shown_by(
    model: PreTrainedModel, samples: PreparedSamples | ShardedSamples, inputs: Media | None
) -> Shown:
    """Switch a language model to what saves time and memory, where samples show that it stays the same."""
    from manus.models.native.inputs import OwnInputs
    from manus.training.kernels.attention import (
        can_share_beginnings,
        keep_samples_apart,
        logits_alone,
        without_dropout,
    )
    from manus.training.kernels.head import learn_by_parts

    if isinstance(
        inputs, OwnInputs
    ):  # such a model decides by media where tokens are and what they see: no flat rows
        ids, media = an_example(samples, inputs)
        return Shown(learn_by_parts(model, ids, media=media))
    texts = proof(samples, model.config.get_text_config().vocab_size)
    with without_dropout(model):
        alone = logits_alone(model, texts)
        by_parts = learn_by_parts(model, texts[0], logits_TV=alone[0])
        is_flat = keep_samples_apart(model, texts, alone)
        return Shown(by_parts, is_flat, is_flat and can_share_beginnings(model, texts, alone))


@dataclass(frozen=True, slots=True)
class Feed:
    """What is fed to a model: rows, how batches are made of them, how many, and the Trainer that does it."""

    rows: Any
    collator: Any
    batches: int
    trainer: type[StageTrainer]
    own: dict[str, Any] = field(default_factory=dict)  # of this trainer
    arguments: dict[str, Any] = field(default_factory=dict)


def feed_of(
    job: StageJob,
    samples: PreparedSamples | ShardedSamples,
    collator: Any,
    inputs: Media | None,
    model: PreTrainedModel,
) -> Feed:
    """Return how a stage's samples reach its model: as they are, with media, or tokenised meanwhile."""
    from manus.training.batches.live import Collator, Places
    from manus.training.batches.text import Rows
    from manus.training.loop import StageTrainer
    from manus.training.trainers.live import LiveTrainer

    settings = job.settings
    if job.live is not None:
        live = job.live()
        own = {"budget": job.failure_budget, "staging": job.staging, "looked_at": looked_at(job.data)}
        own["unread"] = unread_columns(job.data)
        return Feed(Places(live), Collator(collator), batches_of(len(live), settings), LiveTrainer, own)
    if inputs is None:
        rows = Rows(samples, job.max_length if settings.packing else None)
        return Feed(rows, collator, batches_of(len(rows), settings), StageTrainer)
    return feed_with_media(job, samples, collator, inputs, model)


def feed_with_media(
    job: StageJob,
    samples: PreparedSamples | ShardedSamples,
    collator: Any,
    inputs: Media,
    model: PreTrainedModel,
) -> Feed:
    """Return samples with media in batches of one kind, and those beside them that teach what is trained.

    Raises:
        DataError: no sample teaches it anything.
        InputError: encoder outputs are to be kept, and the model has encoders of its own.
    """
    from manus.data.prepared.senses import by_senses
    from manus.training.batches.media import MediaRows, with_media
    from manus.training.trainers.media import MediaTrainer

    settings = job.settings
    groups = by_senses(samples, job.data)
    if settings.adapter == "projectors":
        groups = with_media(groups, job.name)
    rows = MediaRows(samples, groups, job.max_length if settings.packing else None)
    collate = media_collator(job, samples, collator, inputs, model)
    unused = {"ddp_find_unused_parameters": True}  # the projector of a sense that a batch lacks
    return Feed(
        rows, collate, len(rows.batches(settings.batch_size, job.seed)), MediaTrainer, arguments=unused
    )


def media_collator(
    job: StageJob,
    samples: PreparedSamples | ShardedSamples,
    collator: Any,
    inputs: Media,
    model: PreTrainedModel,
) -> Any:
    """Return a collator that adds media to batches: as they are, or as the model's frozen encoders see them.

    Raises:
        InputError: encoder outputs are to be kept, and the model has encoders of its own.
    """
    from manus.models.senses.omni_inputs import MediaInputs
    from manus.training.batches.beside import decoding
    from manus.training.batches.feature_cache import cached, is_wanted
    from manus.training.batches.media import MediaCollator, OwnCollator

    if not isinstance(inputs, MediaInputs):
        if job.settings.cache_features is True:
            raise InputError(
                f"{job.name}: cache_features: true needs encoders that Manus added; remove the key"
            )
        return OwnCollator(collator, inputs)
    if not is_wanted(job.settings, job.settings.epochs, inputs):
        return MediaCollator(collator, inputs)
    numbers = [number for sample in range(len(samples)) for number in samples.media_of(sample)]
    return MediaCollator(
        collator, cached(model, inputs, numbers, job.work / "features", decoding(), job.name)
    )


def an_example(
    samples: PreparedSamples | ShardedSamples, inputs: OwnInputs
) -> tuple[list[int], dict[str, Any]]:
    """Return the tokens of a sample that has media, and the model's inputs for those."""
    import torch

    index = next(index for index in range(len(samples)) if samples.media_of(index))
    ids = samples[index]["ids"].tolist()
    return ids, inputs.tensors([samples.media_of(index)], torch.tensor([ids]))


def prepared_samples(job: StageJob) -> PreparedSamples | ShardedSamples:
    """Return the stage's training samples; where rows are not prepared, those that were looked at.

    Raises:
        DataError: there are none.
    """
    samples = open_samples(job.data / SAMPLED if job.live else job.data)
    if not len(samples):
        raise DataError(f"{job.name}: there are no training samples")
    return samples


def proof(samples: PreparedSamples | ShardedSamples, vocabulary: int = 2**31) -> list[list[int]]:
    """Return a few tokens of a few samples, on which a model shows what it can do.

    All begin alike, then come the last ones of each.

    Each forward pass over them is paid before the first step, so they are few. Placeholders of media, which
    the language model does not know, are left out.
    """
    taken = (samples[index]["ids"] for index in range(min(3, len(samples))))
    texts = [text for text in (ids[ids < vocabulary] for ids in taken) if len(text)]
    return [[*texts[0][:TOKENS_ALIKE].tolist(), *ids[-TOKENS_OF_THEIR_OWN:].tolist()] for ids in texts]
