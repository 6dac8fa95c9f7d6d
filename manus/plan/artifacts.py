"""What a plan is made of: artifacts with keys, where they are shown, and what they need. Decides nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manus.data.sources.files import may_be_large
from manus.data.sources.identity import hub_name
from manus.errors import RecipeError, did_you_mean
from manus.files import write_json
from manus.kinds import Kind
from manus.models.base import Base
from manus.models.encoders.finding import Encoder
from manus.models.senses.settings import Sense
from manus.plan.saved_plan import saved_plan
from manus.plan.voice import VoiceParts
from manus.recipe.recipe import FeatureStage, Recipe, RewardModel, Stage
from manus.store.keys import canonical
from manus.store.store import Store

ASSEMBLED = "assemble/omni"  # the base with encoders, which takes the base's place


@dataclass(frozen=True, slots=True)
class Artifact:
    """One node of the plan.

    `made_from` is all that goes into the key, the keys of `parents` included. `after` only orders jobs.
    `view` is where the recipe's folder shows it; `file` names the one stored file that is shown there.
    `stamp` marks it as shown; it is the key, with the gates where they decide what is shown.
    """

    kind: Kind
    name: str
    key: str
    made_from: dict[str, Any]
    view: Path
    file: str | None = None
    after: tuple[str, ...] = ()
    stamp: str = ""

    @property
    def id(self) -> str:
        """The name of the node, such as `train/cot`."""
        return f"{self.kind}/{self.name}"

    @property
    def parents(self) -> dict[str, str]:
        """Ids and keys of what it is built from."""
        parents: dict[str, str] = self.made_from["parents"]
        return parents


@dataclass(frozen=True)
class Plan:
    """A recipe with its base found and every artifact's key known, in an order that can be built."""

    recipe: Recipe
    base: Base
    output_dir: Path
    artifacts: dict[str, Artifact]
    teachers: dict[str, Base] = field(default_factory=dict)
    encoders: dict[Sense, Encoder] = field(default_factory=dict)
    voice: VoiceParts | None = None

    @property
    def folder(self) -> Path:
        """Where the recipe's results are shown."""
        return self.output_dir / self.recipe.name

    @property
    def store(self) -> Store:
        """Where all recipes' artifacts lie."""
        return Store(self.output_dir)

    def stage(self, name: str) -> Stage:
        """Return a stage by name.

        Raises:
            RecipeError: there is none of this name.
        """
        found = next((stage for stage in self.recipe.stages if stage.name == name), None)
        if found is None:
            names = [one.name for one in self.recipe.entries]
            raise RecipeError(f"{self.recipe.path}: no stage is called {name!r}; {did_you_mean(name, names)}")
        return found

    def feature(self, name: str) -> FeatureStage:
        """Return what trains nothing, by its name in the recipe."""
        return next(feature for feature in self.recipe.features if feature.name == name)

    def result_of(self, name: str) -> str:
        """Return the id of what a stage trains, or of what is measured for one that trains nothing.

        Raises:
            RecipeError: there is none of this name.
        """
        if name in [feature.name for feature in self.recipe.features]:
            return f"feature/{name}"
        return f"train/{self.stage(name).name}"

    def learned(self, artifact: Artifact) -> Stage | RewardModel:
        """Return what an artifact is named after: a stage, or a reward model."""
        return next(one for one in self.recipe.learned if one.name == artifact.name)

    def is_large(self, name: str) -> bool:
        """Tell whether many processes prepare a stage's or reward model's data, as far as files tell."""
        learned = self.learned(self.artifacts[f"data/{name}"])
        if learned.data.prepare == "never":
            return False
        return may_be_large(learned.sources, learned.data, self.recipe.path.parent)

    def chain_before(self, name: str) -> tuple[Stage, ...]:
        """Return the stages that a stage builds on, in order."""
        if self.recipe.compose == "parallel":
            return ()
        names = [stage.name for stage in self.recipe.stages]
        return self.recipe.stages[: names.index(name)]

    def stamp_path(self, artifact: Artifact, token: str | None = None) -> Path:
        """Return the file whose existence says that the artifact is shown in the recipe's folder."""
        return self.folder / ".built" / artifact.kind / f"{artifact.name}@{token or artifact.stamp}"

    def needed_for(self, wanted: Iterable[str]) -> Iterator[str]:
        """Yield the ids of what is needed for the wanted artifacts, in an order that can be built."""
        needed = set(wanted)
        for artifact in reversed(self.artifacts.values()):
            if artifact.id in needed:
                needed |= {*artifact.parents, *artifact.after}
        return (name for name in self.artifacts if name in needed)

    def revisions(self) -> dict[str, str]:
        """Return the commits that hub names stand for, so that the next plan of this recipe keeps them."""
        models: list[Base | Encoder] = [self.base, *self.teachers.values(), *self.encoders.values()]
        models += [self.voice.codec, self.voice.recogniser] if self.voice else []
        found = {model.spec: model.revision for model in models if model.revision}
        for one in self.recipe.learned:
            identities = self.artifacts[f"data/{one.name}"].made_from["data"]
            for source, made_from in zip(one.sources, identities, strict=True):
                if source.hub is not None:
                    found[hub_name(source)] = made_from["commit"]
        return found

    def to_json(self) -> dict[str, Any]:
        """Return what `plan.json` holds."""
        features = [{"name": f.name, "capability": f.capability} for f in self.recipe.features]
        return {
            "recipe": self.recipe.name,
            "file": os.path.relpath(self.recipe.path.resolve(), self.folder.resolve()),
            "base_model": self.base.spec,
            "compose": self.recipe.compose,
            "revisions": self.revisions(),
            "stages": [
                {"name": s.name, "capability": s.capability, "method": s.method} for s in self.recipe.stages
            ],
            **({"features": features} if features else {}),
            "artifacts": {a.id: {"key": a.key, "made_from": a.made_from} for a in self.artifacts.values()},
        }

    def save(self) -> None:
        """Write `plan.json` when it is not there as it should be."""
        path = self.folder / "plan.json"
        if saved_plan(path) != json.loads(canonical(self.to_json())):
            write_json(path, self.to_json())
