"""Trains one stage on prepared samples by next-token prediction: the sft family and cpt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manus.data.on_the_fly import SAMPLED, looked_at
from manus.data.prepared import PreparedSamples, open_samples
from manus.data.sharded import ShardedSamples
from manus.errors import DataError, InputError, ManusError
from manus.guards import ranks
from manus.training.job import arguments, conduct, kernels, total_steps

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from manus.models.media import Media
    from manus.models.native.inputs import OwnInputs
    from manus.training.job import StageJob
    from manus.training.loop import Guarded

TOKENS_IN_PROOF = 32


def train_supervised(job: StageJob) -> dict[str, Any]:
    """Train on all labels of the prepared samples; see `conduct` for what is left, returned and raised."""
    from transformers import set_seed

    from manus.data.media.files import has_media
    from manus.models.media import media_inputs
    from manus.models.native.inputs import OwnInputs
    from manus.models.projectors import language_model_of
    from manus.training.attention import can_share_beginnings, keep_samples_apart
    from manus.training.batches import FlatCollator, PaddedCollator, Rows
    from manus.training.head import learn_by_parts
    from manus.training.live import Collator, LiveTrainer, Places
    from manus.training.loop import StageTrainer
    from manus.training.media_batches import MediaRows
    from manus.training.weights import precision_of, trainable

    settings, adapter = job.settings, job.settings.adapter
    samples = prepared_samples(job)
    set_seed(job.seed)
    precision = precision_of(settings.precision)
    model = trainable(job.base, job.start, adapter, settings, precision)
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    inner = language_model_of(whole)
    inputs = media_inputs(job.base, job.data) if has_media(job.data) else None
    if isinstance(inputs, OwnInputs):  # such a model decides by media where tokens are and what they see: no flat rows
        is_flat = False
        ids, media = an_example(samples, inputs)
        by_parts = learn_by_parts(inner, ids, media=media)
    else:
        texts = proof(samples, inner.config.get_text_config().vocab_size)
        by_parts = learn_by_parts(inner, texts[0])
        is_flat = keep_samples_apart(inner, texts)
    if settings.packing and not is_flat:
        raise ManusError(f"{job.name}: packing: {type(inner).__name__} cannot keep samples apart; set packing: false")
    is_sharing = is_flat and inputs is None and can_share_beginnings(inner, texts)
    collator: Any = FlatCollator(is_sharing) if is_flat else PaddedCollator(job.tokenizer.pad_token_id)
    live = job.live() if job.live else None
    rows: Any = Rows(samples, job.max_length if settings.packing else None) if live is None else Places(live)
    if inputs is not None:
        assert isinstance(samples, PreparedSamples), "large data hold no media"
        rows = MediaRows(rows, samples)
        collator = with_media(collator, job, samples, inputs, whole)
    total = total_steps(len(rows), settings)

    def build(callbacks: list[Any]) -> Guarded:
        common: dict[str, Any] = {
            "model": model, "args": arguments(job, precision, total, by_parts=by_parts, **kernels()),
            "by_parts": by_parts, "train_dataset": rows, "callbacks": callbacks, "title": job.name,
        }  # fmt: skip
        if live is None:
            return StageTrainer(**common, data_collator=collator)
        return LiveTrainer(
            **common, data_collator=Collator(collator), budget=job.failure_budget, staging=job.staging,
            looked_at=looked_at(job.data),
        )  # fmt: skip

    return {**conduct(job, total, build), "is_padding_free": is_flat}


def with_media(collator: Any, job: StageJob, samples: PreparedSamples, inputs: Media, model: PreTrainedModel) -> Any:
    """Return a collator that adds media to batches: as they are, or as the model's frozen encoders see them.

    Raises:
        InputError: encoder outputs are to be kept, and the model has encoders of its own.
    """
    from manus.models.media_inputs import MediaInputs
    from manus.training.feature_cache import cached, is_wanted
    from manus.training.media_batches import MediaCollator, OwnCollator

    if not isinstance(inputs, MediaInputs):
        if job.settings.cache_features is True:
            raise InputError(f"{job.name}: cache_features: true needs encoders that Manus added; remove the key")
        return OwnCollator(collator, inputs)
    if not is_wanted(job.settings, job.settings.epochs, inputs):
        return MediaCollator(collator, inputs)
    numbers = [number for sample in range(len(samples)) for number in samples.media_of(sample)]
    return MediaCollator(collator, cached(model, inputs, numbers, job.work / f"features-{ranks.rank()}"))


def an_example(samples: PreparedSamples | ShardedSamples, inputs: OwnInputs) -> tuple[list[int], dict[str, Any]]:
    """Return the tokens of a sample that has media, and the model's inputs for those."""
    import torch

    assert isinstance(samples, PreparedSamples), "large data hold no media"
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
    """Return the beginnings of a few samples, on which a model shows that it keeps samples of one row apart.

    Placeholders of media, which the language model does not know, are left out.
    """
    beginnings = (samples[index]["ids"] for index in range(min(3, len(samples))))
    return [ids[ids < vocabulary][:TOKENS_IN_PROOF].tolist() for ids in beginnings]
