"""Makes the artifacts of a plan, each with all that goes into its key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manus.data.settings import DataSettings
from manus.kinds import KINDS, Kind
from manus.models.base import Base
from manus.models.encoders.finding import Encoder
from manus.models.senses.settings import Sense
from manus.plan.artifacts import Artifact
from manus.plan.voice import VoiceParts
from manus.recipe.recipe import CAPABILITIES, FEATURES, METHODS, FeatureStage, Recipe, RewardModel, Stage
from manus.rewards.context import Context, Lookup
from manus.rewards.settings import identity as identity_of_rewards
from manus.store.digests import Digests
from manus.store.keys import canonical, key_of

OF_SPEECH = {"audio_output", "recogniser", "frame_shifts"}  # in the key of the codes, not of the talker


@dataclass(frozen=True)
class ArtifactBuilder:
    """Makes the artifacts of a plan. A method a kind, in the order of the flow."""

    recipe: Recipe
    base: Base
    output_dir: Path
    sources: dict[str, list[dict[str, Any]]]
    teachers: dict[str, Base]
    encoders: dict[Sense, Encoder]
    voice: VoiceParts | None
    digests: Digests
    pins: Mapping[str, str]

    def artifacts(self) -> list[Artifact]:
        detect = self.make(
            "detect", "detected", {"base": self.base.digest}, file="detected.json", view="detected.json"
        )
        made = [detect]
        base: list[Artifact] = []
        if self.base.needs_conversion:
            made.append(self.make("base", "base", {"source": self.base.digest}, after=[detect], view="base"))
            base = made[-1:]
        if self.encoders:
            made += self.senses(base, detect)
            base = made[-1:]
        codec = self.codec()
        made += codec
        data = {stage.name: self.data(stage, base, detect) for stage in self.recipe.stages}
        preferences = [self.data(model, base, detect) for model in self.recipe.reward_models]
        rewards = {
            model.name: self.reward(model, base, pairs)
            for model, pairs in zip(self.recipe.reward_models, preferences, strict=True)
        }
        speech = {
            stage.name: self.speech(stage, data[stage.name], codec)
            for stage in self.recipe.stages
            if stage.voice is not None
        }
        pairs: list[Artifact] = []
        trained: dict[str, Artifact] = {}
        evaluations: list[Artifact] = []
        for stage in self.recipe.stages:
            chain = list(trained.values()) if self.recipe.compose == "sequential" else []
            learned = data[stage.name]
            if stage.on_policy is not None:
                learned = self.pairs(stage, base, learned, chain)
                pairs.append(learned)
            said = [speech[stage.name], *codec] if stage.name in speech else []
            trained[stage.name] = self.train(stage, [*base, learned, *said, *chain], rewards)
            evaluations.append(
                self.evaluate(stage, base, data[stage.name], [*said, *chain, trained[stage.name]])
            )
        merge = self.merge([*base, *codec, *data.values(), *trained.values(), *evaluations])
        merged = self.evaluate_merged(list(data.values()), merge, evaluations)
        features = [self.feature(feature, list(data.values()), merge) for feature in self.recipe.features]
        report = self.report(
            [*rewards.values(), *trained.values(), *evaluations, merge, merged, *features, detect], merge
        )
        last = [*evaluations, merge, merged, *features, report]
        learned_in_order = [
            a for stage in self.recipe.stages for a in (*pairs, *trained.values()) if a.name == stage.name
        ]
        learned_from = [*data.values(), *speech.values(), *preferences, *rewards.values()]
        return [*made, *learned_from, *learned_in_order, *last]

    def make(
        self,
        kind: Kind,
        name: str,
        settings: dict[str, Any],
        view: str,
        parents: Iterable[Artifact] = (),
        file: str | None = None,
        after: Iterable[Artifact] = (),
        shown_if: Any = None,
        is_of_base: bool = True,
    ) -> Artifact:
        names_base = is_of_base and not self.base.needs_conversion and "base" not in settings
        made_from = {
            "kind": kind,
            "format": KINDS[kind].format,
            **({"base": self.base.digest} if names_base else {}),
            **settings,
            "parents": {parent.id: parent.key for parent in parents},
        }
        made_from = json.loads(canonical(made_from))
        key = key_of(made_from)
        stamp = key if not shown_if else f"{key}-{key_of({'shown_if': shown_if})[:8]}"
        view_path = self.output_dir / self.recipe.name / view
        return Artifact(kind, name, key, made_from, view_path, file, tuple(a.id for a in after), stamp)

    def senses(self, base: list[Artifact], detect: Artifact) -> list[Artifact]:
        """Return the encoders as folders, and the base with them, its replacement in all that follows."""
        stage = self.recipe.adds_senses
        assert stage is not None and stage.senses is not None, (
            "encoders are only there where a stage adds them"
        )
        made = [
            self.make(
                "encoder",
                sense,
                {"encoder": encoder.identity(), **({"seed": self.recipe.seed} if encoder.is_seeded else {})},
                f"encoders/{sense}",
                is_of_base=False,
            )
            for sense, encoder in self.encoders.items()
            if encoder.needs_making
        ]
        settings = {
            "senses": stage.senses.model_dump(mode="json", exclude={"vision", "audio_input"}),
            "seed": self.recipe.seed,
        }
        settings["encoders"] = {sense: encoder.identity() for sense, encoder in self.encoders.items()}
        return [*made, self.make("assemble", "omni", settings, "omni", [*base, *made], after=[detect])]

    def codec(self) -> list[Artifact]:
        """Return the codec that a talker speaks through, where it must be made."""
        if self.voice is None or not self.voice.codec.needs_making:
            return []
        codec = self.voice.codec
        settings = {"encoder": codec.identity(), **({"seed": self.recipe.seed} if codec.is_seeded else {})}
        return [self.make("encoder", codec.sense, settings, f"encoders/{codec.sense}", is_of_base=False)]

    def speech(self, stage: Stage, data: Artifact, codec: list[Artifact]) -> Artifact:
        """Return what a talker learns from: the codes of a stage's sounds, and where words begin in them."""
        assert self.voice is not None and stage.voice is not None, "it is only made where a stage speaks"
        settings = {
            "codec": self.voice.codec.identity(),
            "recogniser": self.voice.recogniser.identity(),
            "frame_shifts": stage.voice.frame_shifts,
            "failure_budget": stage.data.failure_budget,
        }
        view = f"speech/{stage.name}"
        return self.make("speech", stage.name, settings, view, [data, *codec], is_of_base=False)

    def data(self, learned: Stage | RewardModel, base: list[Artifact], detect: Artifact) -> Artifact:
        reader = (
            {"capability": _versioned(learned.capability, CAPABILITIES)} if isinstance(learned, Stage) else {}
        )
        settings = {
            **reader,
            "sample_kind": learned.data_kind,
            "data": self.sources[learned.name],
            **learned.data.model_dump(exclude={"data", "on_policy", "index_above_bytes"}),
            "seed": self.recipe.seed,
        }
        if isinstance(learned, Stage) and learned.data_kind == "prompt":
            settings["verifiers"] = sorted({reward.verifier for reward in learned.rewards})
        return self.make("data", learned.name, settings, f"data/{learned.name}", base, after=[detect])

    def reward(self, model: RewardModel, base: list[Artifact], pairs: Artifact) -> Artifact:
        training = model.training.model_dump(mode="json", exclude=set(DataSettings.model_fields))
        settings = {"training": training, "seed": self.recipe.seed}
        return self.make("reward", model.name, settings, f"reward_models/{model.name}", [*base, pairs])

    def pairs(self, stage: Stage, base: list[Artifact], prompts: Artifact, chain: list[Artifact]) -> Artifact:
        assert stage.on_policy is not None, "other stages bring their pairs"
        settings = {
            "capability": _versioned(stage.capability, CAPABILITIES),
            "on_policy": stage.on_policy.model_dump(mode="json"),
            "max_length": stage.data.max_length,
            "seed": self.recipe.seed,
        }
        return self.make("pairs", stage.name, settings, f"pairs/{stage.name}", [*base, prompts, *chain])

    def train(self, stage: Stage, parents: list[Artifact], rewards: Mapping[str, Artifact]) -> Artifact:
        training: dict[str, Any] = stage.training.model_dump(mode="json")
        settings = {
            "method": _versioned(stage.method, METHODS),
            "training": training,
            "seed": self.recipe.seed,
            **({"voice": stage.voice.model_dump(mode="json", exclude=OF_SPEECH)} if stage.voice else {}),
        }
        asked = stage.rewards
        if asked:
            lookup = Lookup(self.digests, self.pins, {name: made.key for name, made in rewards.items()})
            with self.recipe.blamed((*stage.keys, "rewards")):
                settings["rewards"] = identity_of_rewards(
                    asked, Context(stage.capability, self.recipe.path.parent), lookup
                )
            del training["rewards"]
        teacher = getattr(stage.training, "teacher", None)
        if teacher in self.teachers:
            training["teacher"] = self.teachers[teacher].digest
        elif teacher is not None:
            training["teacher"] = next(p.key for p in parents if p.id == f"train/{teacher}")
        named = [made for name, made in rewards.items() if name in stage.models_asked]
        return self.make("train", stage.name, settings, f"stages/{stage.name}", [*parents, *named])

    def evaluate(self, stage: Stage, base: list[Artifact], data: Artifact, chain: list[Artifact]) -> Artifact:
        settings = {
            "capability": _versioned(stage.capability, CAPABILITIES),
            "probe": stage.probe.model_dump(mode="json"),
            **({"recogniser": self.voice.recogniser.identity()} if self.voice and stage.voice else {}),
        }
        view = f"evaluations/{stage.name}.json"
        return self.make("evaluate", stage.name, settings, view, [*base, data, *chain], "evaluation.json")

    def merge(self, parents: list[Artifact]) -> Artifact:
        settings = {
            "compose": self.recipe.compose,
            "merge": self.recipe.merge.model_dump(mode="json"),
            "seed": self.recipe.seed,
        }
        shown_if: dict[str, Any] = {name: gate.identity for name, gate in self.recipe.gates.items()}
        if self.recipe.features:  # what they find may keep the model from being shown
            tried = {feature.name: self.feature_settings(feature) for feature in self.recipe.features}
            shown_if = {"gates": shown_if, "features": tried}
        return self.make("merge", "merged", settings, "merged", parents, shown_if=shown_if)

    def feature_settings(self, feature: FeatureStage) -> dict[str, Any]:
        """Return all that alters a feature's measurement but model and machine (docs/decisions/0029)."""
        return {
            "capability": _versioned(feature.capability, FEATURES),
            "probe": feature.probe.model_dump(mode="json"),
            "seed": self.recipe.seed,
        }

    def feature(self, feature: FeatureStage, data: list[Artifact], merge: Artifact) -> Artifact:
        settings, view = self.feature_settings(feature), f"evaluations/{feature.name}.json"
        return self.make("feature", feature.name, settings, view, [*data, merge], "feature.json")

    def evaluate_merged(self, data: list[Artifact], merge: Artifact, evaluations: list[Artifact]) -> Artifact:
        probes = {stage.name: stage.probe.model_dump(mode="json") for stage in self.recipe.stages}
        parents = [*data, merge, *evaluations]
        return self.make(
            "evaluate", "merged", {"probes": probes}, "evaluations/merged.json", parents, "evaluation.json"
        )

    def report(self, parents: list[Artifact], merge: Artifact) -> Artifact:
        gates = {name: gate.identity for name, gate in self.recipe.gates.items()}
        return self.make("report", "report", {"gates": gates}, "report.html", parents, "report.html")


def _versioned(name: str, modules: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": modules[name].VERSION}
