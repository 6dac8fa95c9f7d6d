"""Looks up what the installed transformers says of a model type, in the source of auto tables and classes.

Knows nothing of modalities.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manus.models.detection.source_class import SourceClass, blocks, literal, package, read_class

_AUTO_FILES = (
    "auto_mappings",
    "configuration_auto",
    "processing_auto",
    "feature_extraction_auto",
    "image_processing_auto",
    "video_processing_auto",
    "modeling_auto",
)
_MODULE_NAMES = "SPECIAL_MODEL_TYPE_TO_MODULE_NAME"
Table = dict[str, Any]


@dataclass(frozen=True)
class SubConfig:
    """One part of a composite configuration: its slot, its default type, and whether it may be missing."""

    slot: str
    config_class: str
    model_type: str | None
    optional: bool


def version() -> str:
    """Return the version of the installed transformers."""
    return importlib.metadata.version("transformers")


@functools.cache
def tables() -> dict[str, Table]:
    """Return transformers' auto tables by name (`MODEL_FOR_CTC_MAPPING_NAMES`, ...), each by model type."""
    known: dict[str, Table] = {}
    for name in _AUTO_FILES:
        tree = ast.parse((package() / "models" / "auto" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                target = node.targets[0].id
                if target.endswith("_NAMES") or target == _MODULE_NAMES:
                    known[target] = _table(node.value, known)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if node.func.attr == "update" and isinstance(owner, ast.Name) and owner.id in known:
                    known[owner.id].update(_table(node.args[0], known))
    return known


@functools.cache
def model_types() -> dict[str, str]:
    """Return every model type that transformers knows, with the name of its configuration class."""
    return tables()["CONFIG_MAPPING_NAMES"]


@functools.cache
def filed_under(model_type: str) -> dict[str, tuple[str, ...]]:
    """Return the model classes of a model type, each with the names of the tables that list it."""
    filed: dict[str, tuple[str, ...]] = {}
    for table, rows in tables().items():
        if table.startswith("MODEL_") and model_type in rows:
            classes = rows[model_type]
            for name in (classes,) if isinstance(classes, str) else classes:
                filed[name] = (*filed.get(name, ()), table)
    return filed


def modeling_files(model_type: str) -> list[Path]:
    """Return the files that define the model classes of a type."""
    return sorted(_folder(model_type).glob("modeling_*.py"))


@functools.cache
def dictionary(file: Path, name: str) -> dict[str, Any]:
    """Return a dictionary of literals that a file of transformers assigns to a name; else empty."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == name
        ):
            return dict(literal(node.value) or {})
    return {}


@functools.cache
def model_class(name: str, model_type: str) -> SourceClass | None:
    """Return a model class by name, sought first beside the model type, then where other types list it."""
    folders = [_folder(model_type), *(_folder(other) for other in _listed_by().get(name, ()))]
    for folder in dict.fromkeys(folders):
        for file in sorted(folder.glob("modeling_*.py")):
            classes, imports = blocks(file)
            if name in classes or name in imports:
                return read_class(file, name)
    return None


@functools.cache
def configured_classes(model_type: str, word: str = "") -> tuple[str, ...]:
    """Return the classes that say `config: <the type's configuration class>`, in a table or not.

    `word` keeps those that mention it where they are defined, such as a base class.
    """
    wanted = model_types()[model_type]
    names = []
    for file in modeling_files(model_type):
        for name, source in blocks(file)[0].items():
            header = source.partition(":")[0]
            is_layer = "(nn." in header or "Layer)" in header or "Output)" in header
            if word in header and not is_layer and read_class(file, name).annotation("config") == wanted:
                names.append(name)
    return tuple(names)


@functools.cache
def owners(model_type: str) -> tuple[tuple[str, str], ...]:
    """Return the composite model types that this one is a part of, each with the slot it fills."""
    return tuple(
        (owner, part.slot)
        for owner in model_types()
        if owner != model_type and _folder(owner) == _folder(model_type)
        for part in sub_configs(owner)
        if part.model_type == model_type
    )


@functools.cache
def config_class(model_type: str) -> SourceClass | None:
    """Return the configuration class of a model type."""
    return _config_class_named(model_types()[model_type], _folder(model_type))


def sub_configs(model_type: str) -> tuple[SubConfig, ...]:
    """Return the parts of a composite configuration, as its `sub_configs_defaults` declares them."""
    source = config_class(model_type)
    declared = source.value("sub_configs_defaults") if source else None
    if not isinstance(declared, ast.Dict):
        return ()
    parts = []
    for key, spec in zip(declared.keys, declared.values, strict=True):
        given: dict[str, ast.expr] = {}
        if isinstance(spec, ast.Call):
            given = dict(
                zip(("config_class", "model_type", "init_kwargs", "optional"), spec.args, strict=False)
            )
            given |= {keyword.arg: keyword.value for keyword in spec.keywords if keyword.arg}
            spec = given["config_class"]
        part_type = literal(given.get("model_type")) or _type_of_config().get(ast.unparse(spec))
        parts.append(
            SubConfig(literal(key), ast.unparse(spec), part_type, bool(literal(given.get("optional"))))
        )
    return tuple(parts)


@functools.cache
def processor_parts(model_type: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the processor class of a model type and its constructor's parts, such as `video_processor`."""
    name = tables()["PROCESSOR_MAPPING_NAMES"].get(model_type)
    for owner in (model_type, *_owners(name)) if name else ():
        for file in sorted(_folder(owner).glob("processing_*.py")):
            if name in blocks(file)[0]:
                return name, read_class(file, name).parameters("__init__") or ()
    return name, ()


def _folder(model_type: str) -> Path:
    name: str = tables()[_MODULE_NAMES].get(model_type, model_type.replace("-", "_"))
    return package() / "models" / name


@functools.cache
def _listed_by() -> dict[str, tuple[str, ...]]:
    listed: dict[str, tuple[str, ...]] = {}
    for model_type in model_types():
        for name in filed_under(model_type):
            listed[name] = (*listed.get(name, ()), model_type)
    return listed


def _owners(processor: str) -> tuple[str, ...]:
    return tuple(t for t, name in tables()["PROCESSOR_MAPPING_NAMES"].items() if name == processor)


@functools.cache
def _type_of_config() -> dict[str, str]:
    return {name: model_type for model_type, name in reversed(model_types().items())}


def _config_class_named(name: str, folder: Path) -> SourceClass | None:
    for file in sorted(folder.glob("configuration_*.py")):
        classes, imports = blocks(file)
        if name in classes or name in imports:
            return read_class(file, name)
    return None


def _table(node: ast.expr, known: dict[str, Table]) -> Table:
    """Evaluate the few forms in which transformers writes its tables: pairs, dicts, names, nests of them."""
    if isinstance(node, ast.Name):
        return dict(known.get(node.id, {}))
    if isinstance(node, ast.Dict):
        return {literal(key): literal(value) for key, value in zip(node.keys, node.values, strict=True)}
    rows: Table = {}
    if isinstance(node, ast.List | ast.Tuple):
        for element in node.elts:
            if isinstance(element, ast.Starred):
                for name in ast.walk(element):
                    rows |= _table(name, known) if isinstance(name, ast.Name) else {}
            elif isinstance(element, ast.Tuple):
                rows[literal(element.elts[0])] = literal(element.elts[1])
    elif isinstance(node, ast.Call):
        for argument in (*node.args, *(keyword.value for keyword in node.keywords if keyword.arg is None)):
            rows |= _table(argument, known)
    return rows


def checkpoint_conversions() -> dict[str, Any]:
    """Return by which rules transformers renames the checkpoints of a model type."""
    return dictionary(package() / "conversion_mapping.py", "_MODEL_TO_CONVERSION_PATTERN")
