"""Resolves a recipe into artifacts with keys, and says which of them must be built, and why.

Knows nothing of how anything is built. Imports no torch: `snakemake -n` and `manus plan` run this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manus.data.sources.identity import identity
from manus.data.sources.named_media import media_identity
from manus.errors import DataError, ModelError, RecipeError
from manus.models.base import Base, find_base
from manus.models.detection.fitness import why_no_base, why_not_adapted
from manus.models.senses.settings import config_blamed, config_of
from manus.plan.artifacts import Artifact, Plan
from manus.plan.keys import ArtifactBuilder
from manus.plan.saved_plan import saved_plan
from manus.plan.senses import encoders_of, keep_own_senses
from manus.plan.voice import voice_of
from manus.recipe.fields import Overrides
from manus.recipe.known import has_senses
from manus.recipe.problems import validated
from manus.recipe.recipe import CAPABILITIES, GENERATORS, Recipe, RewardModel, Stage
from manus.store.digests import Digests
from manus.training.settings import ALL_LINEAR


def output_folder(recipe: Recipe) -> Path:
    """Return where results go: the recipe's setting, unless it is the default and the environment has one.

    Raises:
        RecipeError: what the environment has cannot be one.
    """
    chosen, named = str(recipe.output_dir), os.environ.get("MANUS_OUTPUT_DIR", "")
    if chosen != "results" or not named:
        return Path(chosen)
    _, problems = validated(Overrides, {"output_dir": named})
    if problems:
        raise RecipeError(f"MANUS_OUTPUT_DIR: {problems[0][1]}")
    return Path(named)


def make_plan(recipe: Recipe) -> Plan:
    """Find the base and the data of a recipe and give every artifact its key.

    Raises:
        ModelError: the base is missing or unusable.
        DataError: a data source is missing or unusable.
        InputError: what stands where the last plan goes is none.
    """
    pins = saved_plan(output_folder(recipe) / recipe.name / "plan.json").get("revisions", {})
    return _resolved(recipe, pins, {})


def planned_again(plan: Plan, artifact: Artifact) -> Artifact:
    """Return an artifact as it would be planned now, to see if what it was made from is still as planned.

    Raises:
        ModelError: a model that it was made from is not there any more.
        DataError: a data source is not there any more.
    """
    sources = {
        one.name: plan.artifacts[f"data/{one.name}"].made_from["data"]
        for one in plan.recipe.learned
        if artifact.id != f"data/{one.name}"
    }
    return _resolved(plan.recipe, plan.revisions(), sources).artifacts[artifact.id]


def _resolved(recipe: Recipe, pins: Mapping[str, str], sources: Mapping[str, list[dict[str, Any]]]) -> Plan:
    """Return the plan of a recipe.

    Args:
        recipe: what is wanted.
        pins: commits of hub names that an earlier plan settled on.
        sources: identities of the data that need not be looked at, by stage or reward model.
    """
    digests, beside, output_dir = Digests(), recipe.path.parent, output_folder(recipe)
    with recipe.blamed(("base_model",)):
        base = find_base(recipe.base_model, beside, digests, pins)
    _refuse_unfit(recipe, base)
    keep_own_senses(recipe, base)
    sources = {
        one.name: sources.get(one.name) or _identities(recipe, one, digests, pins) for one in recipe.learned
    }
    encoders = encoders_of(recipe, base, digests, pins)
    teachers = {
        teacher: _teacher(recipe, stage, teacher, digests, pins)
        for stage in recipe.stages
        if (teacher := recipe.teacher_model_of(stage)) is not None
    }
    voice = voice_of(recipe, digests, pins)
    builder = ArtifactBuilder(recipe, base, output_dir, sources, teachers, encoders, voice, digests, pins)
    artifacts = {artifact.id: artifact for artifact in builder.artifacts()}
    digests.save()
    return Plan(recipe, base, output_dir, artifacts, teachers, encoders, voice)


def _refuse_unfit(recipe: Recipe, base: Base) -> None:
    """Refuse a base that is no language model of one decoder, and adapters that cannot be put onto it.

    Raises:
        ModelError: the base cannot be trained.
        RecipeError: a stage or reward model cannot adapt it as the recipe says.
    """
    with recipe.blamed(("base_model",)), config_blamed(base):
        config = config_of(base)
        if config is None:
            return
        if reason := why_no_base(config):
            raise ModelError(f"base_model {base.spec!r} {reason}")
    for learned in recipe.learned:
        keys = learned.keys if isinstance(learned, Stage) else ("reward_models", learned.name)
        settings: Any = learned.training  # whose `adapter` is a constant of the method, or a field
        with recipe.blamed(keys), config_blamed(base):
            if reason := why_not_adapted(config, settings.adapter, getattr(settings, "targets", ALL_LINEAR)):
                raise RecipeError(f"{learned.name}: {reason}")


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
    first = next(iter(generators), None)
    own = CAPABILITIES[learned.capability].GENERATOR if isinstance(learned, Stage) else first
    if own is None:
        return "; or name rows of your own with data: [{path: FILE}]"
    name = own if own in generators else first
    return f"; or train on synthetic rows with data: [{{generator: {name}}}]" if name else ""


def _teacher(recipe: Recipe, stage: Stage, spec: str, digests: Digests, pins: Mapping[str, str]) -> Base:
    """Find the model that a stage learns from."""
    with recipe.blamed((*stage.keys, "teacher")):
        try:
            teacher = find_base(spec, recipe.path.parent, digests, pins)
        except ModelError as error:
            raise ModelError(f"teacher: {str(error).removeprefix('base_model ')}") from None
        if teacher.needs_conversion:
            raise ModelError(
                f"teacher {spec!r}: a .gguf file is no teacher; give a folder of safetensors or a hub id"
            )
        with config_blamed(teacher):
            if (config := config_of(teacher)) and (reason := why_no_base(config)):
                raise ModelError(f"teacher {spec!r} {reason}")
        return teacher
