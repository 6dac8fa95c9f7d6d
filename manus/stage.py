"""One stage of a recipe with everything resolved. Knows nothing of the recipe around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from manus.data.settings import DataSettings, Source
from manus.recipe_fields import CAPABILITIES, METHODS, shared_kind
from manus.settings import Frozen
from manus.training.settings import TrainingSettings
from manus.wording import KeyPath


@dataclass(frozen=True, slots=True)
class Stage:
    """One capability trained by one method, everything resolved; `data_at` is where the recipe chose its data."""

    name: str
    capability: str
    method: str
    data: DataSettings
    training: TrainingSettings
    probe: Frozen
    data_at: KeyPath = field(default=(), compare=False)

    @property
    def sample_kind(self) -> str:
        """The kind of sample that this pair of capability and method trains on."""
        kind = shared_kind(self.capability, self.method)
        assert kind is not None, "pairs without a shared kind are refused when the recipe is read"
        return kind

    @property
    def sources(self) -> tuple[Source, ...]:
        """The recipe's sources, or the method's or the capability's default."""
        if self.data.data:
            return self.data.data
        method, capability = METHODS[self.method], CAPABILITIES[self.capability]
        return (Source(**getattr(method, "DEFAULT_DATA", capability.DEFAULT_DATA)),)
