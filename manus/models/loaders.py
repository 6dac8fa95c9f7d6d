"""The one door to the loaders of transformers. What lies in a model's folder is data: none of its code runs.

Without a word about it, transformers asks on standard input whether to run a folder's code, and runs it on a
`y`. Knows nothing of what is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manus.errors import ModelError, blamed_on
from manus.models.detection.safetensors_header import INDEX, shards_of
from manus.models.json_files import read_object

NEEDS_CODE = "custom code"  # what transformers says of a folder that it would load only with code from there
NAMES_CODE = "auto_map"  # where a folder names that code
CONFIG = "config.json"
IMPLEMENTATION = "_implementation"  # how the names of such settings end
LAYERS = "layer"  # what the names of numbers of layers hold
MOST_LAYERS = 10_000  # more of them are not built within hours, whatever they are
WEIGHTS = "transformers_weights"
MAY_NAME_CODE = (
    CONFIG,
    "tokenizer_config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
)


def load_from(kind: Any, folder: Path, failed: str, **settings: Any) -> Any:
    """Return `kind.from_pretrained(folder)`, from what lies on this machine, without any code of the folder.

    Args:
        kind: a class of transformers with `from_pretrained`, such as AutoTokenizer.
        folder: of the model.
        failed: what cannot be done when this fails; names the folder.
        settings: passed on.

    Raises:
        ModelError: the folder needs code of its own, or cannot be loaded for whatever other reason.
    """
    with blamed_on(failed, ModelError):
        if (Path(folder) / CONFIG).is_file():
            check_config(Path(folder) / CONFIG)
        if (Path(folder) / INDEX).is_file():
            shards_of(Path(folder) / INDEX)
        try:
            return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **settings)
        except ValueError as error:
            if NEEDS_CODE not in str(error):
                raise
            raise ModelError(
                f"{failed}: {_code_in(folder)} names Python code of its own, which is never run here; "
                "give a model that transformers knows"
            ) from None


def check_config(config: Path) -> None:
    """See to it that a configuration names no kernels of the hub, no weights of other names, no absurd depth.

    Raises:
        ModelError: it does; transformers would run foreign code, load what no digest covers, or build for
            ever.
    """
    held = read_object(config)
    if kernels := sorted({name for name in _implementations(held) if "/" in name}):
        raise ModelError(
            f"{config} names the kernel {kernels[0]!r} of the hub, which is code and never run here; "
            "remove the line"
        )
    if absurd := next(
        ((name, size) for name, size in _sizes(held) if LAYERS in name and size > MOST_LAYERS), None
    ):
        raise ModelError(f"{config} says {absurd[0]}: {absurd[1]:,}; no model has more than {MOST_LAYERS:,}")
    if WEIGHTS in held:
        raise ModelError(
            f"{config} names its weights ({WEIGHTS}); call them model.safetensors and remove the line"
        )


def _implementations(value: Any, is_one: bool = False) -> Iterator[str]:
    """Yield what a configuration, or a part of it, says of how attention and experts are computed."""
    if isinstance(value, str) and is_one:
        yield value
    for name, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _implementations(inner, is_one or str(name).endswith(IMPLEMENTATION))


def _sizes(value: Any) -> Iterator[tuple[str, int]]:
    """Yield all whole numbers that a configuration and its parts name."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, int):
            yield name, inner
        else:
            yield from _sizes(inner)


def build_from(kind: Any, config: Any) -> Any:
    """Return `kind.from_config(config)`: an untrained model, without any code the configuration names."""
    return kind.from_config(config, trust_remote_code=False)


def _code_in(folder: Path) -> str:
    named = [
        name
        for name in MAY_NAME_CODE
        if (folder / name).is_file() and NAMES_CODE in read_object(folder / name)
    ]
    return " and ".join(named) or "the folder"
