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
from manus.models.fitness import why_no_base, why_not_adapted
from manus.models.senses.settings import config_of
from manus.plan.artifacts import Plan, read_object
from manus.plan.keys import ArtifactBuilder
from manus.plan.senses import encoders_of, keep_own_senses
from manus.recipe.known import has_senses
from manus.recipe.recipe import CAPABILITIES, GENERATORS, Recipe, RewardModel, Stage
from manus.store.digests import Digests
from manus.training.settings import ALL_LINEAR


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
    pins = read_object(output_dir / recipe.name / "plan.json").get("revisions", {})
    with recipe.blamed(("base_model",)):
        base = find_base(recipe.base_model, beside, digests, pins)
    _refuse_unfit(recipe, base)
    keep_own_senses(recipe, base)
    sources = {one.name: _identities(recipe, one, digests, pins) for one in recipe.learned}
    encoders = encoders_of(recipe, base, digests, pins)
    teachers = {
        teacher: _teacher(recipe, stage, teacher, digests, pins)
        for stage in recipe.stages
        if (teacher := recipe.teacher_model_of(stage)) is not None
    }
    builder = ArtifactBuilder(recipe, base, output_dir, sources, teachers, encoders, digests, pins)
    artifacts = {artifact.id: artifact for artifact in builder.artifacts()}
    digests.save()
    return Plan(recipe, base, output_dir, artifacts, teachers, encoders)


def _refuse_unfit(recipe: Recipe, base: Base) -> None:
    """Refuse a base that is no language model of one decoder, and adapters that cannot be put onto it.

    Raises:
        ModelError: the base cannot be trained.
        RecipeError: a stage or reward model cannot adapt it as the recipe says.
    """
    with recipe.blamed(("base_model",)):
        config = config_of(base)
        if config is None:
            return
        if reason := why_no_base(config):
            raise ModelError(f"base_model {base.spec!r} {reason}")
    for learned in recipe.learned:
        keys = learned.keys if isinstance(learned, Stage) else ("reward_models", learned.name)
        settings: Any = learned.training  # whose `adapter` is a constant of the method, or a field
        with recipe.blamed(keys):
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
        if (config := config_of(teacher)) and (reason := why_no_base(config)):
            raise ModelError(f"teacher {spec!r} {reason}")
        return teacher
