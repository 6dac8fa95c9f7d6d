"""Media of hub rows are found in archives beside the rows; rows without theirs are left out and told."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest

from manus.data.media.files import MediaFiles
from manus.data.prepared.samples import PreparedSamples
from manus.data.settings import Source
from manus.data.sources.archives import Archives
from manus.data.sources.hub_archives import downloaded
from manus.errors import DataError
from manus.files import read_jsonl
from manus.store.digests import Digests
from tests.unit.data.media.corpus import encoded, noise
from tests.unit.data.preparation.test_media_intake import answer_in, prepared

ROWS = 40
ARCHIVED = range(0, ROWS, 2)  # pictures that are in an archive


def picture(number: int) -> bytes:
    return encoded(noise(20, 20, number), "PNG")


def tar_of(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    content = tar_of(files)
    if path.suffix == ".gz":
        content = gzip.compress(content)
    elif path.suffix == ".zst":
        content = pyarrow.compress(content, codec="zstd", asbytes=True)
    path.write_bytes(content)
    return path


def opened(*files: Path) -> Archives:
    return Archives(files, Digests(), files[0].parent / "cache")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a data set's files are; its rows name pictures by their paths."""
    from fnmatch import fnmatch

    from datasets import Dataset

    data = {
        "image": [f"seen/{n}.png" for n in range(ROWS)],
        "question": ["Which one?"] * ROWS,
        "answer": [str(n) for n in range(ROWS)],
    }
    monkeypatch.setattr(
        "datasets.load_dataset", lambda *_, **__: Dataset.from_dict(data).to_iterable_dataset()
    )
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    snapshot, everything = tmp_path / "snapshot", tmp_path / "hub"

    def fetched(repository: str, *, repo_type: str, revision: str | None, allow_patterns: list[str]) -> str:
        assert (repository, repo_type, revision) == ("owner/name", "dataset", "v1")
        snapshot.mkdir(exist_ok=True)
        for file in everything.rglob("*.*"):
            name = file.relative_to(everything).as_posix()
            if any(fnmatch(name, pattern) for pattern in allow_patterns):
                (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
                (snapshot / name).write_bytes(file.read_bytes())
        return str(snapshot)

    def names(self: Any, repository: str, *, repo_type: str, revision: str | None) -> list[str]:
        return sorted(file.relative_to(everything).as_posix() for file in everything.rglob("*.*"))

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", names)
    return everything


def source(*archives: str) -> Source:
    return Source(hub="owner/name", revision="v1", archives=archives)


@pytest.mark.parametrize("sample_size", [0, 12])
@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.zst", "zip"])
def test_rows_get_the_pictures_that_are_in_archives(
    hub: Path, ending: str, sample_size: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    some, others = ARCHIVED[:10], ARCHIVED[10:]
    write_archive(hub / f"sub/pictures_1.{ending}", {f"./seen/{n}.png": picture(n) for n in some})
    write_archive(hub / f"sub/pictures_2.{ending}", {f"seen/{n}.png": picture(n) for n in others})
    write_archive(hub / f"sub/not_wanted.{ending}", {"seen/1.png": picture(1)})
    told = prepared(tmp_path, source(f"sub/pictures_*.{ending}"), sample_size=sample_size)
    samples, files = PreparedSamples(tmp_path / "out"), MediaFiles(tmp_path / "out")
    assert told["train_samples"] == (sample_size or len(ARCHIVED) - 5) and told["quarantined"] == 0
    for place in range(len(samples)):
        answer = answer_in(samples[place])
        assert answer in ARCHIVED
        assert np.array_equal(files.image(samples.media_of(place)[0]), noise(20, 20, answer))
    printed = "".join(capfd.readouterr())
    assert f"20 media in pictures_1.{ending}, pictures_2.{ending}" in printed
    assert "left out 20 rows" in printed


def test_archives_without_any_of_the_media_say_what_rows_name(hub: Path, tmp_path: Path) -> None:
    write_archive(hub / "a.tar", {"seen/other.png": picture(0)})
    with pytest.raises(DataError, match=r"no row's media are in a\.tar; one names 'seen/0\.png'"):
        prepared(tmp_path, source("a.tar"))


def test_names_that_fit_nothing_are_answered_with_those_that_are_there(hub: Path) -> None:
    write_archive(hub / "clips/part_1.tar.gz", {"seen/0.png": picture(0)})
    said = r"^data owner/name: archives part_9\.tar\.gz fit none of its files; it has clips/part_1\.tar\.gz$"
    with pytest.raises(DataError, match=said):
        downloaded(source("part_9.tar.gz"))


def test_a_star_stands_for_folders_too_as_in_what_is_downloaded(hub: Path) -> None:
    write_archive(hub / "clips/part_1.tar.gz", {"seen/0.png": picture(0)})
    write_archive(hub / "clips/other.tar.gz", {"seen/0.png": picture(0)})
    assert [file.name for file in downloaded(source("*part_1.tar.gz"))] == ["part_1.tar.gz"]
    assert [file.name for file in downloaded(source("clips/*.tar.gz"))] == ["other.tar.gz", "part_1.tar.gz"]


def test_a_hub_out_of_reach_is_said(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> str:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(DataError, match="owner/name: cannot be read from the hub: OSError: no network"):
        downloaded(source("a.tar"))


def test_a_damaged_file_costs_its_rows_alone(hub: Path, tmp_path: Path) -> None:
    path = write_archive(hub / "a.zip", {f"seen/{n}.png": picture(n) for n in ARCHIVED})
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        damaged = archive.getinfo("seen/4.png").header_offset + 200
    content[damaged : damaged + 8] = bytes(8)
    path.write_bytes(content)
    told = prepared(tmp_path, source("a.zip"), failure_budget=0.5)
    assert told["quarantined"] == 1 and told["train_samples"] == len(ARCHIVED) - 6
    (row,) = read_jsonl(tmp_path / "out" / "quarantine.jsonl")
    assert "seen/4.png in a.zip: cannot be read" in row["reason"]


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
def test_a_torn_archive_is_refused(ending: str, tmp_path: Path) -> None:
    path = write_archive(tmp_path / f"a.{ending}", {f"{n}.png": picture(n) for n in range(8)})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"whole\?"):
        opened(path)


def test_folders_that_only_one_side_knows_are_passed_over_where_one_file_is_left(tmp_path: Path) -> None:
    first = write_archive(tmp_path / "a.tar", {"clips/x/1.mp4": b"1", "clips/2.mp4": b"2", "notes.txt": b""})
    second = write_archive(tmp_path / "b.zip", {"x/2.mp4": b"3"})
    archives = opened(first, second)

    def found(path: str) -> bytes | None:
        member = archives.find(path)
        return archives.read(member) if member else None

    assert len(archives) == 3
    assert found("x/1.mp4") == found("1.mp4") == found("all/clips/x/1.mp4") == b"1"
    assert found("clips/2.mp4") == b"2" and found("/x/2.mp4") == b"3"
    assert (
        found("2.mp4") is None
        and found("y/1.mp4") is None
        and found("") is None
        and found("notes.txt") is None
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"path": "rows.jsonl", "archives": ["a.tar"]}, "archives belong to a hub source"),
        ({"hub": "a/b", "archives": ["a.rar"]}, r"a\.rar: an archive's name ends in \.tar, \.tar\.gz"),
    ],
)
def test_what_cannot_be_is_refused_with_the_recipe(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Source(**given)
