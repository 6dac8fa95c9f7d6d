"""No code of a model's folder runs: transformers' loaders are called by one door, which never says yes."""

from __future__ import annotations

import ast
import builtins
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.utils import is_torchvision_available

from manus.errors import ModelError
from manus.models.loaders import MAY_NAME_CODE, load_from
from manus.models.loading.composition import load_model
from manus.models.tokenizer import load_tokenizer
from tests.e2e.product import BIN, ROOT, environment

CODE = ROOT / "manus"
DOOR = CODE / "models" / "loaders.py"
# Weights only, of folders whose files are checked before: PEFT knows no code of a folder.
WITHOUT_CODE = ("PeftModel", "PeftConfig", "super()")
LOADERS = ("from_pretrained", "from_config", "get_class_from_dynamic_module", "pipeline")
EVIL = "import pathlib\npathlib.Path({marker!r}).write_text('ran')\n" + "".join(
    f"class Evil{kind}:\n    @classmethod\n    def from_pretrained(cls, *a, **k): return cls()\n"
    for kind in (
        "Tokenizer",
        "Config",
        "Model",
        "Processor",
        "ImageProcessor",
        "FeatureExtractor",
        "VideoProcessor",
    )
)
AUTO = {
    "AutoTokenizer": "Tokenizer",
    "AutoConfig": "Config",
    "AutoModelForCausalLM": "Model",
    "AutoModel": "Model",
    "AutoModelForSequenceClassification": "Model",
    "AutoModelForMultimodalLM": "Model",
    "AutoProcessor": "Processor",
    "AutoImageProcessor": "ImageProcessor",
    "AutoFeatureExtractor": "FeatureExtractor",
    "AutoVideoProcessor": "VideoProcessor",
}


def hostile(base: Path, folder: Path, marker: Path) -> Path:
    """A model whose configurations all name their own code, and classes that transformers does not know."""
    shutil.copytree(base, folder)
    (folder / "evil.py").write_text(EVIL.format(marker=str(marker)))
    named = {auto: f"evil.Evil{kind}" for auto, kind in AUTO.items()}
    for name in MAY_NAME_CODE:
        file = folder / name
        content = json.loads(file.read_text()) if file.exists() else {}
        tokenizer = ["evil.EvilTokenizer", "evil.EvilTokenizer"]
        content["auto_map"] = {**named, "AutoTokenizer": tokenizer}
        content |= {"tokenizer_class": "EvilTokenizer", "processor_class": "EvilProcessor"}
        content |= {
            "image_processor_type": "EvilImageProcessor",
            "feature_extractor_type": "EvilFeatureExtractor",
        }
        file.write_text(json.dumps(content))
    return folder


def test_every_loader_is_called_through_the_one_door() -> None:
    wrong, files = [], sorted(CODE.rglob("*.py"))
    assert len(files) > 100
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Attribute) or file == DOOR:
                continue
            if node.attr in LOADERS and ast.unparse(node.value) not in WITHOUT_CODE:
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
    assert not wrong, "call manus.models.loaders instead"


def test_what_loads_in_another_way_says_that_no_code_runs() -> None:
    calls = [
        (file, node)
        for file in sorted(CODE.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    said = {
        "_get_arguments_from_pretrained": ("trust_remote_code", False),
        "torch.load": ("weights_only", True),
    }
    found = 0
    for file, node in calls:
        name = ast.unparse(node.func)
        for ending, (keyword, value) in said.items():
            if name.endswith(ending):
                found += 1
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert given.get(keyword) == str(value), f"{file}:{node.lineno}"
    assert found >= 2


@pytest.mark.parametrize("name", AUTO)
def test_no_loader_runs_code_nor_asks(name: str, pico_base: Path, tmp_path: Path, monkeypatch: Any) -> None:
    folder = hostile(pico_base, tmp_path / "base", tmp_path / "marker")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "evil"}))

    def asked(*_: object) -> str:
        raise AssertionError("it asks whether to run code")

    monkeypatch.setattr(builtins, "input", asked)
    with pytest.raises(ModelError) as told:
        load_from(getattr(transformers, name), folder, f"{folder}: it cannot be loaded")
    assert str(folder) in str(told.value)
    needs_torchvision = name == "AutoVideoProcessor" and not is_torchvision_available()
    assert ("Torchvision" if needs_torchvision else "code of its own, which is never run") in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "marker").exists()


def test_a_known_model_that_also_names_code_is_loaded_without_it(pico_base: Path, tmp_path: Path) -> None:
    import torch

    folder = hostile(pico_base, tmp_path / "base", tmp_path / "marker")
    assert load_model(folder, torch.float32).config.model_type == "llama"
    with pytest.raises(ModelError, match=r"tokenizer_config\.json.* names Python code of its own"):
        load_tokenizer(folder)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "named",
    [
        {"attn_implementation": "someone/kernel"},
        {"_attn_implementation": "paged|someone/kernel@main"},
        {"text_config": {"_experts_implementation": "someone/kernel:entry"}},
        {"attn_implementation": {"": "sdpa", "text_config": ["someone/kernel"]}},
        {"transformers_weights": "sub/model.safetensors"},
        {"transformers_weights": "other.safetensors"},
        {"num_hidden_layers": 10**9},
        {"vision_config": {"n_layer": 10**30}},
    ],
)
def test_no_kernel_of_the_hub_no_weights_of_another_name_and_no_absurd_depth_is_loaded(
    pico_base: Path, tmp_path: Path, named: dict[str, Any]
) -> None:
    import torch

    folder = tmp_path / "base"
    shutil.copytree(pico_base, folder)
    held = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**held, **named}))
    for load in (lambda: load_model(folder, torch.float32), lambda: load_tokenizer(folder)):
        with pytest.raises(
            ModelError, match=r"config\.json names (the kernel '.*someone/kernel|its weights)|says n.*layer"
        ):
            load()
    (folder / "config.json").write_text(json.dumps({**held, "attn_implementation": "eager"}))
    assert load_model(folder, torch.float32).config._attn_implementation == "eager"


def test_a_yes_on_standard_input_runs_nothing(pico_base: Path, tmp_path: Path) -> None:
    import subprocess

    hostile(pico_base, tmp_path / "base", tmp_path / "marker")
    row = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(row)}\n" * 20)
    recipe = tmp_path / "r.yaml"
    recipe.write_text("base_model: base\ncapabilities:\n  - cot: {data: [{path: rows.jsonl}]}\n")
    snakemake = [
        str(BIN / "snakemake"),
        "-s",
        str(ROOT / "Snakefile"),
        "--directory",
        str(tmp_path),
        "--cores",
        "1",
    ]
    for command in (
        [sys.executable, "-m", "manus", "data", "r.yaml", "cot"],
        [sys.executable, "-m", "manus", "chat", "base"],
        [*snakemake, "--config", "recipe=r.yaml"],
    ):
        ended = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment(tmp_path),
            input="y\n" * 50,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = ended.stdout + ended.stderr
        assert "never run here" in said, said
        assert "Traceback" not in said
        assert "unexpected" not in said
        assert "[y/N]" not in said
        assert ended.returncode == (1 if "snakemake" in command[0] else 2), said
        assert not (tmp_path / "marker").exists()
