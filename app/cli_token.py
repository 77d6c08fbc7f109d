"""`python -m app token create`: a token for somebody who need not sign in for it.

Whoever can run this has the server, so nobody is asked for anything; that the operator answers for
the terms is written down as such.
"""

import argparse
import re
from functools import partial

from app.settings import Settings

_LONGEST_EMAIL = 254


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
    create.set_defaults(run=partial(_create, settings))


def _create(settings: Settings, args: argparse.Namespace) -> int:
    from db import acknowledgements, tokens, users
    from db.people import AcknowledgementSource
    from pages.public import Site
    from tasks import service

    service.prepare(settings)
    with service.Service.open(settings) as opened:
        store = opened.store
        user_id = users.ensure_user(store, users.LOCAL, args.email, email=args.email)
        acknowledgements.record(
            store, user_id, Site(settings).policy_version, AcknowledgementSource.OPERATOR
        )
        _, secret = tokens.create(store, user_id, args.name)
    print(secret)
    return 0


def _email(text: str) -> str:
    # Only what tells it from a slip of the keyboard; nothing is ever sent there.
    email = text.strip()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email) or len(email) > _LONGEST_EMAIL:
        raise argparse.ArgumentTypeError(f"'{text}' is not an e-mail address")
    return email
