"""PEFT and Trainer are there at once; the compiler and data sets are there when they are asked for."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from manus.models.loading.imports import compiled_later

QUICK = """
import sys, torch
before = torch.compile
from manus.models.loading.imports import import_libraries
import_libraries(with_trainer=True)
assert torch.compile is before
assert {"peft", "bitsandbytes", "transformers.trainer"} <= sys.modules.keys()
"""

WITHOUT = """
from torch.optim import AdamW
from accelerate.utils.other import is_compiled_module
from transformers.trainer import is_datasets_available
weight = torch.nn.Parameter(torch.ones(2))
optimizer = AdamW([weight])
weight.grad = torch.ones(2)
optimizer.step()
assert not is_compiled_module(torch.nn.Linear(1, 1)) and not is_datasets_available()
for name in ("torch._dynamo.eval_frame", "torch._inductor.config", "datasets", "pandas"):
    assert name not in sys.modules, name
"""

COMPILED = """
from torch.optim import AdamW
optimizer = AdamW([torch.nn.Parameter(torch.ones(2))])
stand_in = torch._dynamo
twice = torch.compile(lambda x: 2 * x, backend="eager")
assert twice(torch.ones(2)).tolist() == [2, 2]
assert torch._dynamo is sys.modules["torch._dynamo"] is not stand_in and stand_in.is_loaded
assert stand_in.config is torch._dynamo.config and stand_in.eval_frame is torch._dynamo.eval_frame
optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))]})
module = torch.compile(torch.nn.Linear(1, 1), backend="eager")
from accelerate.utils.other import is_compiled_module
assert is_compiled_module(module)
from transformers.integrations import deepgemm
assert stand_in.told and any(getattr(f, "_dynamo_marked_constant", False) for _, f in stand_in.told)
from transformers.masking_utils import TransformGetItemToIndex
with TransformGetItemToIndex():
    assert torch.ones(3)[torch.tensor(1)] == 1
"""

DATA_SETS = """
import datasets, transformers.trainer
rows = datasets.Dataset.from_list([{"a": 1}])
assert transformers.trainer.is_datasets_available()
assert isinstance(rows, transformers.trainer.datasets.Dataset)
assert transformers.utils.is_datasets_available()
"""


@pytest.mark.parametrize(
    "then", [WITHOUT, COMPILED, DATA_SETS], ids=["without them", "the compiler", "data sets"]
)
def test_libraries_come_without_the_compiler_and_data_sets(then: str) -> None:
    done = subprocess.run([sys.executable, "-c", QUICK + then], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("is_decorator_called", [True, False])
def test_a_function_is_compiled_once_and_when_it_is_called(is_decorator_called: bool) -> None:
    asked: list[Any] = []

    def compile_now(function: Any, **options: Any) -> Any:
        asked.append(options)
        return lambda x: function(x) + 1

    def double(x: int) -> int:
        """Twice."""
        return 2 * x

    if is_decorator_called:
        made = compiled_later(compile_now, dynamic=False)(double)
    else:
        made = compiled_later(compile_now, double, dynamic=False)
    assert not asked and made.__doc__ == "Twice."
    assert [made(3), made(4)] == [7, 9]
    assert asked == [{"dynamic": False}]


MEASURING = """
import sys
from manus.models.loading.imports import import_libraries
import_libraries()
import manus.evaluation.probes, manus.models.generation.engine, manus.models.loading.composition
unwanted = {"torch._dynamo.eval_frame", "torch._inductor.config", "transformers.trainer", "datasets"}
assert not unwanted & sys.modules.keys(), unwanted & sys.modules.keys()
"""

PREPARING = """
import sys
import manus.jobs.data as job
job.import_tokenizers()
import manus.data.preparation.choosing, manus.evaluation.probes, manus.models.tokenizer
unwanted = {"torch._dynamo.eval_frame", "peft", "manus.models.generation.engine", "manus.models.omni.modeling"}
assert not unwanted & sys.modules.keys(), unwanted & sys.modules.keys()
"""


@pytest.mark.parametrize("code", [MEASURING, PREPARING], ids=["measuring", "preparing data"])
def test_a_job_imports_no_more_than_it_needs(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
