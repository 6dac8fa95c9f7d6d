"""Says what identifies a source's content: digests and settings, never paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manus.data.generators import known_generators
from manus.data.settings import Source
from manus.data.sources.files import data_files
from manus.data.sources.formats import ending_of
from manus.errors import DataError
from manus.hub import commit_of
from manus.store.digests import Digests


def identity(source: Source, beside: Path, digests: Digests, pins: Mapping[str, str]) -> dict[str, Any]:
    """Return what identifies a source's content: digests and settings, never paths.

    Raises:
        DataError: the source is missing or of a kind that cannot be read.
    """
    common: dict[str, Any] = {"columns": source.columns, "weight": source.weight}
    if source.ignore:
        common["ignore"] = sorted(source.ignore)
    if source.generator is not None:
        module = known_generators()[source.generator]
        options = module.Settings(**source.options).model_dump(mode="json")
        made = {
            "generator": source.generator,
            "version": module.VERSION,
            "options": options,
            "size": source.size,
        }
        return {**made, **common}
    if source.hub is not None:
        commit = pins.get(hub_name(source)) or commit_of("dataset", source.hub, source.revision)
        archives = {"archives": list(source.archives)} if source.archives else {}
        where = {
            "hub": source.hub,
            "subset": source.subset,
            "split": source.split or "train",
            "commit": commit,
        }
        return {**where, **archives, **common}
    files = data_files(source, beside)
    found = digests.of_each(
        f"data {source.path} of {beside.resolve()}", {str(path): str(path) for path in files}
    )
    if gone := [path for path in files if str(path) not in found]:
        raise DataError(f"data {gone[0]}: no file, or no longer there")
    return {
        "formats": [ending_of(path) for path in files],
        "sha256": [found[str(path)] for path in files],
        **common,
    }


def hub_name(source: Source) -> str:
    """Return the name under which a plan remembers the commit of a hub data set."""
    return f"data {source.hub}@{source.revision or 'main'}"
