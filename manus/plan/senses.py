"""Says which encoders a base gets, and refuses stages whose senses nothing adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manus.errors import ModelError, RecipeError
from manus.models.base import Base
from manus.models.encoders.finding import Encoder, find_encoder, is_embedded
from manus.models.senses.settings import MODALITIES_OF, NONE, SENSES, Sense, SensesSettings, kept, senses_of
from manus.recipe.machine import sense_choices
from manus.recipe.recipe import CAPABILITIES, Recipe, Stage
from manus.store.digests import Digests


def keep_own_senses(recipe: Recipe, base: Base) -> None:
    """See to it that a base which sees or hears by itself keeps that, and is asked for nothing else.

    Raises:
        RecipeError: a stage would add senses to it, or needs one that it lacks.
    """
    own_encoders, own = kept(base), {"text", *(senses_of(base) or ())}
    if own_encoders is None:
        return
    named = [
        (stage, CAPABILITIES[stage.capability].MODALITIES) for stage in recipe.stages if stage.senses is None
    ]
    lacking = [
        (stage, missing) for stage, needed in named if (missing := ", ".join(sorted(set(needed) - own)))
    ]
    if lacking:
        stage, missing = lacking[0]
        with recipe.blamed(stage.keys):
            raise RecipeError(
                f"stage {stage.name!r} needs {missing}; {own_encoders}, and no other sense can be added to "
                "it: name a model of text alone as base_model, with a stage `omni`"
            )
    if recipe.adds_senses is not None:
        with recipe.blamed(recipe.adds_senses.keys):
            raise RecipeError(
                f"{own_encoders}; remove this stage: the others train the base with the senses it has"
            )


def encoders_of(
    recipe: Recipe, base: Base, digests: Digests, pins: Mapping[str, str]
) -> dict[Sense, Encoder]:
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
                raise ModelError(
                    f"base_model {base.spec!r} has encoders already; remove this stage's own settings"
                )
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
