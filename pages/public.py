"""Pages that need neither Gradio nor JavaScript: landing, policies, API, proof, sign-in, problems.

Each is a whole HTML document with no script or style but for `/ui/` of this host. Knows
settings and texts. Knows nothing of requests, sessions and rows: what a page shows beyond its own
text is handed in, and escaped.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.settings import Provider, Settings
from db import hours
from pages import cookies, proof, prose, texts
from pages.proof import Figures
from pages.texts import t

PRODUCT = "ImagesUpscaler"

Local = Literal["press", "passphrase"] | None
"""How the owner signs in, if at all: by a press, or by a passphrase."""


def problem_page(message: str, hint: str = "") -> str:
    """What somebody who navigates is told instead of the page: a sentence, and what to do."""
    return _page("problem.html", message=message, hint=hint)


class Site:
    """The pages of one service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.policy_version = prose.policy_version()
        """What an acknowledgement names: date and hash of the policy, the same for every operator
        and unchanged by numbers that are filled in. At most 64 characters."""

    def landing(
        self,
        providers: Iterable[Provider] = (),
        local: Local = None,
        framed: bool = False,
    ) -> str:
        """What a signed-out visitor sees at `/`, with the ways to sign in. `framed`: inside another
        site's frame, where no browser keeps our cookie, so signing in happens in a tab of its own.
        """
        return self._page(
            "landing.html",
            path="/",
            providers=list(providers),
            local=local,
            framed=framed,
            is_lasting=self._settings.is_lasting,
        )

    def privacy(self) -> str:
        text = self._text("privacy", the_line=self._line())
        return self._text_page("/privacy", t("privacy.title"), t("privacy.description"), text)

    def cookies(self) -> str:
        return self._text_page(
            "/cookies", t("cookies.title"), t("cookies.description"), self._cookies()
        )

    def terms(self) -> str:
        return self._text_page(
            "/terms", t("terms.title"), t("terms.description"), self._text("terms")
        )

    def api(self) -> str:
        return self._text_page("/api", t("api.title"), t("api.description"), self._text("api"))

    def privacy_html(self) -> str:
        """The policy alone, for a page that has its own frame; so too the next two."""
        return str(self._text("privacy", the_line=Markup("")))

    def cookies_html(self) -> str:
        return str(self._cookies())

    def terms_html(self) -> str:
        return str(self._text("terms"))

    def proof(self, figures: Figures) -> str:
        """The proof page with the service's live figures."""
        age = figures.oldest_stored
        return self._page(
            "proof.html",
            path="/privacy/proof",
            figures=figures,
            oldest=None if age is None else proof.duration(age),
            oldest_share=None if age is None else proof.share_of_line(age),
            kept_share=proof.share_of_line(hours.KEPT),
            deletions=proof.deletions(figures),
            swept=figures.last_sweep and proof.utc(figures.last_sweep),
            swept_ago=figures.last_sweep and proof.duration(figures.now - figures.last_sweep),
            looked=proof.utc(figures.now),
            policy_version=self.policy_version,
        )

    def proof_json(self, figures: Figures) -> dict[str, Any]:
        """The same for programs: `{version, date, clauses, live}`, both of the policy."""
        return {
            "version": self.policy_version,
            "date": prose.policy_date().isoformat(),
            "clauses": [],
            "live": proof.live(figures),
        }

    def sign_in(
        self,
        providers: Iterable[Provider],
        local: Local,
        problem: str | None = None,
        next: str | None = None,
    ) -> str:
        """Who can vouch for the visitor. `local` is a form to `/login/local`, with a field
        `passphrase` if that is how. `next` is passed on, as a query or a field."""
        return self._page(
            "sign_in.html", providers=list(providers), local=local, problem=problem, next=next
        )

    def welcome(self, name: str, problem: str | None = None) -> str:
        """What is asked at the first sign-in, and whenever the policy has changed: a form to
        `/welcome` with the fields `terms` and `age`, each `yes` when ticked."""
        return self._page(
            "welcome.html", name=name, problem=problem, policy_version=self.policy_version
        )

    def signed_out(self) -> str:
        return self._page("signed_out.html")

    def manifest(self) -> dict[str, Any]:
        """What a browser wants to know before it installs the service as an app."""
        return {
            "id": "/",
            "name": PRODUCT,
            "short_name": PRODUCT,
            "description": t("site.about"),
            "lang": texts.LANGUAGE,
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "theme_color": "#f4f4f3",
            "background_color": "#f4f4f3",
            "icons": [
                {"src": f"/ui/{file}", "sizes": sizes, "type": kind, "purpose": purpose}
                for file, sizes, kind, purpose in _ICONS
            ],
        }

    def _text_page(self, path: str, title: str, description: str, text: Markup) -> str:
        return self._page("text.html", path=path, title=title, description=description, text=text)

    def _text(self, name: str, **more: Markup) -> Markup:
        return prose.render(name, prose.values(self._settings) | more)

    def _cookies(self) -> Markup:
        https = self._settings.is_https
        table = render("_cookies.html", register=cookies.REGISTER, https=https)
        return self._text("cookies", cookie_table=table)

    def _line(self) -> Markup:
        return render("_line.html", **prose.values(self._settings))

    def _page(self, template: str, **context: object) -> str:
        # The footer's notice is the last section of the policy, in the same words.
        _, _, notice = self.privacy_html().rpartition("</h2>")
        return _page(
            template,
            **prose.values(self._settings),
            cookie_notice=Markup(notice),  # noqa: S704
            **context,
        )


_ICONS = (
    ("mark.svg", "any", "image/svg+xml", "any"),
    ("icons/192.png", "192x192", "image/png", "any"),
    ("icons/512.png", "512x512", "image/png", "any"),
    ("icons/maskable-512.png", "512x512", "image/png", "maskable"),
)


def _page(template: str, **context: object) -> str:
    """`path`: where the page is, if it is for everybody; the others are not to be found."""
    # Plain, as whoever adds to markup would have what is added escaped.
    return str(render(template, **{"product": PRODUCT, "path": None} | context))


def render(template: str, **context: object) -> Markup:
    """One of `templates/`, a page or a piece of one. Raises for a name that has no value."""
    return Markup(_templates().get_template(template).render(context))  # noqa: S704


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(t=texts.markup, language=texts.LANGUAGE)
    return environment
