"""Finds the files of a local source and says how large their rows are. Reads none of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from manus.data.media.rows import bytes_without_media, metadata_of
from manus.data.settings import DataSettings, Source
from manus.data.sources import hub
from manus.data.sources.compression import is_compressed
from manus.data.sources.formats import BY_ENDING, LOG, bytes_of_rows, format_of
from manus.data.sources.texts import refuse_other_encodings
from manus.errors import DataError, did_you_mean
from manus.files import at_home

# Rows in forms that are not read, which would be passed over among those that are.
OTHER_DATA = frozenset(
    [".ndjson", ".jsonlines", ".arrow", ".feather", ".orc", ".avro", ".xls", ".xlsx", ".pkl"]
)


def data_files(source: Source, beside: Path) -> list[Path]:
    """Return the files of a local source, sorted by name.

    Raises:
        DataError: nothing readable is there.
    """
    assert source.path is not None, "only local sources have files"
    candidates = (at_home(source.path), beside / source.path)
    path = next((candidate for candidate in candidates if candidate.exists()), None)
    if path is None:
        raise DataError(
            f"data {source.path}: no such file or directory, neither here nor beside the recipe in {beside}"
        )
    entries = [] if path.is_file() else [entry for entry in path.rglob("*") if not _is_hidden(entry, path)]
    entries = metadata_of(entries) or entries
    files = [path] if path.is_file() else sorted(entry for entry in entries if _is_data(entry))
    if other := next((entry for entry in sorted(entries) if _is_other_data(entry)), None):
        raise DataError(
            f"data {source.path}: {other.relative_to(path)} in it cannot be read; "
            "save it as .jsonl or .parquet (lower case), or move it away"
        )
    if not files:
        raise DataError(
            f"data {source.path}: the directory holds no file that can be read ({', '.join(BY_ENDING)})"
        )
    for file in files:
        if format_of(file) is None:
            raise DataError(
                f"data {file}: {file.suffix or 'no ending'} is not a known format; "
                f"{did_you_mean(file.suffix, BY_ENDING)}"
            )
        if file.stat().st_size == 0:
            raise DataError(f"data {file}: the file is empty")
        if not is_compressed(file):
            refuse_other_encodings(file)
    return files


def _is_hidden(entry: Path, folder: Path) -> bool:
    """Tell whether a name below a folder begins with a dot: notebooks, editors and copies leave such."""
    return any(part.startswith(".") for part in entry.relative_to(folder).parts)


def _is_other_data(entry: Path) -> bool:
    """Tell whether a file in a folder of data holds rows, by its ending, in a form that is not read."""
    ending = entry.suffix.lower()
    return ending in OTHER_DATA or (ending in BY_ENDING and ending != entry.suffix)


def _is_data(entry: Path) -> bool:
    """Tell whether a file in a folder of data holds rows; what lies among data is likelier a log of them."""
    return format_of(entry) not in (None, LOG)


def bytes_of_files(
    sources: Sequence[Source], beside: Path, from_hub: Iterable[Path] = (), without_media: bool = False
) -> int:
    """Return about how many bytes of rows the local files of a stage hold, with those read from the hub.

    Media that rows only name are never counted; those that stand in them are not counted with
    `without_media`.
    """
    files = [file for source in sources if source.path is not None for file in data_files(source, beside)]
    whole = [file for file in files if not (without_media and file.suffix == ".parquet")]
    size = sum(map(bytes_of_rows, whole))
    size += sum(bytes_without_media(file) for file in files if file not in whole)
    return size + sum(hub.spool_bytes(file, without_media) for file in from_hub)


def is_large(
    sources: Sequence[Source],
    settings: DataSettings,
    beside: Path,
    from_hub: Iterable[Path] = (),
    without_media: bool = False,
) -> bool:
    """Tell whether a stage's data are prepared by number, not in memory: for size, or what only that can do.

    Media are never held in memory where a stage keeps them, and so do not count `without_media`.
    """
    size = bytes_of_files(sources, beside, from_hub, without_media)
    return settings.mix != "epochs" or size > settings.index_above_bytes


def may_be_large(sources: Sequence[Source], settings: DataSettings, beside: Path) -> bool:
    """Tell whether data are likely to be large, before anything is read from the hub."""
    return is_large(sources, settings, beside) or any(hub.is_spooled(source, settings) for source in sources)
