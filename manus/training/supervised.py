"""Trains one stage on prepared samples by next-token prediction: the sft family and cpt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manus.data.on_the_fly import SAMPLED, looked_at
from manus.data.prepared import PreparedSamples, open_samples
from manus.data.sharded import ShardedSamples
from manus.errors import DataError, ManusError
from manus.training.job import arguments, batches_of, conduct, kernels, total_steps

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from manus.models.media_inputs import MediaInputs
    from manus.training.feature_cache import CachedInputs
    from manus.training.job import StageJob
    from manus.training.loop import Guarded
    from manus.training.media_batches import MediaRows

TOKENS_IN_PROOF = 32


def train_supervised(job: StageJob) -> dict[str, Any]:
    """Train on all labels of the prepared samples; see `conduct` for what is left, returned and raised."""
    from transformers import set_seed

    from manus.data.media.files import has_media
    from manus.models.projectors import language_model_of
    from manus.training.attention import keep_samples_apart
    from manus.training.batches import FlatCollator, PaddedCollator, Rows
    from manus.training.head import learn_by_parts
    from manus.training.live import Collator, LiveTrainer, Places
    from manus.training.loop import StageTrainer
    from manus.training.media_batches import MediaCollator, MediaTrainer
    from manus.training.weights import precision_of, trainable

    settings, adapter = job.settings, job.settings.adapter
    samples = prepared_samples(job)
    set_seed(job.seed)
    precision = precision_of(settings.precision)
    model = trainable(job.base, job.start, adapter, settings, precision)
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    inner = language_model_of(whole)
    texts = proof(samples, inner.config.vocab_size)
    by_parts = learn_by_parts(inner, texts[0])
    is_flat = keep_samples_apart(inner, texts)
    if settings.packing and not is_flat:
        raise ManusError(f"{job.name}: packing: {type(inner).__name__} cannot keep samples apart; set packing: false")
    collator: Any = FlatCollator() if is_flat else PaddedCollator(job.tokenizer.pad_token_id)
    live = job.live() if job.live else None
    rows: Any = Rows(samples, job.max_length if settings.packing else None) if live is None else Places(live)
    kind: type[StageTrainer] = StageTrainer
    own: dict[str, Any] = kernels()
    batches = batches_of(len(rows), settings)
    if has_media(job.data):
        assert isinstance(samples, PreparedSamples), "large data hold no media"
        rows, kind = media_rows(job, samples), MediaTrainer
        collator = MediaCollator(collator, media_of(job, samples, whole))
        batches = len(rows.batches(settings.batch_size, job.seed))
        own["ddp_find_unused_parameters"] = True  # the projector of a sense that a batch lacks
    total = total_steps(batches, settings)

    def build(callbacks: list[Any]) -> Guarded:
        common: dict[str, Any] = {
            "model": model, "args": arguments(job, precision, total, by_parts=by_parts, **own),
            "by_parts": by_parts, "train_dataset": rows, "callbacks": callbacks, "title": job.name,
        }  # fmt: skip
        if live is None:
            return kind(**common, data_collator=collator)
        return LiveTrainer(
            **common, data_collator=Collator(collator), budget=job.failure_budget, staging=job.staging,
            looked_at=looked_at(job.data),
        )  # fmt: skip

    return {**conduct(job, total, build), "is_padding_free": is_flat}


def media_rows(job: StageJob, samples: PreparedSamples) -> MediaRows:
    """Return the rows of samples with media, and of those beside them that teach what is trained."""
    from manus.data.media.files import MediaFiles
    from manus.training.media_batches import MediaRows, by_senses, with_media

    groups = by_senses(samples, MediaFiles(job.data))
    if job.settings.adapter == "projectors":
        groups = with_media(groups, job.name)
    return MediaRows(samples, groups, job.max_length if job.settings.packing else None)


def media_of(job: StageJob, samples: PreparedSamples, model: PreTrainedModel) -> MediaInputs | CachedInputs:
    """Return the media of a stage's samples, as they are or as the model's frozen encoders see them."""
    from manus.models.media_inputs import MediaInputs
    from manus.training.beside import decoding
    from manus.training.feature_cache import cached, is_wanted

    inputs = MediaInputs.of(job.base, job.data)
    if not is_wanted(job.settings, job.settings.epochs, inputs):
        return inputs
    numbers = [number for sample in range(len(samples)) for number in samples.media_of(sample)]
    return cached(model, inputs, numbers, job.work / "features", decoding(), job.name)


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
