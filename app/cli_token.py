"""`python -m app token create`: a token for somebody who need not sign in for it.

Whoever can run this has the server, so nobody is asked for anything; that the operator answers for
the terms is written down as such.
"""

import argparse
import re
from datetime import timedelta
from functools import partial

from app.settings import Settings

_LONGEST_EMAIL = 254
_MOST_DAYS = 3650


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings
) -> None:
    """Add the command `token` to the command line."""
    token = commands.add_parser("token", help="make tokens for programs")
    subcommands = token.add_subparsers(required=True, metavar="COMMAND")
    help = "print a new token, and make its user when there is none"
    create = subcommands.add_parser("create", help=help, description=help.capitalize() + ".")
    create.add_argument(
        "--email", required=True, type=_email, help="who the user is, on this server"
    )
    create.add_argument("--name", default="command line", help="of the token (%(default)s)")
    create.add_argument(
        "--scope",
        choices=("read", "write"),
        default="write",
        help="read: only look at batches and download; write: upscale, cancel and delete as well "
        "(%(default)s)",
    )
    create.add_argument(
        "--days", type=_days, help="how long the token works (without it, until it is revoked)"
    )
    create.set_defaults(run=partial(_create, settings))


def _create(settings: Settings, args: argparse.Namespace) -> int:
    from db import acknowledgements, tokens, users
    from db.people import AcknowledgementSource, Scope
    from pages.public import Site
    from tasks import service

    service.prepare(settings)
    with service.Service.open(settings) as opened:
        store = opened.store
        user_id = users.ensure_user(store, users.LOCAL, args.email, email=args.email)
        acknowledgements.record(
            store, user_id, Site(settings).policy_version, AcknowledgementSource.OPERATOR
        )
        _, secret = tokens.create(
            store, user_id, args.name, scope=Scope(args.scope), lasts=args.days
        )
    print(secret)
    return 0


def _days(text: str) -> timedelta:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of days up to {_MOST_DAYS}")
    return timedelta(days=int(text))


def _email(text: str) -> str:
    # Only what tells it from a slip of the keyboard; nothing is ever sent there.
    email = text.strip()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email) or len(email) > _LONGEST_EMAIL:
        raise argparse.ArgumentTypeError(f"'{text}' is not an e-mail address")
    return email
