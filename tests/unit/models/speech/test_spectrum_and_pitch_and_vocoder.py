"""Mels, pitch and the way back to sound: each is heard in tones whose answer is known."""

import pytest
import torch

from manus.models.speech import pitch, vocoder
from manus.models.speech.spectrum import HOP, MELS, log_mel, magnitudes, mel_filters
from tests.unit.models.speech.clips import buzz, hiss, said


def test_a_tone_is_loudest_in_its_mel_and_mels_are_found_again():
    time_S = torch.arange(16_000) / 16_000
    mels = log_mel(torch.sin(2 * torch.pi * 1000 * time_S))
    assert mels.shape == (1 + 16_000 // HOP, MELS)
    hertz = torch.linspace(0, 8000, len(mel_filters()))
    peaks = hertz[mel_filters().argmax(0)]
    assert abs(peaks[mels[30].argmax()] - 1000) < 60
    smooth = log_mel(hiss())
    again = (magnitudes(smooth) @ mel_filters()).clamp_min(1e-4).log()
    assert (again - smooth).abs().mean() < 0.05


@pytest.mark.parametrize("hertz", [85.0, 120.0, 193.0, 310.0])
def test_the_pitch_of_a_voice_is_tracked(hertz):
    found = pitch.track(buzz(hertz))
    assert found.shape == (1 + 16_000 // HOP,)
    assert (found[3:-3] / hertz - 1).abs().max() < 0.02


def test_noise_and_silence_have_no_pitch():
    assert (pitch.track(hiss()) > 0).float().mean() < 0.05
    assert not pitch.track(torch.zeros(8000)).any()


def test_classes_of_pitch_are_those_of_their_hertz():
    hertz = torch.tensor([0.0, 65.0, 130.0, 66.0, 5000.0])
    assert pitch.to_classes(hertz).tolist() == [0, 1, 27, 2, pitch.PITCHES]


def test_the_path_does_not_look_ahead():
    torch.manual_seed(0)
    reader = pitch.PitchReader()
    mels = torch.randn(40, MELS) - 4
    seen = pitch.with_context(mels)
    whole, _ = reader.hertz(seen, None)
    first, past = reader.hertz(seen[:17], None)
    second, _ = reader.hertz(seen[17:], past)
    assert torch.allclose(torch.cat([first, second]), whole, atol=1e-3)


class Fixed(pitch.PitchReader):
    """Says the pitch that it is told, whatever the mels are."""

    def __init__(self, hertz_T):
        super().__init__()
        self.hertz_T, self.at = hertz_T, 0

    def hertz(self, seen_TC, past):
        self.at += len(seen_TC)
        return self.hertz_T[self.at - len(seen_TC) : self.at], pitch.PitchPath(torch.zeros(pitch.PITCHES))


def resynthesised(waves, sizes=None):
    """Return a sound made anew from its mels and its tracked pitch, in pieces of so many frames."""
    mels = log_mel(waves)
    reader, past, parts = Fixed(pitch.track(waves)), vocoder.beginning(), []
    noise = vocoder.drawn_noise(0)
    for piece in mels.split(sizes or len(mels)):
        made, past = vocoder.continued(reader, noise, piece, past, is_last=False)
        parts.append(made)
    made, past = vocoder.continued(reader, noise, mels[:0], past, is_last=True)
    return torch.cat([*parts, made]), mels


def test_what_is_made_has_the_pitch_and_the_mels_that_it_was_made_of():
    waves = said([buzz(110.0, 0.5), hiss(0.3), buzz(200.0, 0.5)])
    made, mels = resynthesised(waves)
    assert len(made) == len(mels) * HOP
    before, after = pitch.track(waves), pitch.track(made)[: len(mels)]
    both = (before > 0) & (after > 0)
    assert both.sum() > 0.8 * (before > 0).sum()
    assert (after / before - 1)[both].abs().median() < 0.02
    loud = mels > -3
    assert (log_mel(made)[: len(mels)] - mels)[loud].abs().mean() < 0.6


@pytest.mark.parametrize("sizes", [1, 3, 16])
def test_pieces_are_the_sound_of_all_at_once(sizes):
    waves = said([buzz(110.0, 0.4), hiss(0.2), buzz(200.0, 0.4)])
    whole, parts = resynthesised(waves)[0], resynthesised(waves, sizes)[0]
    assert whole.shape == parts.shape
    assert (whole - parts).abs().max() < 1e-3
    assert (whole - parts).pow(2).mean().sqrt() < 1e-4
