"""What ends a text is a token, or the folder is refused before anything is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from manus.errors import ModelError
from manus.models.base import find_base
from manus.models.generation_file import GENERATION, ends_of_texts, generation_settings
from manus.store.digests import Digests


@pytest.mark.parametrize(
    ("said", "ends"), [({}, []), ({"eos_token_id": 3}, [3]), ({"eos_token_id": [3, 4]}, [3, 4])]
)
def test_what_ends_a_text(tmp_path: Path, said: dict[str, Any], ends: list[int]) -> None:
    assert generation_settings(tmp_path) == {}
    (tmp_path / GENERATION).write_text(json.dumps(said))
    assert ends_of_texts(generation_settings(tmp_path)) == ends


@pytest.mark.parametrize("content", ["{", "[1]", '{"eos_token_id": [[1]]}', '{"eos_token_id": "</s>"}'])
def test_what_cannot_be_used_is_refused_by_the_plan(pico_base: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "base"
    shutil.copytree(pico_base, folder)
    (folder / GENERATION).write_text(content)
    with pytest.raises(ModelError, match=GENERATION):
        find_base(str(folder), tmp_path, Digests(tmp_path / "digests.json"), {})
