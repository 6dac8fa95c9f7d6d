"""The recipe's JSON Schema, for editors that complete and check YAML. Run as a module, writes docs/ pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from manus import capabilities
from manus.data.settings import DataSettings
from manus.kinds import RESERVED_NAMES
from manus.models.senses.settings import SensesSettings
from manus.models.speech.settings import VoiceSettings
from manus.recipe.fields import SAFE_NAME, Header, StageHeader
from manus.recipe.known import (
    CAPABILITIES,
    FEATURES,
    GENERATORS,
    METHODS,
    senses_model,
    shared_kind,
    voice_model,
)
from manus.rewards.verifiers import known_verifiers

Schema = dict[str, Any]
REFERENCE = "#/$defs/"


def json_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of recipes."""
    models = _Models()
    stages = {name: _stage(models, name, _methods_for([name])) for name in CAPABILITIES}
    stages |= {name: _feature(models, name) for name in FEATURES}
    for group, members in capabilities.GROUPS.items():
        trained = [name for name in members if name in CAPABILITIES]
        stages[group] = _without(_stage(models, trained[0], _methods_for(trained)), "name")
    defaults = _without(_stage(models, next(iter(CAPABILITIES)), list(METHODS)), "name", "probe")
    schema = models.of(Header)
    schema["properties"] |= {
        "capabilities": {
            "description": Header.model_fields["capabilities"].description,
            "type": "array",
            "minItems": 1,
            "items": {"oneOf": [{"enum": list(stages)}, _one_key(stages)]},
        },
        "defaults": {
            "description": Header.model_fields["defaults"].description,
            **defaults,
            "type": "object",
        },
        "export": {"description": "Designed but not built yet.", "type": "array", "maxItems": 0},
    }
    definitions = {name: _without_titles(value) for name, value in models.definitions.items()}
    definitions["Source"] |= _source(models)
    definitions["RewardSettings"] |= _reward(models)
    definitions["GateSettings"]["minProperties"] = 1
    head: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Manus recipe"}
    body: Schema = _without_titles(schema)
    return {**head, **body, "$defs": _needed(body, definitions)}


class _Models:
    """The schemas of all settings models, whose parts refer to each other under `$defs`."""

    def __init__(self) -> None:
        models: list[type[BaseModel]] = [Header, StageHeader, DataSettings, SensesSettings, VoiceSettings]
        models += [capability.Settings for capability in CAPABILITIES.values()]
        models += [feature.Settings for feature in FEATURES.values()]
        models += [method.Settings for method in METHODS.values()]
        models += [generator.Settings for generator in GENERATORS.values()]
        models += [verifier.Settings for verifier in known_verifiers().values()]
        self.names, schema = models_json_schema([(model, "validation") for model in models])
        self.definitions: dict[str, Schema] = schema["$defs"]

    def reference(self, model: type[BaseModel]) -> Schema:
        """Return a reference to a model's schema."""
        return dict(self.names[model, "validation"])

    def of(self, model: type[BaseModel]) -> Schema:
        """Return a model's schema itself."""
        schema = self.definitions[self.reference(model)["$ref"].removeprefix(REFERENCE)]
        return {**schema, "properties": dict(schema["properties"])}


def _methods_for(members: Iterable[str]) -> list[str]:
    return [name for name in METHODS if all(shared_kind(member, name) for member in members)]


def _stage(models: _Models, capability: str, methods: list[str]) -> Schema:
    """Return what a stage may say: the settings of all methods that it can choose."""
    properties: dict[str, Schema] = {}
    for method in methods:
        for key, value in models.of(METHODS[method].Settings)["properties"].items():
            properties[key] = _either(properties[key], value) if key in properties else value
    properties |= models.of(DataSettings)["properties"] | models.of(StageHeader)["properties"]
    for model in (senses_model(capability), voice_model(capability)):
        properties |= models.of(model)["properties"] if model is not None else {}
    properties["method"] = {"enum": methods, "description": StageHeader.model_fields["method"].description}
    properties["probe"] = models.reference(CAPABILITIES[capability].Settings)
    properties["name"] = _name()
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _feature(models: _Models, feature: str) -> Schema:
    """Return what an entry may say that trains nothing."""
    properties = {"name": _name(), "probe": models.reference(FEATURES[feature].Settings)}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _name() -> Schema:
    return {
        "description": StageHeader.model_fields["name"].description,
        "type": ["string", "null"],
        "pattern": f"^{SAFE_NAME.pattern}$",
        "not": {"enum": sorted(RESERVED_NAMES)},
    }


def _without(stage: Schema, *keys: str) -> Schema:
    return {
        **stage,
        "properties": {key: value for key, value in stage["properties"].items() if key not in keys},
    }


def _either(first: Schema, second: Schema) -> Schema:
    """Return the schema of a setting that two methods have; a default stays only where they share it."""
    if first == second:
        return first
    plain, other = (
        {key: value for key, value in schema.items() if key != "default"} for schema in (first, second)
    )
    return plain if plain == other else {"anyOf": [plain, other], "description": first.get("description", "")}


def _one_key(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _source(models: _Models) -> Schema:
    """Return what a source of data must be beyond its keys: of one kind, with its generator's options."""
    properties = dict(models.definitions["Source"]["properties"])
    properties["generator"] = {
        "description": properties["generator"]["description"],
        "enum": list(GENERATORS),
    }
    kinds = [{"required": [kind]} for kind in ("path", "hub", "generator")]
    options = _options(models, "generator", GENERATORS)
    return {"properties": _without_titles(properties), "oneOf": kinds, "allOf": options}


def _reward(models: _Models) -> Schema:
    """Return what a reward must be beyond its keys: one of the verifiers, with its options."""
    properties = dict(models.definitions["RewardSettings"]["properties"])
    properties["verifier"] = {
        "description": properties["verifier"]["description"],
        "enum": list(known_verifiers()),
    }
    return {
        "properties": _without_titles(properties),
        "allOf": _options(models, "verifier", known_verifiers()),
    }


def _options(models: _Models, key: str, modules: Mapping[str, Any]) -> list[Schema]:
    """Return what `options` may hold beside each name that the key can have."""
    return [
        {
            "if": {"properties": {key: {"const": name}}, "required": [key]},
            "then": {"properties": {"options": models.reference(module.Settings)}},
        }
        for name, module in modules.items()
    ]


def _without_titles(schema: Any) -> Any:
    """Return a schema without pydantic's titles, which only repeat the keys."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }


def _needed(schema: Schema, definitions: dict[str, Schema]) -> dict[str, Schema]:
    """Return the definitions that a schema refers to, also through others."""
    needed: dict[str, Schema] = {}
    waiting = [schema]
    while waiting:
        for name in _references(waiting.pop()):
            if name not in needed:
                needed[name] = definitions[name]
                waiting.append(definitions[name])
    return dict(sorted(needed.items()))


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].removeprefix(REFERENCE)] if isinstance(schema.get("$ref"), str) else []
    return [*own, *(name for value in schema.values() for name in _references(value))]


def main() -> None:
    """Write the schema and the page that documents recipes into docs/."""
    import json
    from pathlib import Path

    from manus.recipe.page import markdown

    Path("docs/recipe.schema.json").write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    Path("docs/RECIPES.md").write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
