"""The numbers of hours that the policy states, and those that make them true.

Constants, not settings: the policy's text prints them.
"""

from datetime import timedelta

KEPT = timedelta(hours=48)
"""An original, result or preview can be read this long after its batch was submitted."""

EXPORT_KEPT = timedelta(hours=24)
"""An export can be read this long after it was made."""

GONE = timedelta(hours=72)
"""No byte and no key is older, holds excepted."""

UPLOADS_CLOSE = timedelta(hours=60)
"""While a live file is older, nothing new is accepted: deletion is not working."""

START_WITHIN = timedelta(hours=20)
"""A job that no worker took by then fails, or its original would expire under it."""

GRACE = timedelta(minutes=15)
"""What belongs to no row is left alone this long: its row may be on the way."""

PROMISE_WITHIN = timedelta(minutes=10)
"""Kept bytes get their row by then or not at all; shorter than the grace, so the two never meet."""

HOLD_AT_MOST = timedelta(days=30)
"""The longest hold."""
