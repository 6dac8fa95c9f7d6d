"""Settings and their values as a report shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Setting:
    """One resolved setting, as text, and whether the recipe left it at its default."""

    group: str
    name: str
    value: str
    is_default: bool


def settings(group: str, model: BaseModel) -> list[Setting]:
    """Return the fields of a settings model as text, each compared with its default."""
    found = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        default = field.get_default(call_default_factory=True, validated_data={})
        found.append(Setting(group, name, shown(value), value == default))
    return found


def shown(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, BaseModel):
        return shown(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) or "–"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value)) or "–"
    return str(value)


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted names."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        nested = (
            flat(item, f"{prefix}{name}.")
            if isinstance(item, Mapping) and item
            else {f"{prefix}{name}": item}
        )
        found |= nested
    return found
