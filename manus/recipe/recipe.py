"""Reads one recipe into a frozen, fully resolved `Recipe`, or says everything that is wrong with it.

Knows what the recipe says about its stages together; knows nothing of files, models or keys.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from manus import capabilities
from manus.errors import Fault, InputError, RecipeError, did_you_mean
from manus.evaluation.gate_settings import OF_PROBES, GateSettings
from manus.guards.settings import GuardSettings
from manus.kinds import RESERVED_NAMES
from manus.models.merging.settings import MergeSettings, chosen
from manus.recipe.fields import NAME_RULE, SAFE_NAME, Header, Overrides, StageHeader, nearest_word
from manus.recipe.known import CAPABILITIES, FEATURES, GENERATORS, METHODS, shared_kind, stage_keys
from manus.recipe.located_yaml import Located, read_located
from manus.recipe.machine import machine_limits
from manus.recipe.problems import COMMAND_LINE, Problems, validated
from manus.recipe.stage import FeatureStage, RewardModel, Stage
from manus.recipe.stage_reader import Entry, StageReader
from manus.recipe.wording import KeyPath, dotted, quoted, shortened

# What a talker keeps from the stage that made it.
KEPT_BY_TALKERS = {"audio_output", "talker_hidden", "talker_layers", "talker_heads", "talker_window"}

__all__ = [
    "CAPABILITIES",
    "FEATURES",
    "GENERATORS",
    "METHODS",
    "FeatureStage",
    "Header",
    "Overrides",
    "Recipe",
    "RewardModel",
    "Stage",
    "StageHeader",
    "read_recipe",
    "shared_kind",
]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that can be planned: it trains `stages`, and tries `features` on the merged model."""

    path: Path
    base_model: str
    compose: Literal["sequential", "parallel"]
    seed: int
    output_dir: Path
    stages: tuple[Stage, ...]
    merge: MergeSettings
    gates: dict[str, GateSettings]
    guards: GuardSettings
    reward_models: tuple[RewardModel, ...]
    features: tuple[FeatureStage, ...]
    source: Located = field(compare=False, repr=False)
    option: str = field(default=COMMAND_LINE, compare=False, repr=False)  # what overrides were given with

    @property
    def name(self) -> str:
        """The recipe's name: its file's, without the ending."""
        return self.path.stem

    @property
    def adds_senses(self) -> Stage | None:
        """The stage that gives the base model encoders, if there is one."""
        return next((stage for stage in self.stages if stage.senses is not None), None)

    @property
    def speaks(self) -> Stage | None:
        """The first stage that trains a talker, if there is one."""
        return next((stage for stage in self.stages if stage.voice is not None), None)

    @property
    def entries(self) -> tuple[Stage | FeatureStage, ...]:
        """All that it lists: the stages, and what trains nothing."""
        return (*self.stages, *self.features)

    @property
    def learned(self) -> tuple[Stage | RewardModel, ...]:
        """All that has data of its own: the stages, and the reward models."""
        return (*self.stages, *self.reward_models)

    def teacher_model_of(self, stage: Stage) -> str | None:
        """Return the model that a stage learns from, where that is none of the recipe's own stages."""
        teacher: str | None = getattr(stage.training, "teacher", None)
        return None if teacher in [one.name for one in self.stages] else teacher

    def gate_of(self, stage: str) -> GateSettings | None:
        """Return the gate that holds for a stage."""
        return self.gates.get(stage, self.gates.get("*"))

    @contextlib.contextmanager
    def blamed(self, keys: KeyPath) -> Iterator[None]:
        """Put file and line before an error about something the recipe names, such as a missing file."""
        try:
            yield
        except InputError as error:
            is_overridden = keys == ("base_model",) and self.source.value.get("base_model") != self.base_model
            place = self.option if is_overridden else f"{self.path}:{self.source.line_of(keys)}"
            file, line = (None, None) if is_overridden else (str(self.path), self.source.line_of(keys))
            key = f"{self.option} base_model" if is_overridden else dotted(keys)
            raise type(error)(f"{place}: {error}", [Fault(file, line, key, str(error))]) from error.__cause__


def read_recipe(path: Path, overrides: Mapping[str, Any] | None = None, option: str = COMMAND_LINE) -> Recipe:
    """Read and check a recipe.

    Args:
        path: the YAML file.
        overrides: values of `Overrides`, as given on the command line.
        option: what they were given with, for messages.

    Raises:
        RecipeError: with one line for each thing that is wrong.
    """
    source = read_located(path)
    if not SAFE_NAME.fullmatch(path.stem):
        raise RecipeError(f"{path}:1: the file's name becomes a folder; {NAME_RULE} in it")
    problems = Problems(path, source, option)
    recipe = _resolved(problems, dict(overrides or {}))
    if recipe is None or problems:
        raise problems.error()
    return recipe


def _resolved(problems: Problems, given: dict[str, Any]) -> Recipe | None:
    raw = problems.source.value
    overrides = problems.check(Overrides, given, (COMMAND_LINE,))
    if overrides is None:
        overrides = Overrides(
            **{key: value for key, value in given.items() if validated(Overrides, {key: value})[0]}
        )
    reader = StageReader(problems, overrides)
    if overrides.training_method is not None:
        reader.is_method(overrides.training_method, (COMMAND_LINE, "training_method"))
    header = _header(problems, raw, overrides)
    reader.read_defaults(raw.get("defaults"))
    entries = reader.entries(raw.get("capabilities"))
    known = [entry for entry in entries if entry is not None]
    trained = [entry for entry in known if entry.capability not in FEATURES]
    tried = [entry for entry in known if entry.capability in FEATURES]
    stages = [reader.stage(entry) for entry in trained]
    features = [reader.feature(entry) for entry in tried]
    reader.check_names(known)
    if len(known) == len(entries):
        _check_stage_names(problems, raw, [entry.name for entry in trained], [entry.name for entry in tried])
        _check_something_trains(problems, trained, tried)
    if header is None or len(problems):
        return None
    built = tuple(stage for stage in stages if stage is not None)
    resolved_features = tuple(feature for feature in features if feature is not None)
    _check_gates(problems, header, resolved_features)
    _check_merge(problems, header, built)
    _check_references(problems, header, built, [feature.name for feature in resolved_features])
    _check_senses(problems, header, built)
    _check_voices(problems, built)
    for name, settings in header.reward_models.items():
        reader.check_sources(settings.data, ("reward_models", name, "data"), "preference")
    return Recipe(
        problems.path,
        header.base_model,
        header.compose,
        header.seed,
        Path(header.output_dir),
        built,
        header.merge,
        header.gates,
        header.guards,
        tuple(
            RewardModel(name, settings.model_copy(update=overrides.for_stages()))
            for name, settings in header.reward_models.items()
        ),
        resolved_features,
        problems.source,
        problems.option,
    )


def _header(problems: Problems, raw: dict[str, Any], overrides: Overrides) -> Header | None:
    """Check the recipe's own keys. What an override replaces is checked all the same."""
    given = overrides.for_header()
    known = {key: value for key, value in raw.items() if key in Header.model_fields}
    for key in raw:
        if key not in known:
            problems.refuse((key,), _unknown_key(key))
    if isinstance(raw.get("capabilities"), dict):
        problems.refuse(
            ("capabilities",), "must be a list; start each capability with a dash: `- cot: {...}`"
        )
        known["capabilities"] = [None]
    header = problems.check(Header, {**given, **known}, ())
    if header is None:
        return None
    if header.export:
        problems.refuse(("export",), "export is designed but not built yet; remove this key")
    own = header.guards.model_dump(exclude_unset=True)
    guards = problems.check(GuardSettings, {**machine_limits(), **own}, ("guards",))
    return header.model_copy(update={**given, "guards": guards or header.guards})


def _unknown_key(key: str) -> str:
    if key in Header.PLANNED:
        return "is designed but not built yet; remove this key"
    if key in (*stage_keys(), *StageHeader.model_fields):
        return "is a setting of stages; write it below `defaults:`, or below a capability"
    if key in (*CAPABILITIES, *FEATURES, *capabilities.GROUPS, *capabilities.PLANNED):
        return f"is a capability; write `- {key}` below `capabilities:`"
    return f"unknown key; {nearest_word(key, Header.model_fields)}"


def _check_stage_names(
    problems: Problems, raw: dict[str, Any], names: Sequence[str], tried: Sequence[str]
) -> None:
    """Refuse gates and merge weights of stages that do not exist; those that train nothing have no weight."""
    gates, merge = raw.get("gates"), raw.get("merge")
    weights = merge.get("weights") if isinstance(merge, dict) else None
    known = [*names, *tried, "*"]
    for name in gates if isinstance(gates, dict) else ():
        if name not in known:
            hint = did_you_mean(shortened(name), known)
            problems.refuse(("gates", name), f"no stage is called {shortened(name)!r}; {hint}")
    for name in weights if isinstance(weights, dict) else ():
        at = ("merge", "weights", name)
        if name in tried:
            problems.refuse(at, f"{name} trains nothing, so there is no change to weigh; remove this key")
        elif name not in names:
            hint = did_you_mean(shortened(name), names)
            problems.refuse(at, f"no stage is called {shortened(name)!r}; {hint}")


def _check_something_trains(problems: Problems, trained: Sequence[Entry], tried: Sequence[Entry]) -> None:
    """Refuse a recipe that trains nothing: there is no merged model to try."""
    if tried and not trained:
        problems.refuse(
            tried[0].keys,
            f"{tried[0].capability} trains nothing, and is tried on the merged model of stages that do; "
            "add one, such as `- cot`",
        )


def _check_gates(problems: Problems, header: Header, features: Sequence[FeatureStage]) -> None:
    """Refuse limits that a stage, or a capability that trains nothing, cannot be held to."""
    by_name = {feature.name: feature for feature in features}
    for name, gate in header.gates.items():
        feature = by_name.get(name)
        able = OF_PROBES if feature is None else FEATURES[feature.capability].GATES
        for limit in gate.limits:
            if limit in able:
                continue
            if feature is not None:
                why = (
                    f"{feature.capability} trains nothing, so nothing is gained or lost; use "
                    f"{' or '.join(able)}"
                )
            else:
                named = ", ".join(by_name) or "`- streaming`, once the recipe has it"
                why = f"holds what is streamed; write it below the name of that entry ({named})"
            problems.refuse(("gates", name, limit), why)


def _check_references(
    problems: Problems, header: Header, stages: Sequence[Stage], features: Sequence[str]
) -> None:
    """Refuse names of things that the recipe does not make, or not yet, and code that it does not trust."""
    names = [stage.name for stage in stages]
    for name in header.reward_models:
        if not SAFE_NAME.fullmatch(name) or name in (*names, *features, *RESERVED_NAMES):
            problems.refuse(
                ("reward_models", name), f"{quoted(name)} becomes a folder beside the stages'; {NAME_RULE}"
            )
    for index, stage in enumerate(stages):
        teacher = getattr(stage.training, "teacher", None)
        if teacher in names[index:] or (teacher in names and header.compose == "parallel"):
            before = names[:index] if header.compose == "sequential" else []
            problems.refuse(
                (*stage.keys, "teacher"),
                f"stage {teacher!r} is not built before {stage.name!r}; "
                f"name {' or '.join(map(repr, before)) if before else 'a model id or a folder'}",
            )
        for reward in getattr(stage.training, "rewards", None) or ():
            if reward.needs_trust and header.trust != "local-code":
                problems.refuse(
                    (*stage.keys, "rewards"),
                    f"reward {reward.component!r} runs a function of yours; allow that with "
                    "`trust: local-code` at the top of the recipe",
                )


def _check_senses(problems: Problems, header: Header, stages: Sequence[Stage]) -> None:
    """Refuse a second stage that adds senses, and one beside stages that would not start from it."""
    adding = [stage for stage in stages if stage.senses is not None]
    for extra in adding[1:]:
        problems.refuse(extra.keys, f"stage {adding[0].name!r} adds the encoders already; remove this one")
    if adding and header.compose == "parallel" and len(stages) > 1:
        problems.refuse(
            adding[0].keys,
            "with compose: parallel no other stage would start from its projectors; use compose: sequential",
        )


def _check_voices(problems: Problems, stages: Sequence[Stage]) -> None:
    """Refuse a stage that would train the talker of an earlier one through another codec, or of another size."""
    speaking = [stage for stage in stages if stage.voice is not None]
    for stage in speaking[1:]:
        first, own = speaking[0].voice, stage.voice
        assert first is not None and own is not None, "these were chosen by it"
        for key in sorted(own.model_fields_set & KEPT_BY_TALKERS):
            if getattr(own, key) != getattr(first, key):
                problems.refuse(
                    (*stage.keys, key),
                    f"stage {speaking[0].name!r} made the talker with {key}: {getattr(first, key)}, and this "
                    "one trains it further; remove this key",
                )


def _check_merge(problems: Problems, header: Header, stages: Sequence[Stage]) -> None:
    """Refuse a merge that does not fit the stages."""
    if header.compose == "parallel" and header.merge.combine == "sum":
        problems.refuse(("merge", "combine"), "sum is for compose: sequential; use linear")
    keys: KeyPath = ("merge", "weights") if header.merge.weights is not None else ("merge",)
    try:
        combine = chosen(header.merge, header.compose, [stage.name for stage in stages]).combine
    except InputError as error:
        problems.refuse(keys, str(error).removeprefix("merge: ").removeprefix("weights: "))
        return
    whole = [stage.name for stage in stages if METHODS[stage.method].result(stage.training) == "model"]
    if combine == "svd" and header.merge.svd_rank is None and whole:
        problems.refuse(
            ("merge",),
            f"svd has no default rank where a stage ({whole[0]}) trains all weights; add svd_rank: 64",
        )
