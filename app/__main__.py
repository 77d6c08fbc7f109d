"""The command line: `python -m app COMMAND`.

Says what went wrong in one sentence on stderr and ends with status 2; an interrupted command ends
with 130. What a command does is in its own module.
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from app import cli_models, cli_service, cli_token, cli_upscale
from app.settings import InvalidSettings, load_settings
from db.errors import StoreError
from inference.errors import EngineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        settings = load_settings()
    except InvalidSettings as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(prog="python -m app", description="Upscale pictures.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    cli_upscale.add_parser(commands, settings)
    cli_models.add_parser(commands, default_models=settings.models_dir)
    cli_service.add_parser(commands, settings)
    cli_token.add_parser(commands, settings)
    args = parser.parse_args(arguments)
    # A shell's background job starts with SIGINT ignored, and SIGTERM would skip the cleaning up.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(args.run(args))
    except (EngineError, StoreError, InvalidSettings) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
