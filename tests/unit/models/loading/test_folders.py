from pathlib import Path

import pytest

from manus.errors import ModelError
from manus.models.loading.folders import copy_tokenizer


def test_tokenizers_are_copied_file_by_file(tmp_path: Path) -> None:
    copied = [
        "additional_chat_templates/rag.jinja",
        "chat_template.jinja",
        "merges.txt",
        "preprocessor_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "vocab.json",
    ]
    left = [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "README.md",
        "tokenizer.py",
        "tokenizer.bin",
    ]
    for name in copied + left:
        file = tmp_path / "base" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"{name}\r\n \x00".encode())
    (tmp_path / "out").mkdir()
    assert copy_tokenizer(tmp_path / "base", tmp_path / "out") == copied
    written = {str(f.relative_to(tmp_path / "out")) for f in (tmp_path / "out").rglob("*") if f.is_file()}
    assert written == set(copied)
    assert all((tmp_path / "out" / n).read_bytes() == (tmp_path / "base" / n).read_bytes() for n in copied)
    (tmp_path / "none").mkdir()
    with pytest.raises(ModelError, match="no tokenizer"):
        copy_tokenizer(tmp_path / "none", tmp_path / "out")
