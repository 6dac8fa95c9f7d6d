"""Codes that come bit by bit: the pieces are the sound of all at once, by either way."""

import pytest
import torch

from manus.models.speech.streaming import StreamedDecoding


class Smoothed:
    """A codec that knows no way to go on: each sample hangs on its frame and the three before."""

    sample_rate, frames_per_second, codebooks, codebook_size, left_context_frames = 100, 12.5, 2, 10, 3

    def encode(self, waves_S):
        raise NotImplementedError

    def decode(self, codes_KF):
        sums_F = codes_KF.sum(0).float()
        padded = torch.cat([torch.zeros(3), sums_F])
        return padded.unfold(0, 4, 1).mean(1).repeat_interleave(8)


CODES = torch.randint(0, 10, (2, 23), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [1, 2, 5, 23])
def test_left_context_gives_what_decoding_at_once_gives(size):
    stream = StreamedDecoding(Smoothed())
    parts = [stream.add(piece) for piece in CODES.split(size, 1)]
    assert all(
        len(part) == 8 * piece.shape[1] for part, piece in zip(parts, CODES.split(size, 1), strict=True)
    )
    assert torch.equal(torch.cat([*parts, stream.end()]), Smoothed().decode(CODES))


def test_without_context_it_would_differ():
    class Forgetful(Smoothed):
        left_context_frames = 0

    stream = StreamedDecoding(Forgetful())
    parts = torch.cat([stream.add(piece) for piece in CODES.split(5, 1)])
    assert not torch.equal(parts, Smoothed().decode(CODES))


def test_a_stream_takes_its_own_codes_and_ends_once():
    stream = StreamedDecoding(Smoothed())
    assert len(stream.add(CODES[:, :0])) == 0
    with pytest.raises(ValueError, match=r"shape \[1, 23\] are not \[2, frames\]"):
        stream.add(CODES[:1])
    stream.end()
    for again in (stream.end, lambda: stream.add(CODES)):
        with pytest.raises(ValueError, match="has ended"):
            again()
