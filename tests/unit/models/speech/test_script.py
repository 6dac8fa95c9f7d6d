"""Where in the script a row is: the median decides, each word has a frame, long ones end."""

import torch

from manus.models.speech.script import Script


def walked(chances, counts=(3,), longest=50, further=None):
    """Return the places after each step, and who speaks, of rows that all hear the same chances."""
    rows = len(counts)
    script = Script(
        torch.arange(6.0).view(1, 6, 1).expand(rows, 6, 1), torch.tensor(counts), longest, further
    )
    places = []
    for chance in chances:
        script.step(torch.full((rows,), chance))
        places.append((script.at_B.tolist(), script.is_speaking_B.tolist()))
    return places


def test_it_goes_on_at_the_median_of_the_duration():
    places = [at[0] for at, _ in walked([0.2] * 8, counts=(9,)[:1])]
    assert places == [0, 0, 0, 1, 1, 1, 1, 2]  # 0.8 ** 4 < 1/2


def test_a_word_has_one_frame_at_least_and_the_longest_at_most():
    assert [at[0] for at, _ in walked([1.0] * 3, counts=(9,))] == [1, 2, 3]
    assert [at[0] for at, _ in walked([0.0] * 6, counts=(9,), longest=2)] == [0, 1, 1, 2, 2, 3]


def test_rows_end_by_themselves_and_stay_at_their_end():
    places = walked([1.0] * 3, counts=(1, 2))
    assert places == [([0, 1], [False, True]), ([0, 1], [False, False]), ([0, 1], [False, False])]


def test_a_script_that_comes_bit_by_bit_ends_behind_its_last_word():
    coming = iter([torch.full((1, 1, 1), 7.0)])
    script = Script(torch.zeros(1, 1, 1), None, 50, lambda: next(coming, None))
    assert script.word().item() == 0
    script.step(torch.ones(1))
    assert (script.word().item(), script.is_speaking_B.item()) == (7, True)
    script.step(torch.ones(1))
    assert not script.is_speaking_B.item()
