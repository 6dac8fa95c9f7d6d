"""Files that are whole or absent: written beside, brought to disk, renamed. Knows nothing of contents."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

FOLDER_TRIES = 100


def at_home(name: str | Path) -> Path:
    """Return a path whose `~` is the user's home; as it stands where that home is nobody's."""
    with contextlib.suppress(RuntimeError):
        return Path(name).expanduser()
    return Path(name)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Ask the kernel to bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sealed(folder: Path) -> dict[str, tuple[int, str]]:
    """Bring every file below a folder to disk; return their sizes in bytes and sha256 by relative path."""
    files = {}
    for path in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
        files[path.relative_to(folder).as_posix()] = (path.stat().st_size, sha256_of(path))
        fsync(path)
    return files


def put_in_place(staged: Path, final: Path) -> None:
    """Give a finished file or folder its name when it is all on disk; a folder of that name is replaced."""
    for path in staged.rglob("*") if staged.is_dir() else ():
        fsync(path)
    fsync(staged)
    shutil.rmtree(final, ignore_errors=True)
    staged.rename(final)
    fsync(final.parent)


def write_atomically(path: Path, text: str, is_durable: bool = True) -> None:
    """Write a text file so that a reader sees the old content or the new, never a part.

    What is `is_durable` is on the disk when this returns; what is not may be older after a power cut.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _opened(temporary) as stream:
        stream.write(text)
        stream.flush()
        if is_durable:
            os.fsync(stream.fileno())
    temporary.replace(path)


def _opened(path: Path) -> TextIO:
    """Open a new file in a folder that need not be there, and that another process may remove while empty.

    Snakemake does, when it clears away an output that another Snakemake is about to write.
    """
    for _ in range(FOLDER_TRIES):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return path.open("w", encoding="utf-8")
    return path.open("w", encoding="utf-8")


def write_json(path: Path, value: Any, is_durable: bool = True) -> None:
    """Write a value as indented JSON, atomically."""
    write_atomically(
        path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", is_durable
    )


def json_line(value: Any) -> bytes:
    """Return a value as a line of JSON; half a character, which UTF-8 cannot write, stays an escape."""
    try:
        return (json.dumps(value, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(value) + "\n").encode()


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write one JSON object a line."""
    with path.open("wb") as stream:
        stream.writelines(json_line(row) for row in rows)


def read_jsonl(path: Path) -> Iterator[Any]:
    """Yield the JSON objects of a file, line by line."""
    with path.open(encoding="utf-8") as stream:
        yield from (json.loads(line) for line in stream)


def bytes_of(folder: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
