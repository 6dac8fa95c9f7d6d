"""Gives rows of a hub data set the media that they only name, from archives beside the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manus.data.media.references import COLUMNS, read_reference
from manus.data.sample import MediumKind, RowError
from manus.data.settings import ARCHIVE_ENDINGS, Source
from manus.data.sources.archives import Archives
from manus.data.sources.cache import cache_folder
from manus.data.sources.hub import refused
from manus.data.sources.rows import Located
from manus.errors import DataError
from manus.guards.ranks import say
from manus.hub import unreachable
from manus.store.digests import Digests


@dataclass
class Missing:
    """How many rows got their media from archives, how many were left out, and a path that one names."""

    given: int = 0
    left_out: int = 0
    named: str = ""

    def add_all(self, other: Missing) -> None:
        """Count what another has counted, too."""
        self.given, self.left_out = self.given + other.given, self.left_out + other.left_out
        self.named = self.named or other.named

    def tell(self, source: Source) -> None:
        """Say how many rows were left out."""
        if self.left_out:
            say(f"{source.hub}: left out {self.left_out:,} rows whose media are in none of these archives")

    def check(self, source: Source) -> None:
        """Refuse a source of which all rows were left out.

        Raises:
            DataError: they were.
        """
        if self.left_out and not self.given:
            raise DataError(
                f"data {source.hub}: no row's media are in {', '.join(source.archives)}; "
                f"one names {self.named!r}"
            )


def archives_of(source: Source) -> Archives | None:
    """Return a source's archives, downloaded unless they are here; None where it names none.

    Raises:
        DataError: one is not to be had, or torn.
    """
    if not source.archives:
        return None
    files, digests = downloaded(source), Digests()
    archives = Archives(files, digests, cache_folder())
    digests.save()
    say(f"{source.hub}: {len(archives):,} media in {', '.join(file.name for file in files)}")
    return archives


def filled(located: Iterator[Located], archives: Archives | None, missing: Missing) -> Iterator[Located]:
    """Yield rows with the bytes of the media that they name; rows whose media are in no archive are left out.

    Args:
        located: the rows.
        archives: with the media; None: rows come as they are.
        missing: counts.
    """
    if archives is None:
        yield from located
        return
    for one in located:
        try:
            row = one.row if isinstance(one.row, str) else _filled(one.row, archives)
        except _NotHere as absent:
            missing.left_out, missing.named = missing.left_out + 1, missing.named or str(absent)
            continue
        except RowError as error:
            row = str(error)
        missing.given += 1
        yield one._replace(row=row)


def with_archived_media(source: Source, located: Iterator[Located]) -> Iterator[Located]:
    """Yield a source's rows with the bytes of the media they name; tell at the end how many were left out.

    Raises:
        DataError: an archive is not to be had, or there are rows and all of them were left out.
    """
    archives, missing = archives_of(source), Missing()
    try:
        yield from filled(located, archives, missing)
    finally:
        missing.tell(source)
    missing.check(source)


def downloaded(source: Source) -> list[Path]:
    """Return a data set's archives, downloaded unless they are here.

    Raises:
        DataError: the hub gives no answer, or has none of these names.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]

    assert source.hub is not None, "only hub data sets have archives"
    wanted, revision = list(source.archives), source.revision
    try:
        folder = Path(
            snapshot_download(source.hub, repo_type="dataset", revision=revision, allow_patterns=wanted)
        )
        here = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        found = [folder / name for name in filter_repo_objects(here, allow_patterns=wanted)]
        there = [] if found else HfApi().list_repo_files(source.hub, repo_type="dataset", revision=revision)
    except (ValueError, *unreachable()) as error:  # type: ignore[misc]
        raise refused(source.hub, error) from None
    if not found:
        archives = [name for name in there if name.endswith(ARCHIVE_ENDINGS)]
        raise DataError(
            f"data {source.hub}: archives {', '.join(wanted)} fit none of its files; "
            f"it has {', '.join(archives[:8]) or 'no archive'}{', ...' if len(archives) > 8 else ''}"
        )
    return found


class _NotHere(Exception):
    """A medium is in no archive; says its path."""


def _filled(row: Mapping[str, Any], archives: Archives) -> dict[str, Any]:
    """Return a row with the bytes of its media.

    Raises:
        _NotHere: one of them is in no archive.
        RowError: one cannot be read.
    """
    filled = dict(row)
    for kind, columns in COLUMNS.items():
        for column in columns:
            value = row.get(column)
            if isinstance(value, list | tuple):
                filled[column] = [_with_bytes(one, kind, archives) for one in value]
            elif value is not None:
                filled[column] = _with_bytes(value, kind, archives)
    return filled


def _with_bytes(value: Any, kind: MediumKind, archives: Archives) -> Any:
    if value is None or (path := read_reference(value, kind).get("file")) is None:
        return value
    member = archives.find(path)
    if member is None:
        raise _NotHere(path)
    part = value if isinstance(value, Mapping) else {}
    return {**part, "path": path, "bytes": archives.read(member)}
