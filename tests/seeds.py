"""The seed of every test that trains: weights, rows, splits and orders. Another one shows what hangs on it.

MANUS_TEST_SEED=3 .venv/bin/python -m pytest tests/integration/test_learning.py
"""

from __future__ import annotations

import os

SEED = int(os.environ.get("MANUS_TEST_SEED", "0"))
