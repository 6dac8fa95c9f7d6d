import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from manus.errors import InputError, ModelError
from manus.models.loading.composition import Trained
from manus.models.loading.folders import stored_dtype
from manus.models.merging import merge as merging
from manus.models.merging import parity
from manus.models.merging.merge import MergeResult, merge
from manus.models.merging.parity import ParityError
from manus.models.merging.settings import MergeSettings
from tests.unit.models.pico_stages import (
    PROMPTS,
    adapter,
    full,
    gpt_neox,
    llama,
    loaded,
    logits,
    merged_alone,
    parameters,
    qwen2,
    saved,
    with_adapters,
)

FAMILIES = {"llama": llama, "qwen2": qwen2, "gpt_neox": gpt_neox}
FORMS = ("lora", "dora", "full", "mixed")


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5)


def run(
    base: Path,
    trained: list[Trained],
    out: Path,
    compose: Any = "parallel",
    seed: int = 0,
    **merge_block: Any,
):
    return merge(base, trained, compose, MergeSettings(**merge_block), seed, PROMPTS, out)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(llama(), tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def stages(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trained]]:
    folder = tmp_path_factory.mktemp("stages")
    lora = [adapter(base, folder / f"lora{seed}", seed, r=3 + seed) for seed in range(3)]
    dora = [adapter(base, folder / f"dora{seed}", seed, use_dora=True) for seed in range(3)]
    weights = [full(base, folder / f"full{seed}", seed) for seed in range(2)]
    return {"lora": lora, "dora": dora, "full": weights, "mixed": [lora[0], dora[1], weights[1]]}


@functools.cache
def change(base: Path, stage: Trained) -> dict[str, Tensor]:
    """Slowly, from whole models: what a stage changed against the base."""
    before = parameters(loaded(base))
    end = loaded(stage.path) if stage.kind == "model" else merged_alone(loaded(base), stage)
    return {name: value - before[name] for name, value in parameters(end).items()}


def slow_ties(tensors: list[Tensor], weights: list[float], density: float, majority: str) -> Tensor:
    flat = [tensor.flatten().tolist() for tensor in tensors]
    for values in flat:
        order = sorted(range(len(values)), key=lambda index: abs(values[index]), reverse=True)
        for index in order[int(density * len(values)) :]:
            values[index] = 0.0
    merged = []
    for column in zip(*flat, strict=True):
        votes = column if majority == "total" else [(value > 0) - (value < 0) for value in column]
        sign = 1 if sum(votes) >= 0 else -1
        agreeing = [weight * value for weight, value in zip(weights, column, strict=True) if value * sign > 0]
        merged.append(sum(agreeing) / max(len(agreeing), 1))
    return torch.tensor(merged).reshape(tensors[0].shape)


def slow_prune(tensors: list[Tensor], weights: list[float], density: float) -> Tensor:
    total = torch.zeros_like(tensors[0])
    for tensor, weight in zip(tensors, weights, strict=True):
        kept = int(density * tensor.numel())
        order = tensor.abs().flatten().argsort(descending=True)[:kept]
        total.view(-1)[order] += weight * tensor.flatten()[order]
    return total


def slow_svd(tensors: list[Tensor], weights: list[float], rank: int) -> Tensor:
    total = sum(weight * tensor for weight, tensor in zip(weights, tensors, strict=True))
    if total.ndim < 2:
        return total
    left, sizes, right = torch.linalg.svd(total.double())
    return sum(sizes[i] * torch.outer(left[:, i], right[i]) for i in range(min(rank, len(sizes)))).float()


def slow_sum(tensors: list[Tensor], weights: list[float]) -> Tensor:
    return sum(weight * tensor for weight, tensor in zip(weights, tensors, strict=True))


def check_against(
    base: Path, trained: list[Trained], out: Path, slow: Callable[[list[Tensor]], Tensor]
) -> None:
    merged, before = parameters(loaded(out)), parameters(loaded(base))
    deltas = [change(base, stage) for stage in trained]
    for name, value in merged.items():
        same(value, before[name] + slow([delta[name] for delta in deltas]))


@pytest.mark.parametrize("family", FAMILIES)
def test_sequential_sum_equals_the_adapters_beside_the_weights(tmp_path: Path, family: str) -> None:
    base = saved(FAMILIES[family](), tmp_path / "base")
    trained = [adapter(base, tmp_path / name, seed) for seed, name in enumerate("abc")]
    result = run(base, trained, tmp_path / "out", "sequential")
    again = loaded(tmp_path / "out")
    for prompt in PROMPTS:
        same(logits(again, prompt), logits(with_adapters(loaded(base), *trained), prompt))
    assert (logits(again) - logits(loaded(base))).abs().max() > 0.1
    assert type(again) is type(loaded(base)) and result.tied == (family == "llama")
    assert (result.combine, result.dtype) == ("sum", "float32")
    assert result.parity.relative < 1e-4 and 0 < result.step_difference < 1e-4
    assert (result.parity.prompts, result.parity.positions) == (4, 4 + 1 + 32 + 3)
    assert result.parity.top1_agreement == 1


def test_sequential_sum_through_full_weights_and_dora(base: Path, stages: dict, tmp_path: Path) -> None:
    early, middle, late = stages["lora"][0], stages["full"][0], stages["dora"][1]
    result = run(base, [early, middle, late], tmp_path / "out", "sequential")
    same(logits(loaded(tmp_path / "out")), logits(merged_alone(loaded(middle.path), late)))
    assert result.weights == {"lora0": 1, "full0": 1, "dora1": 1}


def test_nothing_trained_is_the_base(base: Path, tmp_path: Path) -> None:
    result = run(base, [], tmp_path / "out", "sequential")
    assert torch.equal(logits(loaded(tmp_path / "out")), logits(loaded(base)))
    assert result.parity.max_difference == 0


@pytest.mark.parametrize("form", FORMS)
def test_parallel_sum_and_linear(base: Path, stages: dict, tmp_path: Path, form: str) -> None:
    trained = stages[form]
    names, count = [stage.name for stage in trained], len(trained)
    run(base, trained, tmp_path / "sum", combine="sum")
    check_against(base, trained, tmp_path / "sum", lambda deltas: sum(deltas))
    result = run(base, trained, tmp_path / "average")
    check_against(base, trained, tmp_path / "average", lambda deltas: sum(deltas) / count)
    assert result.combine == "linear" and set(result.weights.values()) == {1 / count}
    weights = [0.5, -1.0, 2.0][:count]
    run(base, trained, tmp_path / "linear", combine="linear", weights=dict(zip(names, weights, strict=True)))
    check_against(base, trained, tmp_path / "linear", lambda deltas: slow_sum(deltas, weights))


@pytest.mark.parametrize(("form", "majority"), [*((form, "total") for form in FORMS), ("mixed", "frequency")])
def test_ties(base: Path, stages: dict, tmp_path: Path, form: str, majority: str) -> None:
    trained = stages[form]
    run(base, trained, tmp_path / "out", combine="ties", density=0.3, majority_sign=majority)
    ones = [1.0] * len(trained)
    check_against(base, trained, tmp_path / "out", lambda deltas: slow_ties(deltas, ones, 0.3, majority))


@pytest.mark.parametrize("form", FORMS)
def test_magnitude_prune(base: Path, stages: dict, tmp_path: Path, form: str) -> None:
    trained = stages[form]
    shares = [1 / len(trained)] * len(trained)
    run(base, trained, tmp_path / "out", combine="magnitude_prune", density=0.4)
    check_against(base, trained, tmp_path / "out", lambda deltas: slow_prune(deltas, shares, 0.4))


@pytest.mark.parametrize(
    ("form", "rank"), [("lora", None), ("lora", 2), ("dora", None), ("full", 7), ("mixed", 5)]
)
def test_svd(base: Path, stages: dict, tmp_path: Path, form: str, rank: int | None) -> None:
    trained = stages[form]
    shares = [1 / len(trained)] * len(trained)
    given = {} if rank is None else {"svd_rank": rank}
    run(base, trained, tmp_path / "out", combine="svd", **given)
    kept = rank or {"lora": 5, "dora": 4}[form]
    check_against(base, trained, tmp_path / "out", lambda deltas: slow_svd(deltas, shares, kept))


def test_svd_of_full_weights_needs_a_rank(base: Path, stages: dict, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="add svd_rank"):
        run(base, stages["mixed"], tmp_path / "out", combine="svd")


@pytest.mark.parametrize("form", FORMS)
def test_dare_linear_keeps_a_share_of_rescaled_entries(
    base: Path, stages: dict, tmp_path: Path, form: str
) -> None:
    trained = stages[form][:2]
    run(base, trained, tmp_path / "out", combine="dare_linear", density=0.5)
    before, after = parameters(loaded(base)), parameters(loaded(tmp_path / "out"))
    one, two = (change(base, stage) for stage in trained)
    name = "model.layers.1.mlp.up_proj.weight"
    got = after[name] - before[name]
    possible = torch.stack(
        [torch.zeros_like(got), one[name], two[name], one[name] + two[name]]
    )  # 1/2 / density
    distance = (got - possible).abs()
    assert distance.min(0).values.max() < 1e-5
    shares = torch.bincount(distance.argmin(0).flatten(), minlength=4) / got.numel()
    assert (shares - 0.25).abs().max() < 0.05


@pytest.mark.parametrize("combine", ["dare_linear", "dare_ties"])
def test_chance_follows_the_seed(base: Path, stages: dict, tmp_path: Path, combine: str) -> None:
    state = torch.get_rng_state()
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(base, stages["mixed"], tmp_path / out, seed=seed, combine=combine)
    assert torch.equal(torch.get_rng_state(), state)
    one, again, other = ((tmp_path / out / "model.safetensors").read_bytes() for out in "abc")
    assert one == again and one != other


@pytest.mark.parametrize("combine", ["dare_ties", "ties"])
def test_density_one_prunes_nothing(
    base: Path, stages: dict, tmp_path: Path, combine: str, recwarn: Any
) -> None:
    trained = stages["dora"]
    run(base, trained, tmp_path / "out", combine=combine, density=1.0)
    check_against(base, trained, tmp_path / "out", lambda deltas: slow_ties(deltas, [1.0] * 3, 1.0, "total"))
    assert not [warning for warning in recwarn if "density" in str(warning.message)]


def test_a_single_stage_enters_whole(base: Path, stages: dict, tmp_path: Path) -> None:
    for form in ("lora", "dora", "full"):
        trained = stages[form][:1]
        run(base, trained, tmp_path / form, combine="ties", density=0.1)
        check_against(base, trained, tmp_path / form, lambda deltas: deltas[0])


def test_sequential_changes_count_from_each_stages_own_start(
    base: Path, stages: dict, tmp_path: Path
) -> None:
    first, middle, last = stages["lora"][0], stages["full"][0], stages["dora"][1]
    run(
        base,
        [first, middle, last],
        tmp_path / "out",
        "sequential",
        combine="linear",
        weights={"lora0": 0.5, "full0": 2.0, "dora1": 0.25},
    )
    path = [loaded(base), merged_alone(loaded(base), first), loaded(middle.path)]
    path.append(merged_alone(path[2], last))
    at = [parameters(model) for model in path]
    for name, value in parameters(loaded(tmp_path / "out")).items():
        steps = [at[i + 1][name] - at[i][name] for i in range(3)]
        same(value, at[0][name] + slow_sum(steps, [0.5, 2.0, 0.25]))


def test_sequential_linear_of_plain_lora(base: Path, stages: dict, tmp_path: Path) -> None:
    run(base, stages["lora"], tmp_path / "out", "sequential", combine="linear")
    check_against(base, stages["lora"], tmp_path / "out", lambda deltas: sum(deltas) / 3)


def test_lora_beyond_plain_is_combined_right(base: Path, tmp_path: Path) -> None:
    trained = [
        adapter(base, tmp_path / "rslora", 1, use_rslora=True),
        adapter(base, tmp_path / "layer", 2, layers_to_transform=[1], target_modules=["v_proj", "o_proj"]),
        adapter(base, tmp_path / "regex", 3, target_modules=r".*\.(q|k)_proj"),
        adapter(base, tmp_path / "saved", 4, modules_to_save=["norm"], rank_pattern={"q_proj": 2}),
    ]
    run(base, trained, tmp_path / "out")
    check_against(base, trained, tmp_path / "out", lambda deltas: sum(deltas) / 4)


def test_tied_stays_tied_and_is_stored_once(base: Path, stages: dict, tmp_path: Path) -> None:
    for form in ("lora", "full"):
        assert run(base, stages[form], tmp_path / form).tied
        with safe_open(tmp_path / form / "model.safetensors", framework="pt") as file:
            assert "lm_head.weight" not in file.keys()  # noqa: SIM118
        model = loaded(tmp_path / form)
        assert model.lm_head.weight is model.model.embed_tokens.weight


@pytest.mark.parametrize("compose", ["sequential", "parallel"])
@pytest.mark.parametrize("dora", [False, True])
def test_an_adapter_on_the_head_unties(
    base: Path, stages: dict, tmp_path: Path, compose: str, dora: bool
) -> None:
    head = adapter(base, tmp_path / "head", 5, target_modules=["lm_head", "q_proj"], use_dora=dora)
    trained = [stages["lora"][0], head]
    result = run(base, trained, tmp_path / "out", compose, combine="sum")
    model, before = loaded(tmp_path / "out"), loaded(base)
    assert not result.tied and not model.config.tie_word_embeddings
    assert torch.equal(model.model.embed_tokens.weight, before.model.embed_tokens.weight)
    same(model.lm_head.weight, merged_alone(llama_untied_like(base), head).lm_head.weight)


def llama_untied_like(base: Path) -> Any:
    model = llama(tied=False)
    model.load_state_dict(loaded(base).state_dict())
    return model


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_bases_keep_their_type(tmp_path: Path, dtype: torch.dtype) -> None:
    base = saved(llama(), tmp_path / "base", dtype)
    trained = [adapter(base, tmp_path / "a", 1), adapter(base, tmp_path / "b", 2, use_dora=True)]
    result = run(base, trained, tmp_path / "out", "sequential")
    assert stored_dtype(tmp_path / "out") == dtype == loaded(tmp_path / "out", "auto").dtype
    assert result.step_difference < 1e-4 < result.parity.relative < result.parity.tolerance
    with pytest.raises(ParityError, match="read back"):
        run(base, trained, tmp_path / "strict", "sequential", tolerance=1e-5)


def test_the_folder_is_clean(stages: dict, tmp_path: Path) -> None:
    base = saved(llama(), tmp_path / "base")
    odd = {
        "temperature": 0.7,
        "top_p": 0.9,
        "do_sample": False,
        "eos_token_id": [2, 7],
        "_from_model_config": False,
    }
    (base / "generation_config.json").write_text(json.dumps(odd))
    stage = full(base, tmp_path / "full", 1)
    config = json.loads((stage.path / "config.json").read_text())
    (stage.path / "config.json").write_text(json.dumps(config | {"use_cache": False}))
    run(base, [stages["dora"][0], stage], tmp_path / "out")
    run(base, [stage], tmp_path / "chain", "sequential")
    for out in (tmp_path / "out", tmp_path / "chain"):
        assert sorted(file.name for file in out.iterdir()) == [
            "config.json",
            "generation_config.json",
            "model.safetensors",
        ]
        assert json.loads((out / "generation_config.json").read_text()) == odd
        text = (out / "config.json").read_text()
        assert json.loads(text)["use_cache"] and json.loads(text)["dtype"] == "float32"
        assert "quantization_config" not in text and "peft" not in text and str(tmp_path) not in text


def _damaging(write: Callable) -> Callable:
    def write_and_damage(model: Any, base: Path, out: Path, dtype: torch.dtype) -> None:
        write(model, base, out, dtype)
        tensors = load_file(out / "model.safetensors")
        tensors["model.layers.0.self_attn.v_proj.weight"][0, 0] += 0.5
        save_file(tensors, out / "model.safetensors", {"format": "pt"})

    return write_and_damage


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_weight_on_disk_breaks_parity(
    base: Path, stages: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(merging, "write_model", _damaging(merging.write_model))
    with pytest.raises(
        ParityError, match=r"read back: logits differ by .* of 40 positions in 4 prompts"
    ) as caught:
        run(base, stages[form], tmp_path / "out")
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("form", ["lora", "dora"])
def test_a_wrong_merge_in_memory_breaks_parity(
    base: Path, stages: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(parity, "absorbed", lambda active: active.unload())
    with pytest.raises(ParityError, match=r"merging .* into the weights"):
        run(base, stages[form], tmp_path / "out", "sequential")


def test_infinite_weights_are_refused(tmp_path: Path) -> None:
    base = saved(llama(), tmp_path / "base", torch.float16)
    with pytest.raises(ModelError, match=r"not finite in torch\.float16"):
        run(
            base,
            [adapter(base, tmp_path / "a", 1, size=5000.0)],
            tmp_path / "out",
            "sequential",
            tolerance=0.9,
        )


def test_stages_of_another_shape_are_refused(base: Path, stages: dict, tmp_path: Path) -> None:
    wider = loaded(base)
    wider.resize_token_embeddings(208, mean_resizing=False)
    stage = Trained("wider", "model", saved(wider, tmp_path / "wider"))
    with pytest.raises(ModelError, match="stage wider has another architecture"):
        run(base, [stages["lora"][0], stage], tmp_path / "out")
    run(base, [stage], tmp_path / "chain", "sequential")
    assert loaded(tmp_path / "chain").config.vocab_size == 208


def test_parity_needs_prompts(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one prompt"):
        merge(base, [], "sequential", MergeSettings(), 0, [], tmp_path / "out")


def test_a_result_can_be_written_as_json(base: Path, stages: dict, tmp_path: Path) -> None:
    from dataclasses import asdict

    result = run(base, stages["lora"], tmp_path / "out", combine="ties")
    assert isinstance(result, MergeResult)
    assert json.loads(json.dumps(asdict(result)))["parity"]["top1_agreement"] == 1
