import subprocess
import sys

import pytest
from pydantic import ValidationError

from manus.errors import InputError
from manus.models.merging.settings import Combination, MergeSettings, chosen


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"combine": "slerp"}, "slerp is not built yet"),
        ({"combine": "tie"}, "Input should be"),
        ({"density": 0.5}, "density is only read by combine"),
        ({"combine": "linear", "density": 0.5}, "not by linear"),
        ({"combine": "ties", "density": 0.0}, "greater than 0"),
        ({"combine": "ties", "density": 1.5}, "less than or equal to 1"),
        ({"combine": "ties", "svd_rank": 8}, "svd_rank is only read by"),
        ({"combine": "svd", "svd_rank": 0}, "greater than or equal to 1"),
        ({"combine": "linear", "majority_sign": "total"}, "majority_sign is only read by"),
        ({"combine": "sum", "weights": {"a": 1.0}}, "write combine: linear"),
        ({"combine": "linear", "weights": {"a": "1"}}, "valid number"),
        ({"combine": "linear", "weights": {"a": float("inf")}}, "finite"),
        ({"combin": "linear"}, "Extra inputs"),
    ],
)
def test_settings_refuse(block: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MergeSettings(**block)


def test_defaults_of_a_combination() -> None:
    names = ["a", "b"]
    assert chosen(MergeSettings(), "sequential", names) == Combination("sum", (1.0, 1.0))
    assert chosen(MergeSettings(), "parallel", names) == Combination("linear", (0.5, 0.5))
    assert chosen(MergeSettings(combine="ties"), "parallel", names).weights == (1.0, 1.0)
    assert chosen(MergeSettings(combine="dare_linear"), "parallel", names).weights == (0.5, 0.5)
    given = MergeSettings(weights={"b": 2, "a": -1})
    assert chosen(given, "parallel", names) == Combination("linear", (-1.0, 2.0))
    with pytest.raises(InputError, match="add combine: linear"):
        chosen(given, "sequential", names)
    with pytest.raises(InputError, match="unknown stage 'b'; did you mean"):
        chosen(given, "parallel", ["a", "bb"])
    with pytest.raises(InputError, match="no weight for stage 'c'"):
        chosen(given, "parallel", ["a", "b", "c"])


def test_the_settings_do_without_torch() -> None:
    code = "import sys, manus.models.merging.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
