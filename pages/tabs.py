"""The tabs of the app: what addresses and people call them."""

from enum import StrEnum

from pages.texts import t


class Tab(StrEnum):
    """One tab. Its value is the word in `/?tab=`."""

    UPSCALE = "upscale"
    HISTORY = "history"
    ACCOUNT = "account"
    POLICIES = "policies"
    ADMIN = "admin"

    @property
    def label(self) -> str:
        """What people read on it."""
        return _LABELS[self]


_LABELS = {
    Tab.UPSCALE: t("tab.upscale"),
    Tab.HISTORY: t("tab.history"),
    Tab.ACCOUNT: t("tab.account"),
    Tab.POLICIES: t("tab.policies"),
    Tab.ADMIN: t("tab.admin"),
}


def tab_named(name: object) -> Tab | None:
    """None for every word that is no tab."""
    return next((tab for tab in Tab if tab == name), None)
