"""The command line. Each command reads its arguments, calls one function below, and prints.

Knows no details of any layer; imports them inside the commands, so that `manus --help` is immediate.
"""

from __future__ import annotations

from typing import Any

import typer
import typer.core

from manus.errors import InputError

PLANNED = ("export", "draw")


class Commands(typer.core.TyperGroup):
    """The commands, and an honest word about those that are designed but not built."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that was asked for.

        Raises:
            InputError: it is not built yet.
        """
        if args[0] in PLANNED:
            raise InputError(f"manus {args[0]} is designed but not built yet; `manus --help` shows what is")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="manus",
    cls=Commands,
    help="Grow a base language model, one capability at a time, from one YAML recipe.\n\n"
    "Start with `manus new my.yaml`, look at `manus plan my.yaml`, then run "
    "`snakemake --config recipe=my.yaml`. With --debug, an error shows where in the code it arose.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
