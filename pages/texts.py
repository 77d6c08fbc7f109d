"""Every word of the pages that is not a document: one place, ready for translation.

A key is a literal wherever it is used, here and in the pages' JavaScript, so that a test can find
all of them. `{name}` stands for a value. What is counted has a form for each plural category of
the language (`.one`, `.other`), chosen by `count`. Longer texts are in `content/`.
"""

import json
import re
from collections.abc import Mapping
from functools import cache

from markupsafe import Markup, escape

LANGUAGE = "en"

_SLOT = re.compile(r"\{(\w+)\}")


def t(key: str, **values: object) -> str:
    """The words of `key` with the values filled in, as plain text: who makes HTML escapes it.

    Raises `KeyError` for a key that is not there, and for a value that is missing.
    """
    return _SLOT.sub(lambda slot: str(values[slot[1]]), _words(key, values))


def markup(key: str, **values: object) -> Markup:
    """The same as HTML, where a value of `Markup` stays what it is: what templates call `t`."""
    words = str(escape(_words(key, values)))
    return Markup(_SLOT.sub(lambda slot: str(escape(values[slot[1]])), words))  # noqa: S704


def _words(key: str, values: Mapping[str, object]) -> str:
    if key not in TEXTS and "count" in values:
        key = f"{key}.{'one' if values['count'] == 1 else 'other'}"
    return TEXTS[key]


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
    "site.skip": "Skip to the content",
    "site.pages": "Pages",
    "site.api": "API",
    "site.proof": "Proof",
    "site.privacy": "Privacy",
    "site.cookies": "Cookies",
    "site.terms": "Terms",
    "site.upscale": "Upscale",
    "site.sign_in": "Sign in",
    "site.sign_out": "Sign out",
    "site.title": "{page} · {product}",
    "site.cover": "A cat's face, soft on the left and sharp on the right, beside the words “Small"
    " pictures, made large.”",
    "site.about": "Makes pictures two to sixteen times larger, and forgets them after 72 hours.",
    "landing.title": "{product}: small pictures, made large",
    "landing.description": "Photos and drawings up to {scale} times larger. Every file is"
    " unreadable"
    " after {kept} hours and gone by {gone}.",
    "landing.heading": "Small pictures, made large.",
    "landing.lead": "Photos and drawings up to {scale} times larger, with open models, without"
    " seams. Every file is unreadable after {kept} hours and gone by {gone}.",
    "landing.check": "You can check.",
    "landing.framed": "It opens in a tab of its own: inside this frame, your browser would not keep"
    " you signed in.",
    "landing.not_lasting": "This Space has no storage of its own: a restart loses accounts,"
    " histories and pictures, sooner than in {kept} hours.",
    "landing.slider": "Share of the picture that is shown as it was before",
    "landing.percent": "{percent} percent",
    "landing.samples": "Samples",
    "landing.after": "{size}, {model}",
    "landing.cat": "Fur",
    "landing.cat.before": "The same face before: everything is soft.",
    "landing.cat.after": "A cat's face, upscaled: hairs, whiskers and eyes are sharp.",
    "landing.cat.credit": "Made by this engine. Photo: Chelsea the cat, by Stefan van der Walt"
    " (CC0), scaled down to {size} to begin with.",
    "landing.rocket": "Steel",
    "landing.rocket.before": "The same rocket before: lamps and steel are blurred.",
    "landing.rocket.after": "A rocket on its pad at dusk, upscaled: lamps, masts and struts"
    " have edges.",
    "landing.rocket.credit": "Made by this engine. Photo: a Falcon 9 on its pad, by SpaceX (public"
    " domain), scaled down to {size} to begin with.",
    "landing.drawing": "Drawing",
    "landing.drawing.before": "The same drawing before: its lines are steps and smears.",
    "landing.drawing.after": "A drawn lighthouse by the sea, upscaled: every line is clean.",
    "landing.drawing.credit": "Made by this engine. Drawing: our own (CC0), {size} to begin with.",
    "landing.line": "What happens to your picture",
    "landing.exact": "Exact",
    "landing.exact.why": "No seams between tiles; colours and transparency kept; and a note of what"
    " the network did and what a resize filter did.",
    "landing.script": "Yours to script",
    "landing.script.why": "What the page does, {client} does too.",
    "landing.open": "Open",
    "landing.open.why": "Any weights of the ESRGAN family, on your own machine or on a Space.",
    "line.dropped": "You drop it",
    "line.dropped.what": "Encrypted with a key of its own.",
    "line.upscaled": "It is upscaled",
    "line.upscaled.what": "Close the page; it goes on. Only you can open it.",
    "line.hours": "{hours}:00 hours",
    "line.kept.what": "No longer readable, by anybody.",
    "line.gone.what": "Every byte and its key gone. Delete now does it at once.",
    "sign_in.heading": "Sign in",
    "sign_in.description": "Sign in to upscale pictures.",
    "sign_in.with": "Sign in with {name}",
    "sign_in.policy": "Privacy policy of {name}",
    "sign_in.or": "or",
    "sign_in.passphrase": "Passphrase of the owner",
    "sign_in.as_owner": "Sign in as the owner",
    "sign_in.here": "Sign in on this machine",
    "sign_in.here.why": "No password: only this machine reaches the service, so whoever sits at it"
    " is its owner.",
    "sign_in.none": "There is no way to sign in here yet. Whoever runs this service has to set one"
    " up.",
    "sign_in.taken": "From a provider we take your name, e-mail address and identifier there, and"
    " nothing else. See the {policy}.",
    "sign_in.privacy": "Privacy Policy",
    "signed_out.title": "Signed out",
    "signed_out.description": "You are signed out.",
    "signed_out.heading": "You are signed out",
    "signed_out.goes_on": "What is being upscaled goes on. It waits for you until its {kept} hours"
    " are over.",
    "signed_out.again": "Sign in again",
    "welcome.title": "Welcome",
    "welcome.description": "What you agree to before the first picture.",
    "welcome.heading": "Welcome, {name}",
    "welcome.two": "Before the first picture, we ask you for two things.",
    "welcome.agree": "I agree to the {terms} and to the {privacy}.",
    "welcome.terms": "Terms of Use",
    "welcome.privacy": "Privacy Policy",
    "welcome.age": "I am {age} or older.",
    "welcome.right": "Whatever you upload, you have the right to upload and to change it, also"
    " where"
    " it shows other people.",
    "welcome.go": "Agree and go on",
    "welcome.version": "Privacy Policy, version {version}. When it changes, you are asked again.",
    "problem.start": "Go to the start",
    "privacy.title": "Privacy Policy",
    "privacy.description": "What is collected, why, how long it is kept and what rights you have.",
    "cookies.title": "Cookie Policy",
    "cookies.description": "Every cookie that is set, and what it is for.",
    "cookies.table": "The cookies",
    "cookies.name": "Name",
    "cookies.purpose": "What it is for",
    "cookies.lasts": "Lasts",
    "cookies.kind": "Kind",
    "terms.title": "Terms of Use",
    "terms.description": "The rules for using the service.",
    "api.title": "API",
    "api.description": "How a program upscales pictures, with examples.",
    "proof.heading": "Proof",
    "proof.description": "What the service stores at this moment, how old it is, and what was"
    " deleted.",
    "proof.intro": "The {policy} says that a file is unreadable after {kept} hours and gone by"
    " {gone}. This is what this service measures about itself, at this moment.",
    "proof.policy": "Privacy Policy",
    "proof.nothing": "Nothing is stored.",
    "proof.oldest": "{age} is the age of the oldest stored file.",
    "proof.line": "The line from 0 to {gone} hours",
    "proof.line.oldest": "The line from 0 to {gone} hours; the oldest file is at {age}",
    "proof.mark": "{hours}:00",
    "proof.files": "Files stored now",
    "proof.holds": "Holds in force",
    "proof.holds.why": "A hold keeps a file longer, {days} days at most, and shows it to nobody."
    " Held files are not counted in the age above.",
    "proof.sweep": "Last sweep",
    "proof.sweep.none": "none yet",
    "proof.sweep.ago": "{span} ago.",
    "proof.sweep.failed": "{span} ago; {failed}.",
    "proof.sweep.it_failed": "it failed",
    "proof.sweep.why": "A sweep deletes everything whose time is over.",
    "proof.deletions": "Deleted so far",
    "proof.deletions.why": "Each deletion leaves a receipt without content: a time, an age, a"
    " reason. They are kept for {years} years; these are all there are.",
    "proof.deletions.files": "Files",
    "proof.deletions.cause": "Deleted",
    "proof.not": "What this does not prove",
    "proof.not.figures": "These figures are the operator's own: by themselves they prove nothing to"
    " you. They are checked by a program that anybody can read and run, and you can compare them"
    " with what you see of your own files: the time each has left, and the receipt when it is"
    " gone.",
    "proof.not.clauses": "A table of every sentence of the policy, with the test that holds it, is"
    " not here yet. It will be; until then the list of clauses in the {figures} is empty.",
    "proof.not.programs": "figures for programs",
    "proof.measured": "Measured {when}. Policy version {version}.",
    # --- the bar and the tabs: blocks.py, shell.py ---
    "shell.opening": "Opening the page",
    "shell.no_script": "This page needs JavaScript, which is switched off here. Without it, {api}"
    " does"
    " the same.",
    "shell.api": "the API",
    "shell.tabs": "Parts of the page",
    "bar.sign_out": "Sign out",
    # --- upscale: upscale.py, static/upscale.js and what it imports ---
    # --- try: static/try.js ---
    # --- compare: static/viewer.js and what it imports ---
    # --- history: static/history.js and what it imports ---
    "history.empty": "Nothing yet. What you upscale is listed here, and stays listed after its"
    " files are deleted.",
    "history.nothing": "Nothing in your history matches.",
    "history.nothing_found": "Nothing matches.",
    "history.show_all": "Show everything",
    "history.found.one": "{count} batch matches.",
    "history.found.other": "{count} batches match.",
    "history.found_more": "The newest {count} that match.",
    "history.begun": "{pictures} running again, readable until {moment} as the originals are.",
    "history.list": "Batches",
    "history.more": "Show more",
    "history.retry": "Look again",
    "history.sift": "Look for pictures in the history",
    "history.search": "Name of a picture",
    "history.state": "State",
    "history.state.all": "All",
    "history.state.open": "Unfinished",
    "history.state.succeeded": "Done",
    "history.state.failed": "With failures",
    "history.state.canceled": "Canceled",
    "history.model": "Model",
    "history.model.all": "All",
    "history.open": "Open",
    "history.open_receipts": "Receipts",
    "history.close": "Close",
    "history.download": "Download",
    "history.download_all": "Download all",
    "history.again": "Run again",
    "history.otherwise": "Run again with other settings",
    "history.delete": "Delete now",
    "history.delete_these": "Delete {pictures} now",
    "history.keep": "Keep",
    "history.final": "This is final: {originals}, {results} and {previews} go, and nobody can bring"
    " them back. The row stays, with a receipt for each file.",
    "history.stops.one": "{count} picture is not done and will be stopped.",
    "history.stops.other": "{count} pictures are not done and will be stopped.",
    "history.originals.one": "{count} original",
    "history.originals.other": "{count} originals",
    "history.results.one": "{count} result",
    "history.results.other": "{count} results",
    "history.previews.one": "{count} preview",
    "history.previews.other": "{count} previews",
    "history.last_hour": "readable for {span}",
    "history.unreadable": "unreadable since {moment}, being deleted",
    "history.deleted": "deleted {moment} · {receipts}",
    "history.receipts.one": "{count} receipt",
    "history.receipts.other": "{count} receipts",
    "history.receipts_of": "Receipts of deletion",
    "history.deleted_at": "deleted {moment}, receipt",
    "history.sizes": "up to {size} · {weight}",
    "history.lossless": "{format} without loss",
    "history.took": "{span} of work",
    "history.done": "done in {span}",
    "history.done_deleted": "done in {span}, deleted since",
    "history.how": "How it was made",
    "history.fact.way": "Enlarged",
    "history.fact.model": "Model",
    "history.fact.weights": "Weights",
    "history.fact.device": "Computed on",
    "history.fact.pieces": "In pieces",
    "history.fact.time": "Time",
    "history.fact.result": "Result",
    "history.fact.notes": "Notes",
    "history.way.once": "{scale}× by the network to {size}",
    "history.way.passes": "{scale}× by the network, {passes} times, to {size}",
    "history.way.filter": "then reduced to {size} by a Lanczos filter",
    "history.pieces": "{count} tiles",
    "history.whole": "none, the whole picture at once",
    "history.bits": "{bits} bits per channel",
    "history.slot.original": "Original",
    "history.slot.result": "Result",
    "history.slot.original_preview": "Preview of the original",
    "history.slot.preview": "Preview of the result",
    "again.title": "Run {pictures} again",
    "again.until": "The new batch is readable until {moment}, as long as the originals: running"
    " again gives no more time.",
    "again.model": "Model",
    "again.size": "Size",
    "again.by_side": "By the long side",
    "again.as_before": "As before, {goal}",
    "again.long_side": "Long side in pixels",
    "again.format": "Format",
    "again.same": "Same as original",
    "again.quality": "Quality, 1 to 100",
    "again.run": "Upscale {pictures}",
    "again.close": "Close",
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
