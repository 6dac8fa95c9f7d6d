from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, AutoProcessor, QuantoConfig
from trl.trainer.utils import add_fused_lm_head

from manus.models.loading.composition import Trained, compose, load_model
from manus.models.merging.merge import merge
from manus.models.merging.settings import MergeSettings
from manus.models.omni.features import shares
from manus.models.omni.quantisation import SPARED, sparing_senses
from manus.training.kernels.attention import boundaries, keep_samples_apart
from manus.training.kernels.head import learn_by_parts
from manus.training.weights import in_4_bits
from tests.unit.models.omni.conftest import QUESTION
from tests.unit.models.omni.small import film, omni, picture, sound

LINEAR = r"language_model\..*(q|k|v|o|gate|up|down)_proj"
PROJECTORS = r"(vision|audio)_projector\.linear_(in|out)"
WANTED = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}


@pytest.fixture
def model(checkpoint: Path) -> Any:
    return load_model(checkpoint, torch.float32).eval()


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def test_the_answer_depends_on_every_medium(model: Any, batch: Any) -> None:
    with torch.no_grad():
        before = model(**batch).logits[:, -1]
        for name in ("pixel_values", "pixel_values_videos", "input_features"):
            blank = {**batch, name: torch.zeros_like(batch[name])}
            assert (model(**blank).logits[:, -1] - before).abs().max() > 1e-3, name


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(model: Any, processor: Any, side: str) -> None:
    rows = [(QUESTION, 0), (QUESTION + "and you and me what do you see", 1)]
    both = processor(
        text=[text for text, _ in rows],
        images=[picture(seed) for _, seed in rows],
        videos=[film(seed) for _, seed in rows],
        audio=[sound(seed) for _, seed in rows],
        padding=True,
        padding_side=side,
    )
    assert not both["attention_mask"].all()
    for row, (text, seed) in enumerate(rows):
        alone = processor(text=text, images=picture(seed), videos=film(seed), audio=sound(seed))
        kept = both["attention_mask"][row].bool()
        with torch.no_grad():
            torch.testing.assert_close(
                model(**both).logits[row, kept], model(**alone).logits[0], atol=1e-4, rtol=1e-4
            )
        if side == "left":
            made = model.generate(**both, **WANTED)[row, -6:]
            assert torch.equal(made, model.generate(**alone, **WANTED)[0, -6:])


def test_states_take_the_place_of_media(model: Any, batch: Any) -> None:
    rest = {name: value for name, value in batch.items() if not name.startswith(("pixel", "input_features"))}
    states = {
        "image_states": model.encode_images(batch["pixel_values"]),
        "video_states": model.encode_images(batch["pixel_values_videos"]),
        "audio_states": model.encode_audio(batch["input_features"]),
    }
    assert not any(value.requires_grad for value in states.values())
    assert torch.equal(model(**rest, **states).logits, model(**batch).logits)
    assert torch.equal(model.generate(**rest, **states, **WANTED), model.generate(**batch, **WANTED))


def test_frames_go_through_the_encoder_a_few_at_a_time(
    model: Any, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.encode_images(batch["pixel_values_videos"])
    seen: list[int] = []
    model.vision_encoder.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    monkeypatch.setattr("manus.models.omni.senses.PICTURES_AT_ONCE", 2)
    torch.testing.assert_close(model.encode_images(batch["pixel_values_videos"]), whole)
    assert seen == [2, 2, 2]


def test_the_loops_ways_with_text_reach_the_language_model(model: Any, processor: Any, batch: Any) -> None:
    ids = processor.tokenizer(["what do you see", "see you", "and what is it to do"])["input_ids"]
    encoders = (model.vision_encoder.config, model.audio_encoder.config)
    before = [config._attn_implementation for config in encoders]
    assert learn_by_parts(model.language_model, ids[0])
    next_BT = (
        batch["input_ids"]
        .roll(-1, 1)
        .masked_fill(batch["input_ids"].roll(-1, 1) >= model.config.text_tokens, -100)
    )
    expected = torch.nn.functional.cross_entropy(
        model(**batch).logits.flatten(0, 1), next_BT.flatten(), reduction="sum"
    )
    by_parts = model(**batch, next_tokens=next_BT).loss
    torch.testing.assert_close(by_parts, expected)
    by_parts.backward()
    found = gradients(model)
    expected.backward()
    wanted = gradients(model)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], atol=1e-4, rtol=1e-4)
    assert keep_samples_apart(model.language_model, ids)
    assert [config._attn_implementation for config in encoders] == before
    row = torch.tensor([[token for sample in ids for token in sample]])
    packed = model(input_ids=row, **boundaries([len(sample) for sample in ids])).logits[0]
    alone = [model(torch.tensor([sample]), **boundaries([len(sample)])).logits[0] for sample in ids]
    torch.testing.assert_close(packed, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_rows_may_have_several_media_or_none(model: Any, processor: Any) -> None:
    texts = ["<|image|>a<|image|>b", "what", "<|audio|>c<|image|>d"]
    images, audio = [picture(0), picture(1), picture(2)], [sound(3)]
    together = processor(text=texts, images=images, audio=audio, padding=True)
    drawn = model.generate(**together, **WANTED, num_beams=2, num_return_sequences=2)
    for row, (mine, sounds) in enumerate([(images[:2], []), ([], []), (images[2:], audio)]):
        alone = processor(text=texts[row], images=mine or None, audio=sounds or None)
        expected = model.generate(**alone, **WANTED, num_beams=2, num_return_sequences=2)
        assert torch.equal(drawn[2 * row : 2 * row + 2, -6:], expected[:, -6:])


def test_media_are_dealt_out_in_order() -> None:
    assert shares([4, 0, 6], [2, 2, 6], "image") == [[0, 1], [], [2]]
    with pytest.raises(ValueError, match="image: 5 placeholder tokens in the text, 4 features of 1 media"):
        shares([5], [4], "image")
    with pytest.raises(ValueError, match="row 0 ends within a medium"):
        shares([3, 5], [4, 4], "audio")


def test_too_few_media_are_refused(model: Any, batch: Any) -> None:
    lacking = {name: value for name, value in batch.items() if name != "input_features"}
    with pytest.raises(ValueError, match="audio: 28 placeholder tokens in the text, 0 features"):
        model(**lacking)
    with pytest.raises(ValueError, match="image: 8 placeholder tokens in the text, 4 features of 1 media"):
        model(**{**batch, "pixel_values": batch["pixel_values"][:1]})


def test_more_tokens_than_a_sound_has_are_refused(model: Any, batch: Any) -> None:
    with pytest.raises(ValueError, match=r"audio_tokens \[9, 26\]: there are 2 sounds of at most 25 tokens"):
        model(**{**batch, "audio_tokens": torch.tensor([9, 26])})


def test_placeholders_are_neither_learned_nor_written(model: Any, batch: Any) -> None:
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        for token in model.config.special_token_ids:
            if token < len(head):
                head[token] = 100 * model(**batch, output_hidden_states=True).hidden_states[-1][0, -1]
    made = model.generate(**batch, **WANTED)[:, -6:]
    assert made.max() < model.config.text_tokens
    labels = batch["input_ids"]
    masked = labels.masked_fill(torch.isin(labels, torch.tensor(model.config.special_token_ids)), -100)
    assert torch.equal(model(**batch, labels=labels).loss, model(**batch, labels=masked).loss)


def test_placeholders_may_lie_beyond_the_vocabulary(
    parts: dict[str, Path], tmp_path: Path, batch: Any
) -> None:
    from tests.unit.models.omni.small import text_model

    base = text_model("llama", tmp_path / "base", vocab_size=280)
    model = load_model(omni(base, tmp_path / "omni", parts["vision"], parts["audio"]), torch.float32).eval()
    assert model.config.vocab_size > model.config.text_config.vocab_size == 280
    assert model(**batch, labels=batch["input_ids"]).logits.shape[-1] == 280
    assert model.generate(**batch, **WANTED, repetition_penalty=1.5)[:, -6:].max() < 280


def test_encoders_stay_frozen_and_in_evaluation_mode(model: Any) -> None:
    model.train().requires_grad_(True)
    for encoder in (model.vision_encoder, model.audio_encoder):
        assert not any(module.training for module in encoder.modules())
        assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert model.vision_projector.training and model.language_model.training
    assert all(parameter.requires_grad for parameter in model.language_model.parameters())


def test_features_start_at_the_size_of_text(model: Any, batch: Any) -> None:
    text = model.get_input_embeddings()(torch.arange(model.config.text_tokens)).square().mean().sqrt()
    torch.testing.assert_close(torch.tensor(model.config.text_embedding_rms), text, rtol=1e-4, atol=0)
    for features in (model.features_of(batch)["image"], model.features_of(batch)["audio"]):
        size = torch.cat(features).square().mean().sqrt()
        assert 0.6 < size / text < 1.6


def test_checkpointing_changes_no_gradient(model: Any, batch: Any) -> None:
    model.train()
    model(**batch, labels=batch["input_ids"]).loss.backward()
    without = gradients(model)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    assert any(getattr(module, "gradient_checkpointing", False) for module in model.language_model.modules())
    model(**batch, labels=batch["input_ids"]).loss.backward()
    with_it = gradients(model)
    assert without.keys() == with_it.keys() and any("vision_projector" in name for name in without)
    assert all(torch.equal(with_it[name], gradient) for name, gradient in without.items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_rotary_frequencies_keep_32_bits(
    checkpoint: Path, parts: dict[str, Path], dtype: torch.dtype
) -> None:
    model, alone = load_model(checkpoint, dtype), AutoModelForCausalLM.from_pretrained(parts["base"])
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert torch.equal(model.language_model.model.rotary_emb.inv_freq, alone.model.rotary_emb.inv_freq)


def test_bfloat16_runs(checkpoint: Path, batch: Any) -> None:
    model = load_model(checkpoint, torch.bfloat16)
    model(**batch, labels=batch["input_ids"]).loss.backward()
    assert model.vision_projector.linear_in.weight.grad.dtype == torch.bfloat16


def trained(model: Any, batch: Any, folder: Path, **lora: Any) -> Trained:
    active = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, task_type="CAUSAL_LM", **lora))
    names = [name for name, parameter in active.named_parameters() if parameter.requires_grad]
    assert any("language_model" in name for name in names) and any(
        "vision_projector" in name for name in names
    )
    assert not any("encoder" in name for name in names)
    optimizer = torch.optim.AdamW([p for p in active.parameters() if p.requires_grad], 1e-2)
    losses = []
    for _ in range(4):
        loss = active(**batch, labels=batch["input_ids"]).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    active.save_pretrained(folder)
    return Trained("stage", "adapter", folder)


def test_trl_computes_the_loss_of_texts_by_parts(checkpoint: Path, processor: Any) -> None:
    """As its trainers of preferences and rewards do: states from the backbone, likelihoods from the head."""
    model = load_model(checkpoint, torch.float32)
    ids = processor.tokenizer(["what do you see"], return_tensors="pt")["input_ids"]
    expected = torch.log_softmax(model(ids).logits[:, :-1], -1).gather(-1, ids[:, 1:, None])[..., 0]
    add_fused_lm_head(model)
    found = model(input_ids=ids, labels=ids, fused_lm_head=True).log_probs
    torch.testing.assert_close(found.reshape(-1), expected.reshape(-1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "lora",
    [
        {"target_modules": rf"({LINEAR}|{PROJECTORS})"},
        {"target_modules": LINEAR, "modules_to_save": ["vision_projector", "audio_projector"]},
        {"target_modules": rf"({LINEAR}|language_model\.lm_head|{PROJECTORS})"},
    ],
    ids=["LoRA on both", "projectors whole", "LoRA on a tied head"],
)
def test_adapters_are_saved_and_merged(
    model: Any, checkpoint: Path, batch: Any, lora: dict[str, Any], tmp_path: Path
) -> None:
    stage = trained(model, batch, tmp_path / "adapter", **lora)
    with torch.no_grad():
        again = PeftModel.from_pretrained(load_model(checkpoint, torch.float32), stage.path)
        if "lm_head" not in lora["target_modules"]:
            expected = again(**batch).logits
            torch.testing.assert_close(
                compose(checkpoint, [stage], torch.float32)(**batch).logits, expected, atol=2e-5, rtol=1e-4
            )
        result = merge(
            checkpoint, [stage], "sequential", MergeSettings(), 0, [[5, 9, 200]], tmp_path / "merged"
        )
        merged = load_model(tmp_path / "merged", torch.float32)
        composed = compose(checkpoint, [stage], torch.float32)
        torch.testing.assert_close(merged(**batch).logits, composed(**batch).logits, atol=2e-5, rtol=1e-4)
    assert result.parity.holds
    assert result.tied == ("lm_head" not in lora["target_modules"])


def test_only_the_language_model_is_held_in_4_bits(checkpoint: Path, batch: Any, tmp_path: Path) -> None:
    exact = load_model(checkpoint, torch.float32)
    model = load_model(
        checkpoint, torch.float32, quantization_config=in_4_bits(torch.float32), device_map="cpu"
    )
    kinds: dict[str, set[str]] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            kinds.setdefault(name.split(".")[0], set()).add(type(module).__name__)
    assert kinds.pop("language_model") == {"Linear4bit", "Linear"}  # the head is not quantised
    assert set(kinds) == {"vision_encoder", "vision_projector", "audio_encoder", "audio_projector"}
    assert all(kind <= {"Linear", "NonDynamicallyQuantizableLinear"} for kind in kinds.values())
    for one, other in zip(model.features_of(batch).values(), exact.features_of(batch).values(), strict=True):
        assert torch.equal(torch.cat(one), torch.cat(other))
    prepared = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    stage = trained(prepared, batch, tmp_path / "qlora", target_modules=rf"({LINEAR}|{PROJECTORS})")
    assert compose(checkpoint, [stage], torch.float32)(**batch).logits.isfinite().all()


def test_every_way_to_describe_a_quantisation_spares_the_senses(checkpoint: Path) -> None:
    given = {"load_in_4bit": True, "llm_int8_skip_modules": ["lm_head", "q_proj"]}
    model = load_model(checkpoint, torch.float32, quantization_config=given, device_map="cpu")
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    assert kinds["language_model.model.layers.0.self_attn.q_proj"] == "Linear"
    assert kinds["language_model.model.layers.0.self_attn.k_proj"] == "Linear4bit"
    assert {
        kind for name, kind in kinds.items() if kind == "Linear4bit" and "language_model" not in name
    } == set()
    other = sparing_senses(QuantoConfig(weights="int8"))
    assert set(SPARED) <= set(other.modules_to_not_convert)


def test_a_model_of_one_sense_refuses_the_other(parts: dict[str, Path], batch: Any, tmp_path: Path) -> None:
    folder = omni(parts["base"], tmp_path / "omni", None, parts["audio"])
    model, processor = load_model(folder, torch.float32), AutoProcessor.from_pretrained(folder)
    heard = processor(text="<|audio|>what", audio=sound())
    assert model(**heard).logits.shape[1] == heard["input_ids"].shape[1]
    with pytest.raises(ValueError, match="no vision"):
        processor(text="<|image|>what", images=picture())
    with pytest.raises(ValueError, match="which is for what this model neither takes nor gives"):
        model(input_ids=batch["input_ids"])
    with pytest.raises(ValueError, match="no vision encoder"):
        model(input_ids=heard["input_ids"], pixel_values=batch["pixel_values"])
