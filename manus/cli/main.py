"""Runs the command line: all commands, and what becomes of errors. Knows no command's work."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from manus.cli import building, cleaning, data, models, podcast, recipes, running, serving, speech
from manus.cli.app import app
from manus.errors import EXIT_FAILED, Interrupted, ManusError, of_the_machine
from manus.store.environment import ensure_home

# Importing them is what gives `app` its commands.
COMMANDS = (recipes, models, serving, speech, podcast, building, data, running, cleaning)


def main() -> None:
    """Run the command line; errors for users are one message and an exit code."""
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        ensure_home()
        app()
    except ManusError as error:
        if debug:
            traceback.print_exc()
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(Interrupted.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if debug:
            raise
        if told := _full_disk(error):
            print(told, file=sys.stderr)
            sys.exit(EXIT_FAILED)
        if (refused := of_the_machine(error)) is not None:
            print(refused, file=sys.stderr)
            sys.exit(refused.exit_code)
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(
            f"unexpected {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})",
            file=sys.stderr,
        )
        print("this is not your fault; run again with --debug for the details", file=sys.stderr)
        sys.exit(EXIT_FAILED)


def _full_disk(error: Exception) -> str | None:
    """Return what to say of an error that a full disk caused, whichever library met it."""
    from manus.guards.checkpoint import is_disk_full

    if not is_disk_full(error):
        return None
    place = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    return f"the disk is full{place}; free some space and run the same again: what was finished is kept"
