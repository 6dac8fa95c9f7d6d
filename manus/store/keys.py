"""How a key is made from what makes an artifact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY_LENGTH = 20


def key_of(ingredients: Mapping[str, Any]) -> str:
    """Return the key of an artifact: a hash over everything that can alter it."""
    return hashlib.sha256(canonical(ingredients).encode()).hexdigest()[:KEY_LENGTH]


def canonical(value: Any) -> str:
    """Return JSON whose bytes depend on the content only, not on the order of keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
