"""Writes `docs/RECIPES.md`: every key of a recipe with its type, default and meaning, from the settings themselves."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import BaseModel

from manus import capabilities
from manus.data.settings import DataSettings
from manus.recipe_fields import CAPABILITIES, GENERATORS, METHODS, Header, StageHeader, shared_kind
from manus.recipe_problems import model_in

NO_LIMIT = 2**31 - 1
HEAD = ["| key | type | default | meaning |", "|---|---|---|---|"]
INTRODUCTION = """\
# Recipes

Generated from the code by `make docs`; a test keeps it current. The same as JSON Schema, for editors:
[recipe.schema.json](recipe.schema.json). Put this line on top of a recipe and YAML editors complete it:

    # yaml-language-server: $schema=../docs/recipe.schema.json

Unknown keys, wrong types and impossible pairs are refused before anything runs, each with its line.

## Top level
"""


def markdown() -> str:
    """Return the page."""
    groups = [f"`{group}` stands for {', '.join(members)}" for group, members in capabilities.GROUPS.items()]
    lines = [INTRODUCTION, *HEAD, *_rows(Header), ""]
    lines += [
        f"A stage in `capabilities` is a name, or `name: {{settings}}`. {'; '.join(groups)}.",
        "`defaults` takes any setting of data and training below; those that a stage's method does not have are not read.",
        "A stage's own settings beat the defaults, `--config` beats both.",
        "",
        *["## Every stage", "", *HEAD, *_rows(StageHeader), *_rows(DataSettings), ""],
        *["### One entry of `data`", "", *HEAD, *_rows(_nested(DataSettings, "data")), ""],
        *["## Methods", "", *_methods(), ""],
        *["### Training settings", "", *_training(), ""],
        *["### Which method can train what", "", *_pairs(), ""],
        *["## Capabilities", ""],
    ]
    for name, capability in CAPABILITIES.items():
        lines += [f"### {name}", "", *_prose(capability.__doc__), ""]
        lines += [f"Probe: `{capability.METRIC}`. Under `probe:`", "", *HEAD, *_rows(capability.Settings), ""]
    lines += ["## Generators", "", "Synthetic data, made off line by rule. Below: what `options` takes.", ""]
    for name, generator in GENERATORS.items():
        lines += [f"### generator: {name}", "", *_prose(generator.__doc__), "", *HEAD, *_rows(generator.Settings), ""]
    for title, key in (("merge", "merge"), ("A gate", "gates"), ("guards", "guards")):
        model = _nested(Header, key)
        lines += [f"## {title}", "", *_prose(model.__doc__), "", *HEAD, *_rows(model), ""]
    return "\n".join(lines).rstrip() + "\n"


def _methods() -> list[str]:
    return [f"- **{name}**: {' '.join(_prose(method.__doc__))}" for name, method in METHODS.items()]


def _training() -> list[str]:
    """Return one table of all methods' settings; defaults and owners are named where methods differ."""
    lines = ["| key | type | default | methods | meaning |", "|---|---|---|---|---|"]
    for key in dict.fromkeys(key for method in METHODS.values() for key in method.Settings.model_fields):
        owners = {name: method.Settings for name, method in METHODS.items() if key in method.Settings.model_fields}
        defaults: dict[str, list[str]] = {}
        for name, model in owners.items():
            defaults.setdefault(_default(model, key), []).append(name)
        several = [f"{default} ({', '.join(names)})" for default, names in defaults.items()]
        default = next(iter(defaults)) if len(defaults) == 1 else ", ".join(several)
        model = next(iter(owners.values()))
        methods = "all" if len(owners) == len(METHODS) else ", ".join(owners)
        lines.append(f"| `{key}` | {_type_of(model, key)} | {default} | {methods} | {_meaning(model, key)} |")
    return lines


def _pairs() -> list[str]:
    head = ["| capability | " + " | ".join(METHODS) + " |", "|---|" + "---|" * len(METHODS)]
    rows = [
        f"| {name} | " + " | ".join(shared_kind(name, method) or "refused" for method in METHODS) + " |"
        for name in CAPABILITIES
    ]
    return [*head, *rows, "", "A cell names the kind of sample the pair trains on."]


def _nested(model: type[BaseModel], key: str) -> type[BaseModel]:
    found = model_in(model.model_fields[key].annotation)
    assert found is not None, f"{key} holds no settings model"
    return found


def _rows(model: type[BaseModel]) -> list[str]:
    return [
        f"| `{key}` | {_type_of(model, key)} | {_default(model, key)} | {_meaning(model, key)} |"
        for key in model.model_fields
    ]


def _meaning(model: type[BaseModel], key: str) -> str:
    return (model.model_fields[key].description or "").replace("|", "\\|")


def _default(model: type[BaseModel], key: str) -> str:
    field = model.model_fields[key]
    return "required" if field.is_required() else f"`{_written(field.default)}`"


def _written(value: Any) -> str:
    """Return a value as YAML has it."""
    if isinstance(value, BaseModel):
        return "{}"
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_written, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _type_of(model: type[BaseModel], key: str) -> str:
    return _type(model.model_json_schema()["properties"][key])


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(part) for part in schema["anyOf"]))
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [
        f"{sign} {schema[bound]:g}" for bound, sign in signs.items() if abs(schema.get(bound, NO_LIMIT)) < NO_LIMIT
    ]
    nouns = {
        "string": "text",
        "array": "list",
        "integer": "whole number",
        "boolean": "`true`, `false`",
        "null": "`null`",
    }
    kind = schema.get("type", "object")
    noun = nouns.get(kind, "number" if kind == "number" else "mapping")
    return f"{noun} {', '.join(limits)}".strip()


def _prose(docstring: str | None) -> list[str]:
    """Return a docstring as Markdown: what looks like a tag in its running text is text."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    return [line if line.startswith("    ") else _escaped(line) for line in lines]


def _escaped(line: str) -> str:
    parts = line.split("`")
    return "`".join(part if index % 2 else part.replace("<", "\\<") for index, part in enumerate(parts))
