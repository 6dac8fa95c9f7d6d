"""One artifact being built, and what its parents left for it. Knows no kind of artifact."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manus.models.base import local_folder
from manus.models.senses.settings import Sense
from manus.plan.artifacts import ASSEMBLED, Artifact, Plan
from manus.plan.voice import CODEC, VoiceParts
from manus.recipe.recipe import METHODS, RewardModel, Stage
from manus.training.settings import Result

if TYPE_CHECKING:
    from manus.data.media.expansion import Layout
    from manus.models.loading.composition import Trained


@dataclass(frozen=True, slots=True)
class Job:
    """One artifact being built: where to write, and where its parents lie."""

    plan: Plan
    artifact: Artifact
    work: Path
    staging: Path

    @property
    def stage(self) -> Stage:
        """The stage that the artifact belongs to."""
        return self.plan.stage(self.artifact.name)

    def folder(self, name: str) -> Path:
        """Return the stored folder of a finished artifact, verified."""
        key = self.plan.artifacts[name].key
        self.plan.store.manifest(key)
        return self.plan.store.folder(key)

    @property
    def base(self) -> Path:
        """The model that stages start from, as a folder that transformers loads: base, with any encoders."""
        return self.folder(ASSEMBLED) if ASSEMBLED in self.plan.artifacts else self.text_base

    @property
    def text_base(self) -> Path:
        """The base model itself, as a folder that transformers loads."""
        return self.folder("base/base") if self.plan.base.needs_conversion else local_folder(self.plan.base)

    @property
    def layout(self) -> Layout | None:
        """What the model that the stages start from makes of media; None where it takes in text only.

        The folder says it, because a base on the hub cannot be looked at while planning. Of a stage that
        learns to speak, the sounds are what is given out.
        """
        from manus.data.media.expansion import SpokenLayout
        from manus.models.senses.inputs import layout_of

        if isinstance(self.learned, Stage) and self.learned.voice is not None:
            return SpokenLayout()
        return layout_of(self.base)

    def encoder(self, sense: Sense) -> Path:
        """Return an encoder as a folder that transformers loads."""
        from manus.models.encoders.materialising import local_folder as folder_of

        encoder = self.plan.encoders[sense]
        return self.folder(f"encoder/{sense}") if encoder.needs_making else folder_of(encoder)

    @property
    def voice(self) -> VoiceParts:
        """The codec and the recogniser of a recipe that trains a talker."""
        assert self.plan.voice is not None, "only what belongs to a stage that speaks asks for them"
        return self.plan.voice

    @property
    def codec(self) -> Path:
        """The codec that the recipe's talker speaks through, as a folder that transformers loads."""
        from manus.models.encoders.materialising import local_folder as folder_of

        codec = self.voice.codec
        return self.folder(CODEC) if codec.needs_making else folder_of(codec)

    @property
    def recogniser(self) -> Path:
        """The Whisper model that reads speech back, as a folder."""
        from manus.models.encoders.materialising import WRITING_FILES
        from manus.models.encoders.materialising import local_folder as folder_of

        return folder_of(self.voice.recogniser, WRITING_FILES)

    @property
    def learned(self) -> Stage | RewardModel:
        """The stage, or the reward model, that the artifact belongs to."""
        return self.plan.learned(self.artifact)

    def teacher(self, name: str) -> tuple[Path, list[Trained]]:
        """Return a model to learn from: its folder, and the stages on it if it is one of the recipe's."""
        if name in self.plan.teachers:
            return local_folder(self.plan.teachers[name]), []
        return self.base, self.trained([*self.plan.chain_before(name), self.plan.stage(name)])

    def trained(self, stages: Iterable[Stage]) -> list[Trained]:
        """Return what stages trained, in order."""
        from manus.models.loading.composition import Trained

        kinds: list[tuple[Stage, Result]] = [
            (stage, "talker" if stage.voice else METHODS[stage.method].result(stage.training))
            for stage in stages
        ]
        return [Trained(stage.name, kind, self.folder(f"train/{stage.name}") / kind) for stage, kind in kinds]


def stored_json(plan: Plan, name: str) -> dict[str, Any]:
    """Return the JSON of a single-file artifact in the store."""
    artifact = plan.artifacts[name]
    assert artifact.file is not None, f"{name} is not a single file"
    value: dict[str, Any] = json.loads(
        (plan.store.folder(artifact.key) / artifact.file).read_text(encoding="utf-8")
    )
    return value
