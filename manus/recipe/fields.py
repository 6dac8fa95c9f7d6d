"""What a recipe may say: its own keys, those of a stage, the overrides, and the names they can hold.

Knows nothing of files and YAML, and not how one value depends on another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator

from manus.data.settings import DataSettings, OnPolicySettings, Source
from manus.errors import did_you_mean
from manus.evaluation.gate_settings import GateSettings
from manus.guards.settings import GuardSettings
from manus.models.merging.settings import MergeSettings
from manus.recipe.known import DEFAULT_METHOD
from manus.recipe.wording import shortened
from manus.settings.frozen import Frozen
from manus.settings.words import SampleSize, Text
from manus.training.settings import AlignmentSettings, Count, Epochs, LearningRate

SAFE_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NAME_RULE = "use at most 64 letters, digits, - and _"

# What other trainers call our keys and methods, where the words are too unlike for a guess.
WORDS_OF_OTHERS = {
    "lr": "learning_rate", "r": "rank", "lora_r": "rank", "target_modules": "targets",
    "lr_scheduler_type": "scheduler", "num_train_epochs": "epochs",
    "per_device_train_batch_size": "batch_size", "micro_batch_size": "batch_size",
    "cutoff_len": "max_length", "sequence_len": "max_length", "bf16": "precision", "fp16": "precision",
    "dataset": "data", "datasets": "data", "model_name_or_path": "base_model", "full": "sft",
    "audio": "audio_input", "audio_encoder": "audio_input", "vision_tower": "vision", "image": "vision",
}  # fmt: skip


def _without_braces(text: str) -> str:
    if set("{}") & set(text):
        raise ValueError("must not hold { or }, which Snakemake takes for a name to fill in")
    return text


OutputDir = Annotated[Text, AfterValidator(_without_braces)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class RewardModelSettings(AlignmentSettings, DataSettings):
    """A model that scores answers, trained on pairs of them (Bradley and Terry 1952) from the base model."""

    learning_rate: LearningRate = Field(1e-4, description="Peak learning rate.")
    data: tuple[Source, ...] = Field(
        (),
        min_length=1,
        strict=False,
        description="Sources of pairs; without this key a published set of preferences.",
    )

    @field_validator("on_policy")
    @classmethod
    def _has_no_pairs_of_its_own(cls, on_policy: OnPolicySettings | None) -> None:
        if on_policy is not None:
            raise ValueError(
                "makes pairs for a stage of dpo or orpo; a reward model learns from the pairs in data"
            )

    @field_validator("learn")
    @classmethod
    def _learns_last_turns(cls, learn: str) -> str:
        if learn != "all_turns":
            raise ValueError(
                "chooses among the turns of chats; a reward model learns from pairs; remove this key"
            )
        return learn

    @field_validator("prepare")
    @classmethod
    def _is_prepared_ahead(cls, prepare: str) -> str:
        if prepare == "never":
            raise ValueError("a reward model learns from pairs, which are prepared ahead; remove this key")
        return prepare


class Header(Frozen):
    """The recipe's own keys; the entries of `capabilities` and of `defaults` are checked one by one."""

    PLANNED: ClassVar[tuple[str, ...]] = ("hardware", "trust_remote_code")

    base_model: Text = Field(
        description="Hub id[@revision], a directory, a .gguf file, or package:NAME/FILE."
    )
    compose: Literal["sequential", "parallel"] = Field(
        "sequential", description="Each stage builds on those before it, or all start from the base."
    )
    seed: Seed = Field(42, description="Where all randomness starts.")
    output_dir: OutputDir = Field("results", description="Where results go, from the working directory.")
    defaults: dict[str, Any] = Field({}, description="Settings for every stage that does not set its own.")
    capabilities: list[Any] = Field(min_length=1, description="The stages, in order.")
    merge: MergeSettings = Field(MergeSettings(), description="How the stages become one model.")
    gates: dict[str, GateSettings] = Field({}, description="Limits by stage name; * is for all others.")
    guards: GuardSettings = Field(GuardSettings(), description="When a running stage saves its state.")
    export: list[str] = Field([], description="Formats to write beside the merged model (not built yet).")
    reward_models: dict[str, RewardModelSettings] = Field(
        {}, description="Models that learn from pairs what people prefer; a reward names one as its `model`."
    )
    trust: Literal["none", "local-code"] = Field(
        "none", description="local-code lets a reward run a Python function of yours (verifier: python)."
    )


class StageHeader(Frozen):
    """What a stage may say beside its data and its method's settings."""

    method: str = Field(DEFAULT_METHOD, description="How its weights change: one of the methods.")
    name: str | None = Field(None, description="The stage's name; none: its capability's.")
    probe: dict[str, Any] = Field({}, description="Settings of the capability's held-out measurement.")


class Overrides(Frozen):
    """What `--config key=value` may change; it beats what the recipe says."""

    base_model: Text | None = None
    output_dir: OutputDir | None = None
    sample_size: SampleSize | None = None
    batch_size: Count | None = None
    epochs: Epochs | None = None
    training_method: str | None = None
    seed: Seed | None = None

    def for_header(self) -> dict[str, Any]:
        """Return the overrides of the recipe's own keys."""
        return {name: value for name, value in self if name in Header.model_fields and value is not None}

    def for_stages(self) -> dict[str, Any]:
        """Return the overrides that every stage, and every reward model, takes."""
        named = {"sample_size", "batch_size", "epochs"}
        return {name: value for name, value in self if name in named and value is not None}


def nearest_word(word: str, known: Iterable[str]) -> str:
    """Return a clause with the known word that was meant, if it can be told, else a list of known words."""
    known, word = [*known], shortened(word)
    meant = WORDS_OF_OTHERS.get(word.lower())
    return f"did you mean {meant!r}?" if meant in known else did_you_mean(word, known)
