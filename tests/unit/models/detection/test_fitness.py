"""What a configuration tells of why a model cannot be trained, and what `manus validate` makes of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from peft.utils import transformers_weight_conversion as peft_conversion
from transformers import AutoConfig

from manus.errors import ModelError, RecipeError
from manus.models.detection import fitness
from manus.models.detection.fitness import why_no_base, why_not_adapted
from manus.models.tokenizer import load_tokenizer
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe
from tests.pico import tokenizer, untrained

RECIPE = "base_model: {base}\ncapabilities:\n  - cot: {{data: [{{generator: cot}}], method: {method}}}\n"
T5 = {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}
QWEN3_MOE = {"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "num_experts": 4}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (T5, "is an encoder-decoder (t5)"),
        ({"model_type": "bart"}, "is an encoder-decoder (bart)"),
        ({"model_type": "bert", "architectures": ["BertLMHeadModel"]}, "reads in both directions (bert)"),
        ({"model_type": "xlnet"}, "reads in both directions (xlnet)"),
        ({"model_type": "vit"}, "is no causal language model"),
        (
            {"model_type": "llama", "architectures": ["LlamaModel"]},
            "is no causal language model (LlamaModel)",
        ),
        ({"model_type": "moshi"}, "cannot be trained on text (moshi)"),
    ],
)
def test_no_base_is_refused_in_one_clause(config: dict[str, object], words: str) -> None:
    reason = why_no_base(config)
    assert reason is not None and reason.startswith(words) and "\n" not in reason
    assert "name a causal language model" in reason


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
        {"model_type": "gpt_neox"},
        {"model_type": "bert", "architectures": ["BertLMHeadModel"], "is_decoder": True},
        {
            "model_type": "bart",
            "architectures": ["BartForCausalLM"],
            "is_decoder": True,
            "is_encoder_decoder": False,
        },
        {"model_type": "manus_omni"},
        {"model_type": "nobody_knows"},
    ],
)
def test_others_are_not(config: dict[str, object]) -> None:
    assert why_no_base(config) is None


def test_what_works_on_fused_experts_is_said() -> None:
    assert "use method: lora, or name its attention layers" in str(
        why_not_adapted(QWEN3_MOE, "dora", "all-linear")
    )
    assert "use method: lora" in str(why_not_adapted(QWEN3_MOE, "qlora", ["q_proj"]))
    assert why_not_adapted(QWEN3_MOE, "dora", ["q_proj"]) is None
    assert why_not_adapted(QWEN3_MOE, "lora", "all-linear") is None
    assert why_not_adapted({"model_type": "llama"}, "dora", "all-linear") is None


def test_peft_knows_the_experts_of_these_old_forms() -> None:
    assert set(peft_conversion._MOE_FUSED_TARGETS) == set(fitness.PEFT_EXPERTS)
    old_names = {name for names in peft_conversion._MOE_TARGET_MODULE_MAPPING.values() for name in names}
    assert old_names == set(fitness.EXPERT_LAYERS)


def folder(path: Path, config: dict[str, object]) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (path / "model.safetensors").write_bytes(b"")
    return path


def test_the_plan_refuses_them_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE.format(base=folder(tmp_path / "t5", T5), method="lora"), encoding="utf-8")
    with pytest.raises(ModelError, match=r"mine\.yaml:1: base_model '.*t5' is an encoder-decoder \(t5\)"):
        make_plan(read_recipe(file))
    moe = folder(tmp_path / "moe", QWEN3_MOE)
    for method in ("dora", "qlora"):
        file.write_text(RECIPE.format(base=moe, method=method), encoding="utf-8")
        with pytest.raises(RecipeError, match=r"mine\.yaml:3: cot: .* use method: lora"):
            make_plan(read_recipe(file))


def test_a_broken_configuration_is_told_by_its_file(tmp_path: Path) -> None:
    base = folder(tmp_path / "base", {})
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE.format(base=base, method="lora"), encoding="utf-8")
    for content in ("{", "[]"):
        (base / "config.json").write_text(content, encoding="utf-8")
        with pytest.raises(
            ModelError, match=r"mine\.yaml:1: .*config\.json (is not valid JSON|holds no JSON object)"
        ):
            make_plan(read_recipe(file))


def test_no_torch_is_needed() -> None:
    code = (
        "import sys; from manus.models.detection.fitness import why_no_base, why_not_adapted\n"
        f"why_no_base({T5}); why_not_adapted({QWEN3_MOE}, 'dora', 'all-linear')\n"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("base") / "model")


def with_embeddings_for(base: Path, path: Path, tokens: int) -> Path:
    shutil.copytree(base, path)
    config = AutoConfig.from_pretrained(base)
    config.vocab_size, config.pad_token_id = tokens, None
    config.save_pretrained(path)
    return path


def test_padding_without_an_embedding_is_done_by_the_end_of_text_token(base: Path, tmp_path: Path) -> None:
    words = tokenizer()
    path = with_embeddings_for(base, tmp_path / "model", len(words))
    words.add_special_tokens({"pad_token": "[PAD]"})
    words.save_pretrained(path)
    assert load_tokenizer(path).pad_token == "<|im_end|>"
    assert load_tokenizer(base).pad_token == "<|endoftext|>"


def test_tokens_of_every_chat_without_embeddings_are_refused(base: Path, tmp_path: Path) -> None:
    path = with_embeddings_for(base, tmp_path / "model", 2)
    with pytest.raises(
        ModelError, match=r"token '<\|im_end\|>' has the id 2, and the model has embeddings for 2"
    ):
        load_tokenizer(path)
