"""What identifies media that rows only name: their content, so that another picture makes other data."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manus.data.media.references import kind_of_file
from manus.data.media.rows import columns_without_media
from manus.data.settings import Source
from manus.data.sources.files import data_files
from manus.data.sources.formats import ending_of
from manus.data.sources.rows import rows_in
from manus.store.digests import Digests
from manus.store.keys import key_of

LONGEST_PATH = 4096
REMEMBER_NAMES_FROM_BYTES = 250_000


def media_identity(source: Source, beside: Path, digests: Digests) -> dict[str, Any]:
    """Return what to add to a source's `identity` for media files that its rows name; nothing if none.

    A file that is missing does not count: its row is refused when it is read.

    Raises:
        DataError: the source is missing or of a kind that cannot be read.
    """
    if source.path is None:
        return {}
    found: dict[str, str] = {}
    for number, file in enumerate(data_files(source, beside)):
        for name, digest in _digests_of_named(file, digests).items():
            # Files in several folders may call different media by one name.
            is_other = found.setdefault(name, digest) != digest
            if is_other:
                found[f"{number}:{name}"] = digest
    return {"media": key_of(found), "media_files": len(found)} if found else {}


def _digests_of_named(file: Path, digests: Digests) -> dict[str, str]:
    """Return the digests of the media that a file's rows name, as far as they are there."""
    where = file.resolve()
    if file.stat().st_size < REMEMBER_NAMES_FROM_BYTES:
        names = list(dict.fromkeys(_named_in(file)))
    else:
        names = digests.recalled(
            f"names in {where}", digests.of_file(file), lambda: list(dict.fromkeys(_named_in(file)))
        )
    folder = os.fspath(file.parent)
    return digests.of_each(f"media of {where}", {name: _path_of(name, folder) for name in names})


def _path_of(name: str, folder: str) -> str:
    """Return the path of what a row names; in text: a Path takes ten times as long for each of many media."""
    return os.path.join(folder, os.path.expanduser(name.removeprefix("file://")))  # noqa: PTH111, PTH118


def _named_in(file: Path) -> Iterator[str]:
    """Yield every text in a file's rows that ends as a media file does."""
    if ending_of(file) == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(columns=columns_without_media(table.metadata)):
                yield from (name for row in batch.to_pylist() for name in _texts(row))
        return
    for _, row in rows_in(file):
        yield from _texts(row)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) < LONGEST_PATH and kind_of_file(value):
            yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
