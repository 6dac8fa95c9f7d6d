"""Private names of the libraries that we build on: all that we use are listed here, and are still there.

A library may change them in any version. After an upgrade this test says which are gone, and what we need
them for.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from manus.models.detection import transformers_source

ROOT = Path(__file__).parents[2]
LIBRARIES = ("transformers", "trl", "peft", "accelerate", "datasets")
STANDARD = {"_exit", "_replace"}  # of `os`, and of named tuples

# Where a library has them, as module:Class; what is used of it, and what for.
FOREIGN_NAMES = {
    "transformers.trainer:Trainer": {
        "_maybe_log_save_evaluate": "where an optimizer step has just ended: the safe point",
        "_save_checkpoint": "writes weights, optimizer, schedule and random states",
        "_get_output_dir": "where it writes them: into a staging folder",
        "_tr_loss": "losses that are summed and not yet logged, for an exact log after a kill",
        "_globalstep_last_logged": "since when they are",
        "_prepare_inputs": "where methods that draw their own answers make a batch",
        "_get_train_sampler": "the order of ppo's minibatches",
    },
    "transformers.training_args:TrainingArguments": {
        "_n_gpu": "one GPU for each process: Trainer would else split flat rows over all that it sees",
    },
    "transformers.configuration_utils:PreTrainedConfig": {
        "_attn_implementation": "which attention a model has, to put it back after a proof",
    },
    "transformers.modeling_utils:PreTrainedModel": {
        "_init_weights": "fresh projectors",
        "_keys_to_ignore_on_load_missing": "encoders that a checkpoint only refers to",
        "_keys_to_ignore_on_save": "likewise",
        "_skip_keys_device_placement": "declared by every model class",
        "_supports_attention_backend": "likewise",
        "_supports_flash_attn": "likewise",
        "_supports_flex_attn": "likewise",
        "_supports_sdpa": "likewise",
    },
    "transformers.generation.utils:GenerationMixin": {
        "_is_stateful": "whether the language model inside can go back in its cache",
        "_expand_inputs_for_generation": "media are repeated with the rows of beams",
        "_prepare_position_ids_for_generation": (
            "positions as `generate` has them, in three directions where there are media"
        ),
        "_supports_default_dynamic_cache": "whether a family takes transformers' own cache",
        "_update_model_kwargs_for_generation": "what goes from step to step where a cache is not looked into",
    },
    "transformers.processing_utils:ProcessorMixin": {
        "_get_arguments_from_pretrained": "a processor without its part for video, which needs torchvision",
    },
    "peft:LoraConfig": {"_register_custom_module": "our own linear layer in place of PEFT's"},
    "trl.trainer.dpo_trainer:DPOTrainer": {
        "_metrics": "what was measured since the last log, for an exact log after a kill",
        "_total_train_tokens": "likewise",
        "_prepare_dataset": "would tokenise what the data stage has tokenised",
    },
    "trl.trainer.grpo_trainer:GRPOTrainer": {
        "_metrics": "what was measured since the last log",
        "_compute_loss": "where the tokens of a batch are counted",
        "_buffered_inputs": "answers that are not used up when a run is stopped",
        "_step": "where in them it is",
    },
    "trl.trainer.reward_trainer:RewardTrainer": {
        "_metrics": "what was measured since the last log",
        "_total_train_tokens": "likewise",
        "_prepare_dataset": "would tokenise what the data stage has tokenised",
    },
    "trl.experimental.orpo.orpo_trainer:ORPOTrainer": {
        "_stored_metrics": "what was measured since the last log"
    },
}
LISTED = [(where, name) for where, names in FOREIGN_NAMES.items() for name in names]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


@cache
def trees() -> dict[str, ast.Module]:
    """All modules of ours, parsed, by their names."""
    paths = sorted((ROOT / "manus").rglob("*.py"))
    names = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths]
    return {name: ast.parse(path.read_text()) for name, path in zip(names, paths, strict=True)}


@cache
def own_names() -> set[str]:
    """What our code calls by private names: modules, functions, classes, variables, attributes of `self`."""
    found = {module.rpartition(".")[2] for module in trees()}
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found |= {node.attr} if ast.unparse(node.value) == "self" else set()
    return found


def private_names(tree: ast.AST) -> set[str]:
    """Private names that code asks others for, defines, or imports from a library."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            found |= {*(alias.name for alias in node.names), *(node.module or "").split(".")}
    return {name for name in found if is_private(name)}


def source_of(made: type[Any]) -> str:
    """The source of the files that define a class and what it descends from, as far as a library has them."""
    foreign = [base for base in made.__mro__ if base.__module__.split(".")[0] in LIBRARIES]
    files = {inspect.getsourcefile(base) for base in foreign}
    return "\n".join(Path(file).read_text() for file in files if file)


def descendants(module: str) -> Iterator[tuple[ast.ClassDef, str]]:
    """The classes of a module that descend from a library's, with the source of what they descend from.

    A class that is mixed in shares the names of those that it is mixed with.
    """
    nodes = [node for node in trees()[module].body if isinstance(node, ast.ClassDef) and node.bases]
    if not nodes or not any(
        library in ast.unparse(trees()[module]) for library in (*LIBRARIES, "training.loop")
    ):
        return
    classes = [getattr(importlib.import_module(module), node.name) for node in nodes]
    for node, made in zip(nodes, classes, strict=True):
        source = "\n".join(source_of(other) for other in classes if made in other.__mro__)
        if source.strip():
            yield node, source


@cache
def used() -> dict[str, set[str]]:
    """Every private name of a library that our code uses, with the modules that do.

    A name is a library's if nothing of ours has it, or if a class of ours that descends from a library's
    shares it.
    """
    found: dict[str, set[str]] = {}
    for module, tree in trees().items():
        names = private_names(tree) - own_names() - STANDARD
        for node, source in descendants(module):
            names |= {name for name in private_names(node) if re.search(rf"\b{name}\b", source)}
        for name in names:
            found.setdefault(name, set()).add(module)
    return found


def test_every_private_name_of_a_library_that_we_use_is_listed() -> None:
    listed = {name for _, name in LISTED}
    assert len(used()) > 10
    assert {name: modules for name, modules in used().items() if name not in listed} == {}
    assert sorted(listed - used().keys()) == [], "no longer used: remove them here"


@pytest.mark.parametrize(("where", "name"), LISTED)
def test_a_listed_name_is_still_there(where: str, name: str) -> None:
    module, _, made = where.partition(":")
    found = getattr(importlib.import_module(module), made)
    is_there = hasattr(found, name) or re.search(
        rf"\bself\.{name}\b|^    {name}\b", source_of(found), re.MULTILINE
    )
    assert is_there, f"{where} has no {name} any more; we need it for: {FOREIGN_NAMES[where][name]}"


# transformers' source text is read by `source_class` and `transformers_source` alone.

READERS = {"manus.models.detection.source_class", "manus.models.detection.transformers_source"}


def test_the_source_of_transformers_is_read_in_one_place() -> None:
    readers = {
        module
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "package"
    }
    assert readers == READERS


def test_every_table_of_transformers_that_we_name_is_found_in_its_source() -> None:
    words = [
        node.value
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    named = {word for word in words if re.fullmatch(r"[A-Z_]+_MAPPING_NAMES", word)}
    assert len(named) > 4
    assert {name for name in named if not transformers_source.tables().get(name)} == set()
