"""Every word of the pages that is not a document: one place, ready for translation.

A key is a literal wherever it is used, here and in the pages' JavaScript, so that a test can find
all of them. `{name}` stands for a value. What is counted has a form for each plural category of
the language (`.one`, `.other`), chosen by `count`. Longer texts are in `content/`.
"""

import json
import re
from collections.abc import Mapping
from functools import cache

LANGUAGE = "en"

_SLOT = re.compile(r"\{(\w+)\}")


def t(key: str, **values: object) -> str:
    """The words of `key` with the values filled in, as plain text: who makes HTML escapes it.

    Raises `KeyError` for a key that is not there, and for a value that is missing.
    """
    if key not in TEXTS and "count" in values:
        key = f"{key}.{'one' if values['count'] == 1 else 'other'}"
    return _SLOT.sub(lambda slot: str(values[slot[1]]), TEXTS[key])


@cache
def module() -> str:
    """The same for browsers: the JavaScript module that `static/say.js` imports."""
    texts = json.dumps(TEXTS, ensure_ascii=False, separators=(",", ":"))
    return f'export const LANGUAGE = "{LANGUAGE}";\nexport const TEXTS = {texts};\n'


TEXTS: Mapping[str, str] = {
    # --- sizes, times and states: static/words.js ---
    "pictures.one": "{count} picture",
    "pictures.other": "{count} pictures",
    "size": "{width} × {height}",
    "weight.gb": "{number} GB",
    "weight.mb": "{number} MB",
    "weight.kb": "{number} kB",
    "span.seconds": "{seconds} s",
    "span.minutes": "{minutes} min",
    "span.hours": "{hours} h",
    "span.brief": "less than a minute",
    "when.today": "today {time}",
    "when.yesterday": "yesterday {time}",
    "when.day": "{day} {time}",
    "queue.next": "next",
    "queue.waiting": "waiting",
    "queue.second": "second in the queue",
    "queue.third": "third in the queue",
    "queue.fourth": "fourth in the queue",
    "queue.fifth": "fifth in the queue",
    "queue.place": "number {place} in the queue",
    "readable.for": "readable for {span}",
    "readable.over": "no longer readable",
    "note.stopping": "stopping",
    "note.starting": "starting",
    "note.share": "{percent} %",
    "note.left": "{percent} % · {span} left",
    "note.deleted": "deleted",
    "note.done": "done in {span} · {left}",
    "note.canceled": "canceled",
    "outcome.running": "running",
    "outcome.waiting": "waiting",
    "outcome.part": "{done} of {all} done",
    "outcome.succeeded": "done",
    "outcome.failed": "failed",
    "outcome.canceled": "canceled",
    "outcome.count": "{count} {what}",
    "goal.long_side": "{pixels} px long side",
    "goal.within": "within {size}",
    "goal.width": "{pixels} px wide",
    "goal.height": "{pixels} px high",
    "goal.scale": "{scale}×",
    "format.png": "PNG",
    "format.jpg": "JPEG",
    "format.webp": "WebP",
    "refusal.kind": "This is not a PNG, JPEG or WebP picture.",
    "refusal.bytes": "{weight} MB; {most} MB is the most that is accepted here.",
    "refusal.broken": "This picture cannot be read; the file may be damaged.",
    "refusal.input": "{megapixels} megapixels; {most} is the most that is accepted here.",
    "refusal.output": "The result would be {size}, {megapixels} megapixels; {most} is the most that"
    " is made here. Choose a smaller scale.",
    "refusal.side": "The result would be {size}; {format} ends at {most} a side. Choose PNG or a"
    " smaller scale.",
    # --- landing, sign-in and the other pages without JavaScript: templates/ ---
    # --- the bar and the tabs: blocks.py ---
    # --- upscale: upscale.py, static/upscale.js and what it imports ---
    # --- try: static/try.js ---
    # --- compare: static/viewer.js and what it imports ---
    # --- history: static/history.js ---
    # --- account: account.py, static/account.js and what it imports ---
    "account.unnamed": "You",
    "account.again": "Try again",
    "account.copy": "Copy",
    "account.copied": "Copied",
    "account.press_copy": "Press Ctrl+C",
    "account.you": "You",
    "account.name": "Name",
    "account.name.save": "Save",
    "account.name.saved": "The name is saved.",
    "account.name.note": "What this page calls you, and nobody else sees.",
    "account.email": "E-mail",
    "account.email.none": "none was told to us",
    "account.email.verified": "verified by {provider}",
    "account.email.unverified": "not verified; nothing is ever sent there",
    "account.ways": "Signs in with",
    "account.way.local": "This server itself",
    "account.way.since": "since {when}",
    "account.since": "Member since",
    "account.quota": "In use",
    "account.quota.open": "{open} of {most} unfinished pictures",
    "account.quota.stored": "{weight} stored",
    "account.quota.batch": "A batch takes up to {pictures}, each of {weight} MB and {megapixels}"
    " megapixels at most; a result may have {result} megapixels.",
    "account.signed_in": "Signed in",
    "account.session.on": "{browser} on {system}",
    "account.session.here": "This browser",
    "account.session.elsewhere": "Another browser",
    "account.session.this": "this one",
    "account.session.since": "since ",
    "account.session.seen": " · last seen ",
    "account.session.network": " · from {network}",
    "account.session.end": "Sign out",
    "account.session.ended": "That browser is signed out.",
    "account.session.everywhere": "Sign out everywhere",
    "account.session.everywhere.note": "Here too. Tokens go on working: revoke them below.",
    "browser.chrome": "Chrome",
    "browser.edge": "Edge",
    "browser.firefox": "Firefox",
    "browser.safari": "Safari",
    "system.android": "Android",
    "system.ios": "iOS",
    "system.linux": "Linux",
    "system.macos": "macOS",
    "system.windows": "Windows",
    "account.tokens": "Tokens",
    "account.tokens.note": "A program signs in with a token. One for reading looks at batches and"
    " downloads; one for reading and writing also upscales, cancels and deletes. None of them makes"
    " tokens or changes your account.",
    "account.tokens.none": "No program has a token yet.",
    "account.token.unnamed": "A program",
    "account.token.name": "Name",
    "account.token.example": "What uses it, such as “backup script”",
    "account.token.scope": "It may",
    "account.token.scope.write": "read and write",
    "account.token.scope.read": "only read",
    "account.token.lasts": "It works for",
    "account.token.lasts.30": "30 days",
    "account.token.lasts.90": "90 days",
    "account.token.lasts.365": "a year",
    "account.token.lasts.none": "as long as it is wanted",
    "account.token.make": "Make a token",
    "account.token.may.write": "may read and write",
    "account.token.may.read": "may only read",
    "account.token.made": " · made ",
    "account.token.used": " · last used {day}",
    "account.token.unused": " · never used",
    "account.token.until": " · works until ",
    "account.token.endless": " · until it is revoked",
    "account.token.over": " · over since ",
    "account.token.remove": "Remove",
    "account.token.revoke": "Revoke",
    "account.token.revoke.now": "Revoke now",
    "account.token.keep": "Keep",
    "account.token.revoked": "The token is revoked.",
    "account.secret": "The new token",
    "account.secret.now": "Copy it now: ",
    "account.secret.once": "it is shown this once, and nobody can look it up.",
    "account.secret.export": "Copy for the shell",
    "account.secret.done": "Done",
    "account.examples": "How a program uses it",
    "account.examples.note": "Each example upscales photo.jpg from the folder that you are in. The"
    " token comes from the environment and stands in none of them:",
    "account.examples.python": "Python, after pip install gradio_client",
    "account.examples.curl": "curl",
    "account.examples.more": "Everything else that the API can do",
    "account.examples.copy": "Copy {what}",
    "account.held": "What is held about you",
    "account.held.note": "Counted just now. The {policy} says what each is for.",
    "account.held.policy": "privacy policy",
    "account.held.files": "Pictures",
    "account.held.originals.one": "1 original, {weight}",
    "account.held.originals.other": "{count} originals, {weight}",
    "account.held.results.one": "1 result, {weight}",
    "account.held.results.other": "{count} results, {weight}",
    "account.held.previews.one": "1 preview, {weight}",
    "account.held.previews.other": "{count} previews, {weight}",
    "account.held.exports.one": "1 export, {weight}",
    "account.held.exports.other": "{count} exports, {weight}",
    "account.held.none": "none now",
    "account.held.first": "The oldest can be read for {span} more.",
    "account.held.going": "The oldest is being deleted.",
    "account.held.files.keep": "Encrypted; unreadable after {readable} hours, gone by {gone}, and"
    " at once with Delete now in the history.",
    "account.held.waiting": "Uploads",
    "account.held.waiting.files.one": "1 file, {weight}",
    "account.held.waiting.files.other": "{count} files, {weight}",
    "account.held.waiting.keep": "Sent and not yet handed in; removed after an hour.",
    "account.held.history": "History",
    "account.held.batches.one": "1 batch",
    "account.held.batches.other": "{count} batches",
    "account.held.pictures": "{batches}, {pictures}",
    "account.held.history.keep": "Names, sizes, settings, times, receipts; each for {days} days.",
    "account.held.oldest": "The oldest is of {day}.",
    "account.held.sessions": "Sessions",
    "account.held.sessions.keep": "Browser, system, shortened address and times; until {days} days"
    " after a session has ended.",
    "account.held.tokens": "Tokens",
    "account.held.tokens.keep": "Name, dates and a hash of the secret, of revoked ones too; as long"
    " as the account.",
    "account.held.profile": "Profile",
    "account.held.identities.one": "1 way to sign in",
    "account.held.identities.other": "{count} ways to sign in",
    "account.held.profile.keep": "What stands above, and the name by which your provider knows you"
    " again; as long as the account.",
    "account.held.preferences": "Choices",
    "account.held.preferences.keep": "Settings that are remembered; as long as the account.",
    "account.held.agreed": "Agreements",
    "account.held.agreed.last.one": "to version {version}, on {day}",
    "account.held.agreed.last.other": "{count}, the last to version {version}, on {day}",
    "account.held.agreed.keep": "Terms, version of the policy and “13 or older”; as evidence, for"
    " {years} years.",
    "account.held.count": "{count}",
    # --- admin: static/admin.js ---
}
