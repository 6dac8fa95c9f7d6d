import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from manus.errors import ModelError
from manus.models.loading.composition import Trained, compose, load_model
from tests.unit.models.pico_stages import (
    adapter,
    full,
    llama,
    loaded,
    logits,
    merged_alone,
    parameters,
    qwen2,
    saved,
    with_adapters,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(llama(), tmp_path_factory.mktemp("models") / "base")


def same(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_nothing_trained_is_the_base(base: Path) -> None:
    assert torch.equal(logits(compose(base, [], torch.float32)), logits(loaded(base)))


def test_adapters_are_summed_in_order(base: Path, tmp_path: Path) -> None:
    stages = [adapter(base, tmp_path / name, seed) for seed, name in enumerate("abc")]
    composed = compose(base, stages, torch.float32)
    same(logits(composed), logits(with_adapters(loaded(base), *stages)))
    assert (logits(composed) - logits(loaded(base))).abs().max() > 0.1


def test_dora_depends_on_what_came_before(base: Path, tmp_path: Path) -> None:
    first, second = adapter(base, tmp_path / "lora", 1), adapter(base, tmp_path / "dora", 2, use_dora=True)
    expected = merged_alone(merged_alone(loaded(base), first), second)
    same(logits(compose(base, [first, second], torch.float32)), logits(expected))
    reverse = compose(base, [second, first], torch.float32)
    assert (logits(reverse) - logits(expected)).abs().max() > 1e-3


def test_a_stage_of_full_weights_replaces_all_before_it(base: Path, tmp_path: Path) -> None:
    early, middle = adapter(base, tmp_path / "early", 1), full(base, tmp_path / "middle", 2)
    late = adapter(base, tmp_path / "late", 3)
    same(logits(compose(base, [early, middle], torch.float32)), logits(loaded(middle.path)))
    expected = logits(with_adapters(loaded(middle.path), late))
    same(logits(compose(base, [early, middle, late], torch.float32)), expected)


def test_the_result_is_plain_trainable_and_tied(base: Path, tmp_path: Path) -> None:
    model = compose(base, [adapter(base, tmp_path / "a", 1)], torch.float32)
    assert type(model).__name__ == "LlamaForCausalLM"
    assert parameters(model).keys() == parameters(loaded(base)).keys()
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.config.tie_word_embeddings and model.lm_head.weight is model.model.embed_tokens.weight


def test_dtype_is_kept_in_bfloat16(base: Path, tmp_path: Path) -> None:
    model = compose(base, [adapter(base, tmp_path / "a", 1)], torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    "lora",
    [
        {"target_modules": ["lm_head", "q_proj"]},
        {"target_modules": ["embed_tokens", "q_proj"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
    ],
    ids=["lm_head", "embed_tokens", "saved lm_head", "saved embed_tokens", "saved and tied"],
)
def test_tied_embeddings_with_an_adapter_on_one_side(base: Path, tmp_path: Path, lora: dict) -> None:
    stage = adapter(base, tmp_path / "a", 1, **lora)
    expected = logits(with_adapters(loaded(base), stage))
    model = compose(base, [stage], torch.float32)
    same(logits(model), expected)
    tied = "ensure_weight_tying" in lora
    assert model.config.tie_word_embeddings == tied
    same(logits(loaded(saved(model, tmp_path / "again"))), expected)


def test_an_adapter_of_a_quantised_base_goes_onto_full_precision(base: Path, tmp_path: Path) -> None:
    bnb = pytest.importorskip("bitsandbytes")
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig

    nf4 = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32
    )
    quantised = load_model(base, torch.float32, quantization_config=nf4, device_map="cpu")
    assert isinstance(quantised.model.layers[0].mlp.up_proj, bnb.nn.Linear4bit)
    trained = get_peft_model(quantised, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    trained.save_pretrained(tmp_path / "qlora")
    stage = Trained("qlora", "adapter", tmp_path / "qlora")
    same(logits(compose(base, [stage], torch.float32)), logits(with_adapters(loaded(base), stage)))


def test_refuses_to_merge_onto_quantised_weights(base: Path, tmp_path: Path) -> None:
    from transformers import BitsAndBytesConfig

    model = load_model(
        base, torch.float32, quantization_config=BitsAndBytesConfig(load_in_4bit=True), device_map="cpu"
    )
    model.save_pretrained(tmp_path / "nf4")
    with pytest.raises(ModelError, match="quantised weights"):
        compose(tmp_path / "nf4", [adapter(base, tmp_path / "a", 1)], torch.float32)


def _edit_config(path: Path, **changes: object) -> None:
    file = path / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def _rewrite(path: Path, edit) -> None:
    file = path / "adapter_model.safetensors"
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file)


BREAKAGES = {
    "no folder": (lambda path: shutil.rmtree(path), "no adapter_config.json"),
    "only a pickle": (
        lambda path: (path / "adapter_model.safetensors").rename(path / "adapter_model.bin"),
        "no adapter_model.safetensors",
    ),
    "a truncated file": (
        lambda path: (path / "adapter_model.safetensors").write_bytes(
            (path / "adapter_model.safetensors").read_bytes()[:-100]
        ),
        "does not fit",
    ),
    "no JSON": (lambda path: (path / "adapter_config.json").write_text("{"), "cannot read"),
    "another rank": (lambda path: _edit_config(path, r=3), "does not fit"),
    "modules that are not there": (lambda path: _edit_config(path, target_modules=["wqkv"]), "does not fit"),
    "more modules than tensors": (
        lambda path: _rewrite(
            path, lambda tensors: [tensors.pop(key) for key in list(tensors) if "up_proj" in key]
        ),
        "lacks 4 tensors",
    ),
    "more tensors than modules": (
        lambda path: _edit_config(path, target_modules=["q_proj"]),
        "another model",
    ),
    "not a number": (
        lambda path: _rewrite(
            path, lambda tensors: [value.fill_(float("nan")) for value in tensors.values()]
        ),
        "cannot merge",
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_broken_adapters_are_refused(base: Path, tmp_path: Path, breakage: str) -> None:
    stage = adapter(base, tmp_path / "a", 1)
    damage, message = BREAKAGES[breakage]
    damage(stage.path)
    with pytest.raises(ModelError, match=message):
        compose(base, [stage], torch.float32)


def test_an_adapter_of_another_architecture_is_refused(base: Path, tmp_path: Path) -> None:
    other = saved(qwen2(hidden_size=64), tmp_path / "other")
    with pytest.raises(ModelError, match="does not fit"):
        compose(base, [adapter(other, tmp_path / "a", 1)], torch.float32)


def test_a_prompt_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    get_peft_model(loaded(base), config).save_pretrained(tmp_path / "prompt")
    with pytest.raises(ModelError, match="PROMPT_TUNING has no form as plain weights"):
        compose(base, [Trained("prompt", "adapter", tmp_path / "prompt")], torch.float32)


def test_broken_models_are_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_model(tmp_path / "nowhere", torch.float32)
    shutil.copytree(base, tmp_path / "lacking")
    tensors = load_file(base / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, tmp_path / "lacking/model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weights, among them model\.norm\.weight"):
        load_model(tmp_path / "lacking", torch.float32)
    (tmp_path / "lacking/model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot load"):
        load_model(tmp_path / "lacking", torch.float32)
    (tmp_path / "lacking/model.safetensors").rename(tmp_path / "lacking/pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot load"):
        load_model(tmp_path / "lacking", torch.float32)
    (tmp_path / "lacking/adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="an adapter beside a model"):
        load_model(tmp_path / "lacking", torch.float32)
