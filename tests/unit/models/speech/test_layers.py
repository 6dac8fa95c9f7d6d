"""The layers of a talker: what is remembered is what is seen."""

import torch

from manus.models.speech.layers import Block, PastFrames, looking_back, rotated, rotation


def test_a_frame_sees_itself_and_those_before_it_within_the_window():
    mask = looking_back(5, 2, torch.device("cpu"))
    assert mask.int().tolist() == [
        [1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1],
    ]  # fmt: skip


def test_attention_hangs_on_distances_not_on_places():
    draw = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(2, 1, 1, 6, 8, generator=draw)

    def scores(begin):
        turns = rotation(torch.arange(begin, begin + 6), 8)
        return rotated(queries, turns) @ rotated(keys, turns).transpose(-1, -2)

    assert torch.allclose(scores(0), scores(1000), atol=1e-3)
    assert not torch.allclose(scores(0), queries @ keys.transpose(-1, -2), atol=1e-2)


def test_frame_by_frame_equals_all_at_once_and_memory_is_bounded():
    torch.manual_seed(0)
    block, window = Block(16, 2, 0.5).eval(), 4
    frames = torch.randn(2, 11, 16)
    whole = block(
        frames, rotation(torch.arange(11), 8), looking_back(11, window, frames.device), None, window
    )
    past, steps = PastFrames(), []
    for place in range(11):
        turns = rotation(torch.tensor([place]), 8)
        steps.append(block(frames[:, place : place + 1], turns, None, past, window))
    assert torch.allclose(torch.cat(steps, 1), whole, atol=1e-5)
    assert past.keys.shape[2] == window
