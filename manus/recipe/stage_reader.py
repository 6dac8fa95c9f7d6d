"""Resolves a recipe's stages: what a stage says beats the defaults, what the command line says beats both.

Knows what one stage may be; knows nothing of what the recipe says about all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from manus import capabilities
from manus.data.sample import SampleKind
from manus.data.settings import DataSettings, Source
from manus.errors import nearest
from manus.kinds import RESERVED_NAMES
from manus.models.senses.settings import SensesSettings
from manus.models.speech.settings import VoiceSettings
from manus.recipe.fields import NAME_RULE, SAFE_NAME, Header, Overrides, StageHeader, nearest_word
from manus.recipe.known import (
    CAPABILITIES,
    DEFAULT_METHOD,
    FEATURES,
    GENERATORS,
    METHODS,
    default_method,
    has_senses,
    models_with,
    senses_model,
    shared_kind,
    stage_keys,
    voice_model,
)
from manus.recipe.problems import COMMAND_LINE, Problems, validated
from manus.recipe.stage import FeatureStage, Stage
from manus.recipe.suitability import NOT_BUILT, refusal
from manus.recipe.wording import KeyPath, quoted, shown
from manus.training.settings import PackingSettings

DEFAULTS: KeyPath = ("defaults",)
OF_FEATURES = ("name", "probe")  # what an entry may say that trains nothing
NOT_YET = f"is designed but {NOT_BUILT}; remove this key"


@dataclass(frozen=True, slots=True)
class Entry:
    """One capability in the recipe's list, with the settings written there; a group stands for several."""

    capability: str
    own: dict[str, Any]
    keys: KeyPath
    is_in_group: bool

    @property
    def name(self) -> str:
        """The stage's name, as far as it can be told."""
        name = self.own.get("name")
        return name if isinstance(name, str) else self.capability


@dataclass
class StageReader:
    """Turns the entries of `capabilities` into stages and notes what is wrong with them."""

    problems: Problems
    overrides: Overrides
    defaults: dict[str, Any] = field(default_factory=dict)

    def entries(self, raw: Any) -> list[Entry | None]:
        """Return what the recipe lists, with groups as their members; None where it cannot be understood."""
        found: list[Entry | None] = []
        for index, item in enumerate(raw if isinstance(raw, list) else ()):
            found += self.entry(item, ("capabilities", index))
        return found

    def entry(self, item: Any, keys: KeyPath) -> list[Entry | None]:
        """Return the stages that one item stands for."""
        name, own = item, dict[str, Any]()
        if isinstance(item, dict) and len(item) == 1:
            name, own = next(iter(item.items()))
            keys = (*keys, name)
            own = {} if own is None else own
        if not isinstance(name, str):
            self.problems.refuse(keys, _not_one_capability(item))
            return [None]
        members = capabilities.GROUPS.get(name, (name,))
        known = sorted([*CAPABILITIES, *FEATURES])
        if not all(self.is_known(name, known, capabilities.PLANNED, "capability", keys) for name in members):
            return [None]
        if not isinstance(own, dict):
            self.problems.refuse(keys, f"its settings must be `key: value` pairs, not {shown(own)}")
            return [None]
        return [Entry(member, own, keys, is_in_group=name in capabilities.GROUPS) for member in members]

    def read_defaults(self, raw: Any) -> None:
        """Take over the defaults that at least one method accepts; refuse the others, once."""
        for key, value in (raw if isinstance(raw, dict) else {}).items():
            keys = (*DEFAULTS, key)
            if key == "method":
                is_good = self.is_method(value, keys)
            elif key in StageHeader.model_fields:
                self.problems.refuse(keys, f"{key} belongs to a single stage; write it there")
                is_good = False
            else:
                is_good = self.is_accepted(key, value, DEFAULTS)
            if is_good:
                self.defaults[key] = value

    def stage(self, entry: Entry) -> Stage | None:
        """Resolve one stage, or note what is wrong with it."""
        before, own, keys = len(self.problems), entry.own, entry.keys
        header = self.problems.check(StageHeader, _only(own, StageHeader.model_fields), keys)
        probe_settings = CAPABILITIES[entry.capability].Settings
        probe = header and self.problems.check(probe_settings, header.probe, (*keys, "probe"))
        method = self.method_of(entry)
        senses_keys, voice_keys = senses_model(entry.capability), voice_model(entry.capability)
        if method is not None and shared_kind(entry.capability, method) != "speech":
            voice_keys = None
        of_senses = {
            name: field
            for model in (senses_keys, voice_keys)
            if model is not None
            for name, field in model.model_fields.items()
        }
        if method is None:
            for key in _except(own, (*StageHeader.model_fields, *of_senses)):
                self.is_accepted(key, own[key], keys)
            return None
        known = {**DataSettings.model_fields, **METHODS[method].Settings.model_fields, **of_senses}
        planned = senses_keys.PLANNED if senses_keys else ()
        for key in _except(own, (*known, *StageHeader.model_fields)):
            problem = NOT_YET if key in planned else _unknown_key(key, known, method)
            self.problems.refuse((*keys, key), problem)
        origin = dict.fromkeys(self.defaults, DEFAULTS) | dict.fromkeys(own, keys)
        settings = {**self.defaults, **own}
        for key, value in self.overrides.for_stages().items():
            settings[key], origin[key] = value, (COMMAND_LINE,)
        data = self.problems.check(DataSettings, _only(settings, DataSettings.model_fields), keys, origin)
        training_keys = METHODS[method].Settings.model_fields
        training = self.problems.check(METHODS[method].Settings, _only(settings, training_keys), keys, origin)
        data_at = (*origin["data"], "data") if "data" in origin else keys
        kind = shared_kind(entry.capability, method)
        if data is not None and data.on_policy is not None and kind != "preference":
            if origin["on_policy"] is not DEFAULTS:
                at = (*origin["on_policy"], "on_policy")
                self.problems.refuse(
                    at, f"makes pairs of answers, and {method} learns from {kind}; remove this key"
                )
            data = data.model_copy(update={"on_policy": None})
        if data is not None and data.learn != "all_turns" and kind != "messages":
            if origin["learn"] is not DEFAULTS:
                at = (*origin["learn"], "learn")
                self.problems.refuse(
                    at, f"chooses among the turns of chats, and {method} learns from {kind}; remove this key"
                )
            data = data.model_copy(update={"learn": "all_turns"})
        if data is not None and training is not None and data.prepare == "never":
            self.check_unprepared(entry.capability, data, training, (*origin["prepare"], "prepare"))
        if data is not None:
            self.check_sources(data.data, data_at, "prompt" if data.on_policy else kind)
        senses = (
            self.problems.check(senses_keys, _only(own, senses_keys.model_fields), keys)
            if senses_keys
            else None
        )
        voice = (
            self.problems.check(voice_keys, _only(own, voice_keys.model_fields), keys) if voice_keys else None
        )
        if not (header and data and training and probe) or len(self.problems) > before:
            return None
        return Stage(
            entry.name, entry.capability, method, data, training, probe, data_at, keys, senses, voice
        )

    def feature(self, entry: Entry) -> FeatureStage | None:
        """Resolve an entry that trains nothing, or note what is wrong with it.

        What a group says is about training and its probes, so it is not read here.
        """
        before, keys = len(self.problems), entry.keys
        own = {} if entry.is_in_group else entry.own
        trained = (*stage_keys(), *StageHeader.model_fields)
        for key in _except(own, OF_FEATURES):
            if key in trained:
                problem = f"{entry.capability} trains nothing, so it takes no {key}; remove this key"
            else:
                hint = nearest_word(key, OF_FEATURES)
                problem = f"{entry.capability} trains nothing and takes name and probe alone; {hint}"
            self.problems.refuse((*keys, key), problem)
        header = self.problems.check(StageHeader, _only(own, OF_FEATURES), keys)
        settings = FEATURES[entry.capability].Settings
        probe = header and self.problems.check(settings, header.probe, (*keys, "probe"))
        if not probe or len(self.problems) > before:
            return None
        return FeatureStage(entry.name, entry.capability, probe, keys)

    def check_unprepared(self, capability: str, data: DataSettings, training: Any, keys: KeyPath) -> None:
        """Refuse `prepare: never` where rows must be known before the training."""
        if has_senses(capability):
            self.problems.refuse(
                keys, f"never reads text alone, and {capability} has media; set prepare: ahead"
            )
        elif not isinstance(training, PackingSettings):
            packing = [
                name for name, method in METHODS.items() if issubclass(method.Settings, PackingSettings)
            ]
            able = ", ".join(name for name in packing if not METHODS[name].NEEDS_SENSES)
            self.problems.refuse(
                keys, f"never works with {able}; other methods learn from what is prepared ahead"
            )
        elif training.packing:
            self.problems.refuse(
                keys, "never knows no lengths ahead, so rows cannot be packed; add packing: false"
            )
        elif not data.data:
            self.problems.refuse(
                keys, "never reads rows of local files; add data: [{path: ...}], or set prepare: ahead"
            )

    def method_of(self, entry: Entry) -> str | None:
        """Return a stage's method, or None when there is no such method or it cannot train the capability."""
        asked_for = default_method(entry.capability)
        own = entry.own.get("method", asked_for or self.defaults.get("method", DEFAULT_METHOD))
        at = (*entry.keys, "method") if "method" in entry.own else (*DEFAULTS, "method")
        if "method" in entry.own and not (isinstance(own, str) and self.is_method(own, at)):
            return None
        if self.overrides.training_method in METHODS and not asked_for:
            own, at = self.overrides.training_method, (COMMAND_LINE, "training_method")
        return own if self.is_possible(entry.capability, own, at) else None

    def is_method(self, value: Any, keys: KeyPath) -> bool:
        """Tell whether a value names a method; refuse it otherwise."""
        if not isinstance(value, str):
            self.problems.refuse(
                keys, f"must be a method's name, not {shown(value)}; known: {', '.join(METHODS)}"
            )
            return False
        return self.is_known(value, METHODS, (), "method", keys)

    def is_known(
        self, name: str, known: Iterable[str], planned: Iterable[str], noun: str, keys: KeyPath
    ) -> bool:
        """Tell whether a name is known; refuse it with the nearest one, or as not built yet."""
        if name in known:
            return True
        if name in planned:
            self.problems.refuse(
                keys, f"{noun} {name!r} is designed but {NOT_BUILT}; built: {', '.join(known)}"
            )
        else:
            built = [*known, *(capabilities.GROUPS if noun == "capability" else ())]
            hint = nearest_word(name, built)
            if not nearest(name, built) and (guess := nearest(name, planned)):
                hint = f"did you mean {guess!r}? It is designed but {NOT_BUILT}"
            self.problems.refuse(keys, f"unknown {noun} {quoted(name)}; {hint}")
        return False

    def is_possible(self, capability: str, method: str, keys: KeyPath) -> bool:
        """Refuse a pair that cannot train, with the nearest one that can."""
        found = refusal(capability, method)
        if found is not None:
            self.problems.refuse(
                keys,
                f"{capability} cannot be trained by {method}: {found.reason}; "
                f"nearest to it is {capability} by {found.nearest}; use method: {found.nearest}",
            )
        return found is None

    def is_accepted(self, key: str, value: Any, keys: KeyPath) -> bool:
        """Tell whether the data's or a method's settings accept a setting; refuse it as the first does."""
        models = models_with(key)
        if not models:
            self.problems.refuse((*keys, key), _unknown_key(key, stage_keys()))
            return False
        tried = [validated(model, {key: value}) for model in models]
        accepted = next((settings for settings, _ in tried if settings is not None), None)
        if accepted is None:
            for place, problem in tried[0][1]:
                self.problems.refuse((*keys, *place), problem)
            return False
        before = len(self.problems)
        if isinstance(accepted, DataSettings):
            self.check_sources(accepted.data, (*keys, "data"))
        return len(self.problems) == before

    def check_sources(self, sources: Iterable[Source], keys: KeyPath, kind: SampleKind | None = None) -> None:
        """Check the names and options of generators, and that their rows can become samples of the kind."""
        for index, source in enumerate(sources):
            if source.generator is None:
                continue
            at = (*keys, index, "generator")
            if self.is_known(source.generator, GENERATORS, (), "generator", at):
                settings = GENERATORS[source.generator].Settings
                self.problems.check(settings, source.options, (*keys, index, "options"))
                made = GENERATORS[source.generator].SAMPLE_KINDS
                if kind is not None and kind not in made:
                    self.problems.refuse(
                        at, f"makes {', '.join(made)}, the method needs {kind}; {_makers_of(kind)}"
                    )

    def check_names(self, entries: Iterable[Entry]) -> None:
        """Refuse stage names that cannot be folders or that are taken."""
        first: dict[str, Entry] = {}
        for entry in entries:
            at = (*entry.keys, "name") if "name" in entry.own else entry.keys
            if entry.is_in_group and "name" in entry.own:
                self.problems.refuse(
                    at, "several stages cannot share a name; list them one by one to name them"
                )
            elif not SAFE_NAME.fullmatch(entry.name):
                self.problems.refuse(at, f"{quoted(entry.name)} becomes a folder; {NAME_RULE}")
            elif entry.name in RESERVED_NAMES:
                self.problems.refuse(at, f"{entry.name!r} is reserved; choose another name")
            elif entry.name in first:
                line = self.problems.source.line_of(first[entry.name].keys)
                fix = (
                    "list the group's members one by one, and add `name:`"
                    if entry.is_in_group
                    else "add `name:`"
                )
                self.problems.refuse(at, f"the stage on line {line} is called {entry.name!r} as well; {fix}")
            first.setdefault(entry.name, entry)


def _makers_of(kind: SampleKind) -> str:
    makers = [name for name, module in GENERATORS.items() if kind in module.SAMPLE_KINDS]
    also = ", or on_policy: {} to make pairs of the model's own answers" if kind == "preference" else ""
    return f"use path or hub{f', or generator: {makers[0]}' if makers else ''}{also}"


def _not_one_capability(item: Any) -> str:
    if not isinstance(item, dict) or not item:
        return f"must be a capability's name, or `name: {{settings}}`, not {shown(item)}"
    known = [name for name in item if name in (*CAPABILITIES, *FEATURES, *capabilities.GROUPS)]
    if len(known) == 1:
        beside = next(key for key in item if key not in known)
        return f"{quoted(beside)} stands beside {known[0]!r}, not below it; indent it two spaces deeper"
    return "one entry names one capability; start each with a dash of its own"


def _unknown_key(key: str, known: Iterable[str], method: str | None = None) -> str:
    others = [name for name, module in METHODS.items() if key in module.Settings.model_fields]
    if method and others:
        return f"is no setting of method {method}, only of {', '.join(others)}"
    if key in Header.model_fields:
        return "belongs to the top level of the recipe, not here"
    if key in VoiceSettings.model_fields:
        return "belongs to the stage `podcast`, which trains the talker; write it there"
    if key in SensesSettings.model_fields:
        return "belongs to the stage `omni`, which adds the encoders; write it there"
    return f"unknown key; {nearest_word(key, [*known, *StageHeader.model_fields])}"


def _only(settings: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key in set(fields)}


def _except(settings: Mapping[str, Any], fields: Iterable[str]) -> list[str]:
    return [key for key in settings if key not in set(fields)]
