"""What a sense cut off costs is measured on the same samples; retrieval finds what a model tells apart."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from manus.capabilities import known_capabilities
from manus.evaluation.ablations import drawn, measure_ablated
from manus.evaluation.intervals import wilson
from manus.evaluation.probes import Probe
from manus.evaluation.retrieval import candidates, likelihoods, retrieve
from manus.report.cut_off import cut_off

hearing, omni, video_understanding = (
    known_capabilities()[name] for name in ("hearing", "omni", "video-understanding")
)

SIZES = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
ORDER, COLOUR = "order: direction", "colour"


class Clips:
    """A reader whose frames tell where they belong."""

    def facts(self, number):
        return {"kind": "video"}

    def frames(self, number, times):
        import numpy as np

        return np.stack([np.full((2, 2, 3), 10 * number + place, np.uint8) for place in range(len(times))])

    def image(self, number):
        raise AssertionError("there is no picture")

    def audio(self, number):
        raise AssertionError("there is no sound")


def clip(number, answer):
    turns = [{"role": "user", "content": "<|video|>\nWhat?"}, {"role": "assistant", "content": answer}]
    level = ORDER if number % 2 else COLOUR
    return {
        "messages": turns,
        "answer": answer,
        "level": level,
        "media": [{"kind": "video", "number": number}],
    }


def seeing(probe, media, title):
    """Measure a model that looks: it names the clip's number; for questions about order only with frames."""
    values = []
    for sample in probe.usable:
        said = "nothing"
        if sample.get("media"):
            shown = [
                int(frame[0, 0, 0]) for frame in media.frames(sample["media"][0]["number"], [0, 1, 2, 3])
            ]
            in_order = shown == sorted(shown) and len(set(shown)) > 1
            if len(set(shown)) > 1 and (in_order or sample["level"] == COLOUR):
                said = str(min(shown) // 10)
        values.append(float(probe.verifier(sample, said).correct))
    levels = {}
    for name in {sample["level"] for sample in probe.usable}:
        of_level = [
            value for value, sample in zip(values, probe.usable, strict=True) if sample["level"] == name
        ]
        levels[name] = {"value": sum(of_level) / len(of_level), "samples": len(of_level)}
    low, high = wilson(int(sum(values)), len(values))
    return {
        "value": sum(values) / len(values),
        "low": low,
        "high": high,
        "levels": levels,
        "values": values,
        "samples": len(values),
    }


@pytest.mark.parametrize("most", [60, 9])
def test_each_ablation_takes_what_it_should(most):
    samples = [clip(number, str(number)) for number in range(20)]
    probe = Probe("video", video_understanding, video_understanding.Settings(), samples, 64)
    whole = seeing(probe, Clips(), "")
    assert whole["value"] == 1
    found = measure_ablated(probe, Clips(), seeing, whole, most_samples=most)
    assert list(found) == list(video_understanding.ABLATIONS)
    for name in ("question alone", "frames blanked", "clip swapped"):
        assert found[name]["value"] == 0 and found[name]["drop"] == {
            "value": 1,
            "low": 1,
            "high": 1,
            "samples": min(most, 20),
        }
        assert found[name]["samples"] == min(most, 20) and found[name]["hurts"] == ""
    shuffled = found["frames shuffled"]
    assert shuffled["hurts"] == "order: "
    assert {name: level["value"] for name, level in shuffled["levels"].items()} == {ORDER: 0, COLOUR: 1}
    assert {level["whole"] for level in shuffled["levels"].values()} == {1.0}
    asked = shuffled["levels"][ORDER]["samples"]
    assert shuffled["drop"] == {"value": 1, "low": 1, "high": 1, "samples": asked} and 0 < asked < min(
        most, 20
    )


def test_what_cannot_be_swapped_is_left_out():
    samples = [clip(1, "1"), clip(1, "1")]
    probe = Probe("video", video_understanding, video_understanding.Settings(), samples, 64)
    found = measure_ablated(probe, Clips(), seeing, seeing(probe, Clips(), ""))
    assert "clip swapped" not in found and "frames blanked" in found


def test_what_changes_no_medium_is_left_out_and_kinds_of_media_can_be_hurt():
    """A probe of several senses: each is cut off alone; only its own media fall and are asked again."""
    kinds = ["image", "image", "audio", "audio"]
    samples = [
        {"messages": [], "answer": str(n), "level": "caption", "media": [{"kind": kind, "number": n}]}
        for n, kind in enumerate(kinds)
    ]
    both = replace(
        video_understanding,
        ABLATIONS={"picture blanked": "blanked", "sound silenced": "silenced", "frames shuffled": "shuffled"},
        HURT_LEVELS={"picture blanked": "image", "sound silenced": "audio"},
        can_score=lambda sample: True,
    )

    def measured(probe, media, title):
        cut = "image" if "blanked" in title else "audio"
        assert [sample["media"][0]["kind"] for sample in probe.usable] == [cut, cut]
        values = [float(sample["media"][0]["kind"] != cut) for sample in probe.usable]
        levels = {kind: {"value": float(kind != cut), "samples": 2} for kind in ("image", "audio")}
        return {"value": 0.5, "low": 0.1, "high": 0.9, "levels": levels, "values": values}

    found = measure_ablated(Probe("omni", both, None, samples, 64), Clips(), measured, {"values": [1.0] * 4})
    assert list(found) == ["picture blanked", "sound silenced"]
    assert found["picture blanked"]["samples"] == found["sound silenced"]["samples"] == 2
    assert found["picture blanked"]["drop"] == {"value": 1, "low": 1, "high": 1, "samples": 2}
    assert found["sound silenced"]["levels"]["audio"] == {"value": 0.0, "samples": 2, "whole": 1.0}


@pytest.mark.parametrize("captions", [["a"], ["same", "same"]])
def test_a_sound_that_nothing_can_be_told_from_is_left_out_and_said(captions, capsys):
    """Retrieval finds a caption among others: where there are none, that ablation measures nothing."""
    kinds = ["image", "image", *["audio"] * len(captions)]
    samples = [
        {"messages": [], "answer": text, "level": "caption", "media": [{"kind": kind, "number": n}]}
        for n, (kind, text) in enumerate(zip(kinds, ["red", "blue", *captions], strict=True))
    ]
    probe = Probe("omni", omni, omni.Settings(), samples, 64)

    def measured(probe, media, title):
        assert {sample["media"][0]["kind"] for sample in probe.usable} != {"audio"}, (
            "the probe would refuse these"
        )
        return {"value": 0.5, "low": 0.1, "high": 0.9, "levels": {}, "values": [0.0] * len(probe.usable)}

    found = measure_ablated(probe, Clips(), measured, {"values": [1.0] * len(samples)})
    assert "picture blanked" in found and "sound silenced" not in found
    assert (
        "omni: sound silenced: left out, the held-out samples have too few media" in capsys.readouterr().out
    )
    table = cut_off(found, omni.ABLATIONS)
    assert "sound silenced" in table.left_out and "picture blanked" not in table.left_out


def test_samples_are_drawn_across_kinds_that_come_in_turn():
    chosen = drawn(120, 60, 0)
    assert len(set(chosen)) == 60 and chosen == sorted(chosen) == drawn(120, 60, 0)
    assert {index % 6 for index in chosen} == set(range(6))
    assert drawn(5, 60, 0) == [0, 1, 2, 3, 4]


def test_the_probes_settings_reach_the_verifier():
    row = {"audio": {"bytes": b"RIFF"}, "text": "one two three four"}
    sample = hearing.read(row)
    for most, right in ((0.3, True), (0.1, False)):
        probe = Probe("hearing", hearing, hearing.Settings(most_word_errors=most), [sample], 64)
        assert probe.verifier(sample, "one two three five").correct is right


# Retrieval


@pytest.fixture(params=[LlamaForCausalLM, Qwen2ForCausalLM])
def model(request):
    torch.manual_seed(0)
    config = LlamaConfig if request.param is LlamaForCausalLM else Qwen2Config
    return request.param(config(**SIZES)).eval()


def test_likelihoods_with_a_shared_cache_are_those_of_each_whole_text(model):
    prompt, texts = [3, 7, 9, 4, 11], [[5, 6], [8], [9, 10, 11, 12, 2], [5, 6, 2]]
    expected = []
    for text in texts:
        ids = torch.tensor([prompt + text])
        with torch.no_grad():
            logits = model(ids).logits[0, len(prompt) - 1 : -1]
        expected.append(torch.nn.functional.cross_entropy(logits, torch.tensor(text)).item())
    found = likelihoods(model, {"input_ids": torch.tensor([prompt])}, texts)
    assert found == pytest.approx(expected, abs=1e-5)
    assert likelihoods(model, {"input_ids": torch.tensor([prompt])}, texts[1:2]) == pytest.approx(
        expected[1:2], abs=1e-5
    )


def captioned(number, kind="image", text=None):
    return {"answer": text or f"thing {number}", "media": [{"kind": kind, "number": number}]}


def test_candidates_are_its_own_and_others_of_its_kind_with_other_words():
    samples = [captioned(n) for n in range(12)] + [captioned(n, "audio") for n in range(12, 15)]
    samples += [captioned(15, text="thing 0")]
    chosen = candidates(samples, 8, seed=1)
    assert chosen == candidates(samples, 8, seed=1) != candidates(samples, 8, seed=2)
    for index, found in enumerate(chosen):
        assert found[0] == index and len(found) == (3 if 12 <= index < 15 else 8)
        assert len({samples[other]["answer"] for other in found}) == len(found)
        assert len({samples[other]["media"][0]["kind"] for other in found}) == 1


class Looking(torch.nn.Module):
    """A causal model that, unless it is blind, sees the medium: its tokens become likely."""

    def __init__(self, blind):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.blind, self.reads = LlamaForCausalLM(LlamaConfig(**SIZES)), blind, 0
        self.device, self.hint = torch.device("cpu"), None

    def forward(self, pixel_values=None, **inputs):
        if pixel_values is not None:
            self.hint, self.reads = torch.zeros(40).index_fill(0, pixel_values, 4.0), self.reads + 1
        read = self.inner(**inputs)
        logits = read.logits if self.blind else read.logits + self.hint
        return SimpleNamespace(logits=logits, past_key_values=read.past_key_values)


@pytest.mark.parametrize("blind", [False, True])
def test_a_model_that_sees_finds_captions_and_a_blind_one_guesses(blind):
    samples = [captioned(n) for n in range(30)]
    words = torch.randperm(30, generator=torch.Generator().manual_seed(1)).tolist()

    def tokens(text):
        number = int(text.split()[1])
        return [5 + words[number], 5 + words[(number + 7) % 30], 2]

    def prompted(sample):
        seen = torch.tensor(tokens(sample["answer"])[:2])
        return {"input_ids": torch.tensor([[3, 4, 3]]), "pixel_values": seen}

    model = Looking(blind)
    result = retrieve(model, prompted, tokens, samples, "retrieval", count=8)
    assert result["chance"] == pytest.approx(1 / 8) and len(result["values"]) == len(result["said"]) == 30
    assert model.reads == 30  # each medium is read once, not once a caption
    assert result["levels"]["image"]["samples"] == 30
    if blind:
        assert result["value"] < 0.35
    else:
        assert result["value"] == 1 and result["said"][3]["text"] == "thing 3"
        assert result["said"][3]["note"].endswith("rank 1 of 8")


def test_captions_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="two media of a kind"):
        retrieve(
            Looking(True), None, None, [captioned(1, text="same"), captioned(2, text="same")], "retrieval"
        )


def test_a_medium_without_others_of_its_kind_keeps_its_place():
    samples = [captioned(1), captioned(2, "audio"), captioned(3)]
    inputs = {"input_ids": torch.tensor([[3]]), "pixel_values": torch.tensor([1])}
    result = retrieve(
        Looking(True), lambda sample: inputs, lambda text: [4 + int(text[-1])], samples, "retrieval"
    )
    assert len(result["values"]) == len(result["said"]) == 3 and result["values"][1] == 0
    assert result["chance"] == pytest.approx((0.5 + 0 + 0.5) / 3) and result["said"][1]["note"].endswith(
        "rank 1 of 1"
    )


def test_a_tie_is_no_find():
    samples = [captioned(1), captioned(2)]
    inputs = {"input_ids": torch.tensor([[3]]), "pixel_values": torch.tensor([1])}
    assert (
        retrieve(Looking(True), lambda sample: inputs, lambda text: [5], samples, "retrieval")["value"] == 0
    )
