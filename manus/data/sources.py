"""Reads rows from local files, hub data sets and generators, one at a time. Knows nothing of samples or tokens."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from manus.data import generators, hub
from manus.data.media.rows import batch_rows, bytes_without_media, lean, metadata_of
from manus.data.plain_copies import is_compressed, open_compressed
from manus.data.settings import DataSettings, Source
from manus.digests import Digests
from manus.discovery import discovered
from manus.errors import DataError, did_you_mean
from manus.models.base import commit_of, unreachable

DEFAULT_GENERATED_ROWS = 1000
DEFAULT_GENERATED_HELD_OUT = 100
EXPANSION = {".gz": 4, ".zst": 4, ".parquet": 4}  # how much larger rows usually are than their compressed file

BadRow = str
Numbered = tuple[str, dict[str, Any] | BadRow]
Located = tuple[Path, str, dict[str, Any] | BadRow]


def identity(source: Source, beside: Path, digests: Digests, pins: Mapping[str, str]) -> dict[str, Any]:
    """Return what identifies a source's content: digests and settings, never paths.

    Raises:
        DataError: the source is missing or of a kind that cannot be read.
    """
    common = {"columns": source.columns, "weight": source.weight}
    if source.generator is not None:
        module = discovered("manus.data.generators", generators.REQUIRED)[source.generator]
        options = module.Settings(**source.options).model_dump(mode="json")
        made = {"generator": source.generator, "version": module.VERSION, "options": options, "size": source.size}
        return {**made, **common}
    if source.hub is not None:
        commit = pins.get(hub_name(source)) or commit_of("dataset", source.hub, source.revision)
        archives = {"archives": list(source.archives)} if source.archives else {}
        where = {"hub": source.hub, "subset": source.subset, "split": source.split or "train", "commit": commit}
        return {**where, **archives, **common}
    files = data_files(source, beside)
    return {
        "formats": [format_of(path) for path in files],
        "sha256": [digests.of_file(path) for path in files],
        **common,
    }


def hub_name(source: Source) -> str:
    """Return the name under which a plan remembers the commit of a hub data set."""
    return f"data {source.hub}@{source.revision or 'main'}"


def data_files(source: Source, beside: Path) -> list[Path]:
    """Return the files of a local source, sorted by name.

    Raises:
        DataError: nothing readable is there.
    """
    assert source.path is not None, "only local sources have files"
    candidates = (Path(source.path).expanduser(), beside / source.path)
    path = next((candidate for candidate in candidates if candidate.exists()), None)
    if path is None:
        raise DataError(
            f"data {source.path}: no such file or directory, neither here nor beside the recipe in {beside}"
        )
    readable = READERS.keys() - {".log"}  # what lies among data is more likely a log of them
    entries = [] if path.is_file() else list(path.rglob("*"))
    entries = metadata_of(entries) or entries
    files = [path] if path.is_file() else sorted(entry for entry in entries if format_of(entry) in readable)
    if not files:
        raise DataError(f"data {source.path}: the directory holds no file that can be read ({', '.join(READERS)})")
    for file in files:
        if format_of(file) not in READERS:
            raise DataError(
                f"data {file}: {file.suffix or 'no ending'} is not a known format; {did_you_mean(file.suffix, READERS)}"
            )
        if file.stat().st_size == 0:
            raise DataError(f"data {file}: the file is empty")
    return files


def bytes_of_files(
    sources: Sequence[Source], beside: Path, from_hub: Iterable[Path] = (), without_media: bool = False
) -> int:
    """Return about how many bytes of rows the local files of a stage hold, with those that were read from the hub.

    Media that rows only name are never counted; those that stand in them are not counted with `without_media`.
    """
    files = [file for source in sources if source.path is not None for file in data_files(source, beside)]
    whole = [file for file in files if not (without_media and file.suffix == ".parquet")]
    size = sum(file.stat().st_size * EXPANSION.get(file.suffix, 1) for file in whole)
    size += sum(bytes_without_media(file) for file in files if file not in whole)
    return size + sum(hub.spool_bytes(file, without_media) for file in from_hub)


def is_large(
    sources: Sequence[Source], settings: DataSettings, beside: Path, from_hub: Iterable[Path] = (),
    without_media: bool = False,
) -> bool:  # fmt: skip
    """Tell whether a stage's data are prepared by number, not in memory: by their size, or for what only that can do.

    Media are never held in memory where a stage keeps them, and so do not count `without_media`.
    """
    size = bytes_of_files(sources, beside, from_hub, without_media)
    return settings.mix != "epochs" or size > settings.index_above_bytes


def may_be_large(sources: Sequence[Source], settings: DataSettings, beside: Path) -> bool:
    """Tell whether data are likely to be large, before anything is read from the hub."""
    return is_large(sources, settings, beside) or any(hub.is_spooled(source, settings) for source in sources)


def rows(source: Source, beside: Path, count: int, seed: int, held_out: bool) -> Iterator[Numbered]:
    """Yield where each row stands and the row, or the reason why it is none; as `located_rows`, without folders."""
    for _, place, row in located_rows(source, beside, count, seed, held_out):
        yield place, row


def located_rows(source: Source, beside: Path, count: int, seed: int, held_out: bool) -> Iterator[Located]:
    """Yield the folder that a row's relative paths start from, where the row stands, and the row or why it is none.

    Args:
        count: how many rows a generator makes. A hub data set is shuffled (in a buffer) when there is a
            count, because it is then read only so far; 0 reads it in order. Files give all they have.
        seed: where generators and the shuffle start.
        held_out: only a generator tells the two apart, and draws from other templates.
    """
    if source.generator is not None:
        module = discovered("manus.data.generators", generators.REQUIRED)[source.generator]
        made = module.rows(count, seed, held_out, module.Settings(**source.options))
        located: Iterator[Located] = ((beside, f"{source.title} row {index}", row) for index, row in enumerate(made, 1))
    elif source.hub is not None:
        located = ((beside, place, row) for place, row in _hub_rows(source, count, seed))
    else:
        located = (
            (file.parent, f"{file.name} {place}", row)
            for file in data_files(source, beside)
            for place, row in READERS[format_of(file)](file)
        )
    for folder, place, row in located:
        yield folder, place, renamed(row, source.columns) if isinstance(row, dict) else row


def renamed(row: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    """Return a row with the columns that we know under our names."""
    if not columns:
        return row
    kept = {name: value for name, value in row.items() if name not in columns.values()}
    return kept | {ours: row[theirs] for ours, theirs in columns.items() if theirs in row}


def _hub_rows(source: Source, count: int, seed: int) -> Iterator[Numbered]:
    try:
        stream = hub.open_stream(source)
        if count:
            stream = stream.shuffle(seed=seed, buffer_size=hub.shuffle_rows(stream))
        for index, row in enumerate(stream, 1):
            yield f"{source.hub} row {index}", dict(row)
    except (ValueError, *unreachable()) as error:  # type: ignore[misc]
        raise hub.refused(str(source.hub), error) from None


def format_of(path: Path) -> str:
    """Return the ending that tells a file's format, with the ending of a compression."""
    return "".join(path.suffixes[-2:]) if is_compressed(path) else path.suffix


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="strict")
    if path.suffix == ".zst":
        return io.TextIOWrapper(open_compressed(path.open("rb"), path), encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _read_jsonl(path: Path) -> Iterator[Numbered]:
    with _open(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield f"line {number}", parsed(line)


def parsed(line: str) -> dict[str, Any] | BadRow:
    """Return the object on a line of JSON, or why there is none."""
    try:
        value = json.loads(line)
    except ValueError as error:
        return f"not valid JSON: {error}"
    return value if isinstance(value, dict) else f"a JSON {type(value).__name__}, not an object"


def _read_json(path: Path) -> Iterator[Numbered]:
    with _open(path) as stream:
        text = stream.read()
    try:
        value = json.loads(text)
    except ValueError:
        yield from _read_jsonl(path)
        return
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if len(lists) == 1 and len(value) <= 3 else [value]
    for number, row in enumerate(value, 1):
        yield f"item {number}", row if isinstance(row, dict) else f"a JSON {type(row).__name__}, not an object"


def _read_table(path: Path) -> Iterator[Numbered]:
    csv.field_size_limit(sys.maxsize)
    with _open(path) as stream:
        for number, row in enumerate(csv.DictReader(stream, delimiter="\t" if ".tsv" in path.suffixes else ","), 2):
            if None in row or None in row.values():
                yield f"row {number}", "has another number of fields than the header"
            else:
                yield f"row {number}", {name: value for name, value in row.items() if value != ""}


def _read_parquet(path: Path) -> Iterator[Numbered]:
    import pyarrow
    from pyarrow import parquet

    try:
        number = 0
        with parquet.ParquetFile(path, **lean(parquet.read_metadata(path))) as file:
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(batch_rows(file.metadata), row_groups=[group]):
                    for row in batch.to_pylist():
                        number += 1
                        yield f"row {number}", row
    except pyarrow.ArrowException as error:
        raise DataError(f"data {path}: not a readable Parquet file: {error}") from None


def _read_text(path: Path) -> Iterator[Numbered]:
    with _open(path) as stream:
        yield "whole file", {"text": stream.read()}


READERS: dict[str, Callable[[Path], Iterator[Numbered]]] = {
    ".jsonl": _read_jsonl, ".jsonl.gz": _read_jsonl, ".jsonl.zst": _read_jsonl,
    ".json": _read_json, ".json.gz": _read_json, ".json.zst": _read_json,
    ".csv": _read_table, ".csv.gz": _read_table, ".csv.zst": _read_table, ".tsv": _read_table, ".tsv.gz": _read_table,
    ".parquet": _read_parquet,
    ".txt": _read_text, ".txt.gz": _read_text, ".txt.zst": _read_text, ".log": _read_text, ".md": _read_text,
}  # fmt: skip
