"""Trains a talker: to say texts, as the language model reads them, in the voices of the rows.

The language model is only read (Freeze-Omni, Wang et al. 2024, arXiv:2411.00774, leaves it frozen, too), and
each text once, before the first step. The loss is the cross-entropy of the codes, and that of the action.

Shape suffixes: B batch, T frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import set_seed

from manus.data.prepared.samples import read_held_out
from manus.errors import InputError
from manus.guards import ranks
from manus.models.loading.composition import compose, talker_of
from manus.models.loading.precision import device, held_dtype, precision_of
from manus.models.speech.coded import CodedSpeech
from manus.models.speech.examples import collate
from manus.models.speech.settings import VoiceSettings
from manus.models.speech.storing import StoredTalker, load_talker, save_talker
from manus.models.speech.talker import Talker, TalkerConfig, TalkerLosses
from manus.models.speech.words import WordReader
from manus.training.batches.beside import Beside
from manus.training.batches.order import ShuffledBatches, loader
from manus.training.batches.spoken import SpokenClips, WordStates, read_states
from manus.training.job import arguments, batches_of, conduct, total_steps
from manus.training.loop import Guarded, Measured
from manus.training.stage_job import StageJob

ROOM_FOR_VOICES = 64


class Learner(torch.nn.Module):
    """A talker as Trainer takes it: one whose `config` were transformers' own would be written to."""

    def __init__(self, talker: Talker) -> None:
        super().__init__()
        self.talker = talker

    def forward(self, batch: Mapping[str, Tensor]) -> TalkerLosses:
        """Return the losses of a batch."""
        losses: TalkerLosses = self.talker(batch)
        return losses


class TalkerTrainer(Measured):
    """A guarded Trainer of a talker; its tokens are frames."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss of a batch of clips; codes and action are logged apart."""
        losses = model(inputs)
        self.tokens_seen += int(inputs["is_frame"].sum())
        for place, value in enumerate(losses.codes_K.tolist(), 1):
            self.measure(f"codes_{place}", value)
        self.measure("action", losses.action.item())
        return (losses.loss, losses) if return_outputs else losses.loss

    def get_train_dataloader(self) -> Any:
        """Return a loader whose clips are drawn anew in each epoch."""
        args, clips = self.args, self.train_dataset
        batches = ShuffledBatches(
            len(clips), args.per_device_train_batch_size, args.seed, ranks.rank(), ranks.world_size(),
            counts_on=True,
        )  # fmt: skip
        return loader(self.accelerator, clips, args, self.data_collator, batches, Beside())


def train_talker(job: StageJob) -> dict[str, Any]:
    """Train a talker, leave `talker/`, and return the metrics.

    Raises:
        InputError: there are more voices than an earlier talker has room for.
        Interrupted: a signal came.
    """
    settings, coded = job.settings, CodedSpeech(job.speech)
    assert job.voice is not None, "the stage learns from speech"
    precision = precision_of(settings.precision)
    set_seed(job.seed)
    states = _states(job, coded)
    stored = begun(job, coded.facts, states.size)
    never = {sample["messages"][0]["content"] for sample in read_held_out(job.data)}
    clips = SpokenClips(coded, states, stored.voices, job.voice.spliced, never, job.seed)
    total = total_steps(batches_of(len(clips), settings), settings)
    learner = Learner(stored.talker.train()).to(device())

    def build(callbacks: list[Any]) -> Guarded:
        return TalkerTrainer(
            model=learner,
            args=arguments(job, precision, total, activation_checkpointing=False),
            train_dataset=clips,
            data_collator=collate,
            callbacks=callbacks,
            title=job.name,
        )

    def save(model: Learner) -> None:
        save_talker(model.talker, stored.voices, job.staging / "talker")

    metrics = conduct(job, total, build, save)
    return {**metrics, "voices": len(stored.voices), "speech_seconds": coded.facts["seconds"]}


def _states(job: StageJob, coded: CodedSpeech) -> WordStates:
    """Return what the model that the stage starts from makes of all texts; it is in memory only for that."""
    from manus.models.senses.projectors import language_model_of

    folder, texts = job.work / "states", list(coded.texts())
    if (folder / "states.json").exists():
        return WordStates(folder)
    model = compose(job.base, job.start, held_dtype(precision_of("auto"))).to(device()).eval()
    return read_states(WordReader(language_model_of(model), job.tokenizer), texts, folder)


def begun(job: StageJob, facts: Mapping[str, Any], text_size: int) -> StoredTalker:
    """Return the talker that a stage starts from: that of an earlier stage, or one drawn from the seed.

    Raises:
        InputError: there are more voices than an earlier talker has room for.
    """
    assert job.voice is not None, "the stage learns from speech"
    folder = talker_of(job.start)
    if folder is None:
        return drawn(job.voice, facts, text_size, job.seed)
    earlier = load_talker(folder)
    new = [name for name in facts["voices"] if name not in earlier.voices]
    if len(earlier.voices) + len(new) > earlier.talker.config.voices:
        raise InputError(
            f"{job.name}: {len(new)} new voices, and the talker of an earlier stage has room for "
            f"{earlier.talker.config.voices - len(earlier.voices)}; give the first stage rows of all of them"
        )
    return StoredTalker(earlier.talker, (*earlier.voices, *new))


def drawn(voice: VoiceSettings, facts: Mapping[str, Any], text_size: int, seed: int) -> StoredTalker:
    """Return an untrained talker for the voices of coded speech."""
    config = TalkerConfig(
        codebooks=facts["codebooks"],
        codebook_size=facts["codebook_size"],
        text_size=text_size,
        hidden=voice.talker_hidden,
        layers=voice.talker_layers,
        heads=voice.talker_heads,
        voices=max(ROOM_FOR_VOICES, len(facts["voices"])),
        window=voice.talker_window,
        history_dropout=voice.history_dropout,
    )
    talker = Talker(config)
    talker.reset_parameters(seed)
    return StoredTalker(talker, tuple(facts["voices"]))
