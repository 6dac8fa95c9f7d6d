"""One stage of a recipe with everything resolved. Knows nothing of the recipe around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from manus.data.sample import SampleKind
from manus.data.settings import DataSettings, OnPolicySettings, Source
from manus.models.senses.settings import SensesSettings
from manus.models.speech.settings import VoiceSettings
from manus.recipe.fields import RewardModelSettings
from manus.recipe.known import CAPABILITIES, METHODS, shared_kind
from manus.recipe.wording import KeyPath
from manus.rewards.settings import RewardedSettings, RewardSettings
from manus.settings.frozen import Frozen
from manus.training.settings import TrainingSettings

DEFAULT_PREFERENCES = "trl-lib/ultrafeedback_binarized"


@dataclass(frozen=True, slots=True)
class RewardModel:
    """A model of what people prefer, which the recipe trains from the base before the stages that ask it."""

    name: str
    training: RewardModelSettings

    @property
    def data(self) -> DataSettings:
        """Its settings as far as they are those of data."""
        return DataSettings(**{name: getattr(self.training, name) for name in DataSettings.model_fields})

    @property
    def sources(self) -> tuple[Source, ...]:
        """What the recipe says, or a published set of preferences."""
        return self.training.data or (Source(hub=DEFAULT_PREFERENCES),)

    @property
    def data_at(self) -> KeyPath:
        """Where the recipe chose its data."""
        return ("reward_models", self.name, "data")

    @property
    def data_kind(self) -> SampleKind:
        """What its rows become."""
        return "preference"


@dataclass(frozen=True, slots=True)
class Stage:
    """One capability trained by one method, everything resolved.

    The recipe speaks of it at `keys`, of its data at `data_at`. `senses` says which encoders the
    base gets, where this is the stage that adds them; `voice` of the talker, where it trains one.
    """

    name: str
    capability: str
    method: str
    data: DataSettings
    training: TrainingSettings
    probe: Frozen
    data_at: KeyPath = field(default=(), compare=False)
    keys: KeyPath = field(default=(), compare=False)
    senses: SensesSettings | None = None
    voice: VoiceSettings | None = None

    @property
    def sample_kind(self) -> SampleKind:
        """The kind of sample that this pair of capability and method trains on."""
        kind = shared_kind(self.capability, self.method)
        assert kind is not None, "pairs without a shared kind are refused when the recipe is read"
        return kind

    @property
    def data_kind(self) -> SampleKind:
        """The kind of sample its rows become: prompts, where pairs are made of the model's own answers."""
        return "prompt" if self.on_policy else self.sample_kind

    @property
    def on_policy(self) -> OnPolicySettings | None:
        """How pairs are made of the model's own answers, if so; a stage without own data has no others."""
        if self.sample_kind == "preference" and not self.data.data:
            return self.data.on_policy or OnPolicySettings()
        return self.data.on_policy

    @property
    def rewards(self) -> tuple[RewardSettings, ...]:
        """What scores the model's answers, if anything: the recipe's rewards or the capability's verifier."""
        settings = self.training
        if not isinstance(settings, RewardedSettings):
            return ()
        return settings.rewards or (RewardSettings(verifier="capability"),)

    @property
    def models_asked(self) -> set[str]:
        """The reward models that its rewards name."""
        return {str(reward.options["model"]) for reward in self.rewards if reward.verifier == "reward-model"}

    @property
    def sources(self) -> tuple[Source, ...]:
        """The recipe's sources, or the method's or the capability's default."""
        if self.data.data:
            return self.data.data
        method, capability = METHODS[self.method], CAPABILITIES[self.capability]
        return (Source(**(method.DEFAULT_DATA or capability.DEFAULT_DATA)),)


@dataclass(frozen=True, slots=True)
class FeatureStage:
    """A capability of the recipe that trains nothing, all resolved; the merged model is measured for it."""

    name: str
    capability: str
    probe: Frozen
    keys: KeyPath = field(default=(), compare=False)
