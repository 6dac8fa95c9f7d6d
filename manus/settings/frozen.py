"""The base of everything that comes from YAML: strict, frozen, nothing unknown. Knows no setting."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A strict, immutable model that refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
