"""Resolves a recipe into artifacts with keys, and says which of them must be built, and why.

Knows nothing of how anything is built. Imports no torch: `snakemake -n` and `manus plan` run this.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from manus.artifact import Store, canonical, key_of
from manus.data.media.identity import media_identity
from manus.data.settings import DataSettings
from manus.data.sources import hub_name, identity, may_be_large
from manus.digests import Digests
from manus.errors import DataError, ModelError, RecipeError, did_you_mean
from manus.files import write_json
from manus.machine import sense_choices
from manus.models.base import Base, find_base
from manus.models.encoders.finding import Encoder, find_encoder, is_embedded
from manus.models.senses import MODALITIES_OF, NONE, SENSES, Sense, SensesSettings, kept, senses_of
from manus.recipe import CAPABILITIES, GENERATORS, METHODS, Recipe, RewardModel, Stage
from manus.recipe_fields import has_senses
from manus.rewards.context import Context, Lookup
from manus.rewards.settings import identity as identity_of_rewards

# Raised when the code of a kind changes in a way that gives other results from the same settings.
FORMAT_VERSIONS = {
    "detect": 1, "base": 1, "encoder": 1, "assemble": 1, "data": 1, "reward": 1, "pairs": 1, "train": 1,
    "evaluate": 1, "merge": 1, "report": 1,
}  # fmt: skip

ASSEMBLED = "assemble/omni"  # the base with encoders, which takes the base's place

Kind = Literal[
    "detect", "base", "encoder", "assemble", "data", "reward", "pairs", "train", "evaluate", "merge", "report"
]  # fmt: skip


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
            names = [stage.name for stage in self.recipe.stages]
            raise RecipeError(f"{self.recipe.path}: no stage is called {name!r}; {did_you_mean(name, names)}")
        return found

    def is_large(self, name: str) -> bool:
        """Tell whether the data of a stage or reward model are prepared by many processes, as far as files can tell."""
        learned = next(one for one in self.recipe.learned if one.name == name)
        if learned.data_kind not in ("messages", "text") or learned.data.prepare == "never":
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
        found = {model.spec: model.revision for model in models if model.revision}
        for one in self.recipe.learned:
            identities = self.artifacts[f"data/{one.name}"].made_from["data"]
            for source, made_from in zip(one.sources, identities, strict=True):
                if source.hub is not None:
                    found[hub_name(source)] = made_from["commit"]
        return found

    def to_json(self) -> dict[str, Any]:
        """Return what `plan.json` holds."""
        return {
            "recipe": self.recipe.name,
            "base_model": self.base.spec,
            "compose": self.recipe.compose,
            "revisions": self.revisions(),
            "stages": [{"name": s.name, "capability": s.capability, "method": s.method} for s in self.recipe.stages],
            "artifacts": {a.id: {"key": a.key, "made_from": a.made_from} for a in self.artifacts.values()},
        }

    def save(self) -> None:
        """Write `plan.json` when it is not there as it should be."""
        path = self.folder / "plan.json"
        if _read_json(path) != json.loads(canonical(self.to_json())):
            write_json(path, self.to_json())


def output_folder(recipe: Recipe) -> Path:
    """Return where results go: the recipe's setting, unless it is the default and the environment has one."""
    chosen = str(recipe.output_dir)
    return Path(os.environ.get("MANUS_OUTPUT_DIR", chosen) if chosen == "results" else chosen)


def make_plan(recipe: Recipe) -> Plan:
    """Find the base and the data of a recipe and give every artifact its key.

    Raises:
        ModelError: the base is missing or unusable.
        DataError: a data source is missing or unusable.
    """
    digests, beside, output_dir = Digests(), recipe.path.parent, output_folder(recipe)
    pins = _read_json(output_dir / recipe.name / "plan.json").get("revisions", {})
    with recipe.blamed(("base_model",)):
        base = find_base(recipe.base_model, beside, digests, pins)
    _keep_own_senses(recipe, base)
    sources = {one.name: _identities(recipe, one, digests, pins) for one in recipe.learned}
    encoders = _encoders(recipe, base, digests, pins)
    teachers = {
        teacher: _teacher(recipe, stage, teacher, digests, pins)
        for stage in recipe.stages
        if (teacher := recipe.teacher_model_of(stage)) is not None
    }
    builder = _Builder(recipe, base, output_dir, sources, teachers, encoders, digests, pins)
    artifacts = {artifact.id: artifact for artifact in builder.artifacts()}
    digests.save()
    return Plan(recipe, base, output_dir, artifacts, teachers, encoders)


def _keep_own_senses(recipe: Recipe, base: Base) -> None:
    """See to it that a base which sees or hears by itself keeps that, and is asked for nothing else.

    Raises:
        RecipeError: a stage would add senses to it, or needs one that it lacks.
    """
    own_encoders, own = kept(base), {"text", *(senses_of(base) or ())}
    if own_encoders is None:
        return
    named = [(stage, CAPABILITIES[stage.capability].MODALITIES) for stage in recipe.stages if stage.senses is None]
    lacking = [(stage, missing) for stage, needed in named if (missing := ", ".join(sorted(set(needed) - own)))]
    if lacking:
        stage, missing = lacking[0]
        with recipe.blamed(stage.keys):
            raise RecipeError(
                f"stage {stage.name!r} needs {missing}; {own_encoders}, and no other sense can be added to it: "
                "name a model of text alone as base_model, with a stage `omni`"
            )
    if recipe.adds_senses is not None:
        with recipe.blamed(recipe.adds_senses.keys):
            raise RecipeError(f"{own_encoders}; remove this stage: the others train the base with the senses it has")


def _encoders(recipe: Recipe, base: Base, digests: Digests, pins: Mapping[str, str]) -> dict[Sense, Encoder]:
    """Find the encoders that the base gets, and refuse stages whose senses nothing adds.

    Raises:
        ModelError: an encoder is missing or unusable, or the base has encoders of its own.
        RecipeError: a stage needs a sense that neither the base nor a stage before it has.
    """
    adding, found = recipe.adds_senses, dict[Sense, Encoder]()
    own = senses_of(base)
    if adding is not None and adding.senses is not None and own:
        with recipe.blamed(adding.keys):
            if adding.senses != SensesSettings():
                raise ModelError(f"base_model {base.spec!r} has encoders already; remove this stage's own settings")
    elif adding is not None and adding.senses is not None:
        choices = sense_choices()
        for sense in SENSES:
            if (chosen := getattr(adding.senses, sense)) != NONE:
                with recipe.blamed((*adding.keys, sense)):
                    spec = choices.spec_of(sense, chosen)
                    found[sense] = find_encoder(sense, spec, recipe.path.parent, digests, pins)
                    is_embedded(found[sense], adding.senses.embed_encoders)
    added = {modality for sense in found for modality in MODALITIES_OF[sense]}
    names = [stage.name for stage in recipe.stages]
    for stage in recipe.stages:
        if stage.senses is not None:
            continue
        is_later = adding is not None and names.index(stage.name) > names.index(adding.name)
        there = {"text", *(own or ()), *(added if is_later else ())}
        missing = [one for one in CAPABILITIES[stage.capability].MODALITIES if one not in there]
        if missing and own is not None:
            with recipe.blamed(stage.keys):
                raise RecipeError(_lacking(stage, missing, adding))
    return found


def _lacking(stage: Stage, missing: Sequence[str], adding: Stage | None) -> str:
    needs = f"stage {stage.name!r} needs {', '.join(missing)}, which the base model lacks"
    if adding is None:
        return f"{needs}; add `- omni` above it, which adds encoders"
    return f"{needs}; stage {adding.name!r} must stand above it, and name an encoder for that"


def _identities(
    recipe: Recipe, learned: Stage | RewardModel, digests: Digests, pins: Mapping[str, str]
) -> list[dict[str, Any]]:
    found = []
    for index, source in enumerate(learned.sources):
        with recipe.blamed((*learned.data_at, index)):
            try:
                found.append(identity(source, recipe.path.parent, digests, pins))
                if isinstance(learned, Stage) and has_senses(learned.capability):
                    found[-1] |= media_identity(source, recipe.path.parent, digests)
            except ModelError as error:
                raise DataError(f"{learned.name}: {error}{_offline_words(learned)}") from None
    return found


def _offline_words(learned: Stage | RewardModel) -> str:
    generators = [name for name, module in GENERATORS.items() if learned.data_kind in module.SAMPLE_KINDS]
    own = CAPABILITIES[learned.capability].GENERATOR if isinstance(learned, Stage) else None
    name = own if own in generators else next(iter(generators), None)
    return f"; or train on synthetic rows with data: [{{generator: {name}}}]" if name else ""


def _teacher(recipe: Recipe, stage: Stage, spec: str, digests: Digests, pins: Mapping[str, str]) -> Base:
    """Find the model that a stage learns from."""
    with recipe.blamed((*stage.keys, "teacher")):
        try:
            teacher = find_base(spec, recipe.path.parent, digests, pins)
        except ModelError as error:
            raise ModelError(f"teacher: {str(error).removeprefix('base_model ')}") from None
        if teacher.needs_conversion:
            raise ModelError(f"teacher {spec!r}: a .gguf file is no teacher; give a folder of safetensors or a hub id")
        return teacher


@dataclass(frozen=True)
class _Builder:
    """Makes the artifacts of a plan. A method a kind, in the order of the flow."""

    recipe: Recipe
    base: Base
    output_dir: Path
    sources: dict[str, list[dict[str, Any]]]
    teachers: dict[str, Base]
    encoders: dict[Sense, Encoder]
    digests: Digests
    pins: Mapping[str, str]

    def artifacts(self) -> list[Artifact]:
        detect = self.make("detect", "detected", {"base": self.base.digest}, file="detected.json", view="detected.json")
        made = [detect]
        base: list[Artifact] = []
        if self.base.needs_conversion:
            made.append(self.make("base", "base", {"source": self.base.digest}, after=[detect], view="base"))
            base = made[-1:]
        if self.encoders:
            made += self.senses(base, detect)
            base = made[-1:]
        data = {stage.name: self.data(stage, base, detect) for stage in self.recipe.stages}
        preferences = [self.data(model, base, detect) for model in self.recipe.reward_models]
        rewards = {
            model.name: self.reward(model, base, pairs)
            for model, pairs in zip(self.recipe.reward_models, preferences, strict=True)
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
            trained[stage.name] = self.train(stage, [*base, learned, *chain], rewards)
            evaluations.append(self.evaluate(stage, base, data[stage.name], [*chain, trained[stage.name]]))
        merge = self.merge([*base, *data.values(), *trained.values(), *evaluations])
        merged = self.evaluate_merged(list(data.values()), merge, evaluations)
        report = self.report([*rewards.values(), *trained.values(), *evaluations, merge, merged, detect], merge)
        last = [*evaluations, merge, merged, report]
        learned_in_order = [
            a for stage in self.recipe.stages for a in (*pairs, *trained.values()) if a.name == stage.name
        ]
        return [*made, *data.values(), *preferences, *rewards.values(), *learned_in_order, *last]

    def make(
        self, kind: Kind, name: str, settings: dict[str, Any], view: str, parents: Iterable[Artifact] = (),
        file: str | None = None, after: Iterable[Artifact] = (), shown_if: Any = None, is_of_base: bool = True,
    ) -> Artifact:  # fmt: skip
        names_base = is_of_base and not self.base.needs_conversion and "base" not in settings
        made_from = {
            "kind": kind,
            "format": FORMAT_VERSIONS[kind],
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
        """Return the encoders as folders, and the base with them, which takes the base's place for all that follows."""
        stage = self.recipe.adds_senses
        assert stage is not None and stage.senses is not None, "encoders are only there where a stage adds them"
        made = [
            self.make(
                "encoder", sense,
                {"encoder": encoder.identity(), **({"seed": self.recipe.seed} if encoder.is_seeded else {})},
                f"encoders/{sense}", is_of_base=False,
            )
            for sense, encoder in self.encoders.items()
            if encoder.needs_making
        ]  # fmt: skip
        settings = {
            "senses": stage.senses.model_dump(mode="json", exclude={"vision", "audio_input"}),
            "seed": self.recipe.seed,
        }
        settings["encoders"] = {sense: encoder.identity() for sense, encoder in self.encoders.items()}
        return [*made, self.make("assemble", "omni", settings, "omni", [*base, *made], after=[detect])]

    def data(self, learned: Stage | RewardModel, base: list[Artifact], detect: Artifact) -> Artifact:
        reader = {"capability": _versioned(learned.capability, CAPABILITIES)} if isinstance(learned, Stage) else {}
        settings = {
            **reader,
            "sample_kind": learned.data_kind,
            "data": self.sources[learned.name],
            **_shaping(learned.data),
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
        settings = {"method": _versioned(stage.method, METHODS), "training": training, "seed": self.recipe.seed}
        asked = stage.rewards
        if asked:
            lookup = Lookup(self.digests, self.pins, {name: made.key for name, made in rewards.items()})
            with self.recipe.blamed((*stage.keys, "rewards")):
                settings["rewards"] = identity_of_rewards(
                    asked, Context(stage.capability, self.recipe.path.parent), lookup
                )
            del training["rewards"]
        if has_senses(stage.capability):
            settings["batches"] = "of one kind"  # once they were mixed
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
        }
        view = f"evaluations/{stage.name}.json"
        return self.make("evaluate", stage.name, settings, view, [*base, data, *chain], "evaluation.json")

    def merge(self, parents: list[Artifact]) -> Artifact:
        settings = {
            "compose": self.recipe.compose,
            "merge": self.recipe.merge.model_dump(mode="json"),
            "seed": self.recipe.seed,
        }
        gates = {name: gate.model_dump() for name, gate in self.recipe.gates.items()}
        return self.make("merge", "merged", settings, "merged", parents, shown_if=gates)

    def evaluate_merged(self, data: list[Artifact], merge: Artifact, evaluations: list[Artifact]) -> Artifact:
        probes = {stage.name: stage.probe.model_dump(mode="json") for stage in self.recipe.stages}
        parents = [*data, merge, *evaluations]
        return self.make(
            "evaluate", "merged", {"probes": probes}, "evaluations/merged.json", parents, "evaluation.json"
        )

    def report(self, parents: list[Artifact], merge: Artifact) -> Artifact:
        gates = {name: gate.model_dump() for name, gate in self.recipe.gates.items()}
        return self.make("report", "report", {"gates": gates}, "report.html", parents, "report.html")


def _shaping(data: DataSettings) -> dict[str, Any]:
    """Return the settings that shape prepared data. Those that came later count only where they are set."""
    later = {
        name: getattr(data, name)
        for name in ("mix", "until", "window_overlap", "fetch_urls", "clip_seconds", "prepare")
    }
    unset = {name for name, value in later.items() if value == DataSettings.model_fields[name].default}
    return data.model_dump(exclude={"data", "on_policy", "index_above_bytes", *unset})


def _versioned(name: str, modules: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": modules[name].VERSION}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
