"""Writes `docs/RECIPES.md`: each key of a recipe with its type, default and meaning, as the settings say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from pydantic import BaseModel

from manus import capabilities
from manus.data.settings import DataSettings, OnPolicySettings
from manus.recipe.fields import Header, StageHeader
from manus.recipe.known import CAPABILITIES, FEATURES, GENERATORS, METHODS, senses_model, shared_kind
from manus.recipe.problems import model_in
from manus.recipe.suitability import refusal
from manus.rewards.settings import RewardSettings
from manus.rewards.verifiers import known_verifiers

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

PAIRS_LEGEND = "A cell names the kind of sample that the pair trains on, or in italics why it is refused:"
VERIFIERS = "What `rewards` can name. 1 is right and 0 wrong wherever a verifier knows right and wrong."


def markdown() -> str:
    """Return the page."""
    groups = [f"`{group}` stands for {', '.join(members)}" for group, members in capabilities.GROUPS.items()]
    lines = [INTRODUCTION, *HEAD, *_rows(Header), ""]
    lines += [
        f"A stage in `capabilities` is a name, or `name: {{settings}}`. {'; '.join(groups)}.",
        f"{', '.join(f'`{name}`' for name in FEATURES)} trains nothing and takes `name` and `probe` alone; a "
        "group's settings are not its own.",
        "`defaults` takes any setting of data and training below; those that a stage's method does not have "
        "are not read.",
        "A stage's own settings beat the defaults, `--config` beats both.",
        "",
        *["## Every stage", "", *HEAD, *_rows(StageHeader), *_rows(DataSettings), ""],
        *["### One entry of `data`", "", *HEAD, *_rows(_nested(DataSettings, "data")), ""],
        *["## Methods", "", *_methods(), ""],
        *["### Training settings", "", *_training(), ""],
        *["### One entry of `rewards`", "", *HEAD, *_rows(RewardSettings), ""],
        *[
            "### Under `on_policy`",
            "",
            *_prose(OnPolicySettings.__doc__),
            "",
            *HEAD,
            *_rows(OnPolicySettings),
            "",
        ],
        *["### Which method can train what", "", *_pairs(), ""],
        *["## Capabilities", ""],
    ]
    for name, capability in CAPABILITIES.items():
        lines += [f"### {name}", "", *_prose(capability.doc), ""]
        if (senses := senses_model(name)) is not None:
            lines += [
                f"Beside `data`, `method` and its settings. {senses.__doc__}",
                "",
                *HEAD,
                *_rows(senses),
                "",
            ]
        lines += [f"Probe: `{capability.METRIC}`. Under `probe:`", "", *HEAD, *_rows(capability.Settings), ""]
    for name, feature in FEATURES.items():
        lines += [f"### {name}", "", *_prose(feature.doc), "", "Under `probe:`", "", *HEAD]
        lines += [
            *_rows(feature.Settings),
            "",
            f"Limits of its gate: {', '.join(f'`{key}`' for key in feature.GATES)}.",
            "",
        ]
    lines += ["## Generators", "", "Synthetic data, made off line by rule. Below: what `options` takes.", ""]
    for name, generator in GENERATORS.items():
        lines += [
            f"### generator: {name}",
            "",
            *_prose(generator.doc),
            "",
            *HEAD,
            *_rows(generator.Settings),
            "",
        ]
    lines += ["## Verifiers", "", VERIFIERS, "", *_verifiers()]
    for title, key in (
        ("A reward model", "reward_models"),
        ("merge", "merge"),
        ("A gate", "gates"),
        ("guards", "guards"),
    ):
        model = _nested(Header, key)
        lines += [f"## {title}", "", *_prose(model.__doc__), "", *HEAD, *_rows(model), ""]
    return "\n".join(lines).rstrip() + "\n"


def _methods() -> list[str]:
    return [f"- **{name}**: {' '.join(filter(None, _prose(method.doc)))}" for name, method in METHODS.items()]


def _training() -> list[str]:
    """Return one table of all methods' settings; owners are named where methods differ."""
    lines = ["| key | type | default | methods | meaning |", "|---|---|---|---|---|"]
    for key in dict.fromkeys(key for method in METHODS.values() for key in method.Settings.model_fields):
        owners = {
            name: method.Settings for name, method in METHODS.items() if key in method.Settings.model_fields
        }
        kind, default, meaning = (_by_method(owners, key, told) for told in (_type_of, _default, _meaning))
        methods = "all" if len(owners) == len(METHODS) else ", ".join(owners)
        lines.append(f"| `{key}` | {kind} | {default} | {methods} | {meaning} |")
    return lines


def _by_method(owners: dict[str, Any], key: str, told: Callable[[type[BaseModel], str], str]) -> str:
    """Return what is told of a setting, and where methods differ, of which."""
    found: dict[str, list[str]] = {}
    for name, model in owners.items():
        found.setdefault(told(model, key), []).append(name)
    if len(found) == 1:
        return next(iter(found))
    parts = [f"{text.removesuffix('.')} ({', '.join(names)})" for text, names in found.items()]
    return f"{'; '.join(parts)}." if any(text.endswith(".") for text in found) else ", ".join(parts)


def _pairs() -> list[str]:
    """Return the table of capabilities and methods, the planned capabilities among them, with its legend."""
    head = ["| capability | " + " | ".join(METHODS) + " |", "|---|" + "---|" * len(METHODS)]
    named = (*CAPABILITIES, *(name for name in capabilities.PLANNED if name not in CAPABILITIES))
    rows = [f"| {name} | " + " | ".join(_pair(name, method) for method in METHODS) + " |" for name in named]
    return [
        *head,
        *rows,
        "",
        PAIRS_LEGEND,
        "",
        *(f"- *{word}*: {why}." for word, why in _refusals(named).items()),
    ]


def _pair(capability: str, method: str) -> str:
    found = refusal(capability, method)
    return str(shared_kind(capability, method)) if found is None else f"*{found.word}*"


def _refusals(named: Iterable[str]) -> dict[str, str]:
    """Return the table's words for what is refused, each with its reason and the nearest pairs that work."""
    legend: dict[str, list[str]] = {}
    for capability, method in product(named, METHODS):
        if (found := refusal(capability, method)) is not None:
            lines = legend.setdefault(found.word, [found.reason])
            if found.nearest:
                lines.append(f"instead of {capability} by {method}, take {capability} by {found.nearest}")
    return {word: "; ".join(lines) for word, lines in legend.items()}


def _verifiers() -> list[str]:
    """Return what each verifier says of itself, with its options."""
    lines: list[str] = []
    for name, module in known_verifiers().items():
        trust = ["", "The recipe must say `trust: local-code`."] if module.NEEDS_TRUST else []
        options = (
            [*HEAD, *_rows(module.Settings)] if module.Settings.model_fields else ["It takes no options."]
        )
        lines += [f"### verifier: {name}", "", *_prose(module.doc), *trust, "", *options, ""]
    return lines


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
    return _escaped(model.model_fields[key].description or "").replace("|", "\\|")


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
        f"{sign} {schema[bound]:g}"
        for bound, sign in signs.items()
        if abs(schema.get(bound, NO_LIMIT)) < NO_LIMIT
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
