"""HTML as a test looks at it."""

from html.parser import HTMLParser

_ALONE = {"meta", "link", "img", "input", "br", "hr"}

Attributes = dict[str, str]


class Document(HTMLParser):
    """A document or a part of one: its elements and its text, without character references."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Attributes]] = []
        self.text = ""
        self.is_balanced = True
        self._open: list[str] = []
        self._texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(html)
        self.close()
        self.is_balanced &= not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _ALONE:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        self.is_balanced &= bool(self._open) and self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        self._texts.append((tuple(self._open), data))

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.elements if name == tag]

    def first(self, tag: str) -> Attributes:
        return self.all(tag)[0]

    def count(self, tag: str) -> int:
        return len(self.all(tag))

    def text_of(self, tag: str) -> str:
        return "".join(data for inside, data in self._texts if tag in inside)

    def meta(self, name: str) -> str:
        return next(meta["content"] for meta in self.all("meta") if meta.get("name") == name)
