"""What a trainer needs to know of a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from manus.data.preparation.while_training import LiveRows
    from manus.models.loading.composition import Trained
    from manus.models.speech.settings import VoiceSettings


@dataclass(frozen=True, slots=True)
class StageJob:
    """What a method needs to train one stage.

    `base` is the base model's folder, `base_name` what the recipe calls it; `start` are the earlier stages it
    builds on; `work` keeps checkpoints, `staging` takes the results. `capability` is the stage's, by its
    public name, `beside` the recipe's folder. `live` opens rows that are not prepared, of which a share of
    `failure_budget` may be bad. `rewards` score answers, some of them by `reward_models`, folders by name.
    `teacher` is a folder with the stages on top of it. `voice` says what talker is trained, where one is:
    `speech` holds the codes of its sounds.
    """

    name: str
    settings: Any
    base: Path
    base_name: str
    start: Sequence[Trained]
    data: Path
    max_length: int
    seed: int
    work: Path
    staging: Path
    capability: str = ""
    beside: Path = Path()
    live: Callable[[], LiveRows] | None = None
    failure_budget: float = 0.0
    rewards: Sequence[Any] = ()
    reward_models: Mapping[str, Path] = field(default_factory=dict)
    teacher: tuple[Path, Sequence[Trained]] | None = None
    voice: VoiceSettings | None = None
    speech: Path = Path()

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The base's tokenizer, which can render chats."""
        from manus.models.tokenizer import load_tokenizer

        return load_tokenizer(self.base)
