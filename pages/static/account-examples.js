// Examples to copy. No token is ever put into them: they read it from the environment.

import { copying, leaf } from "./account-leaf.js";
import { make } from "./dom.js";
import { t } from "./say.js";

export class Examples {
  constructor(examples, { say }) {
    const example = (what, code) => exampleOf(what, code, say);
    this.root = leaf(
      t("account.examples"),
      make("p.note", {}, t("account.examples.note")),
      snippet("export TOKEN=iu_…", "export TOKEN", say),
      example(t("account.examples.python"), examples.python),
      example(t("account.examples.curl"), examples.curl),
      make("p.note", {}, make("a", { href: "/api" }, t("account.examples.more"))),
    );
  }
}

function exampleOf(what, code, say) {
  return make("details.example", {}, make("summary", {}, what), snippet(code, what, say));
}

function snippet(code, what, say) {
  const copy = copying({
    label: t("account.copy"),
    name: t("account.examples.copy", { what }),
    text: () => code,
    say,
  });
  // It scrolls by itself, and can be reached by keyboard to do so.
  return make("div.snippet", {}, make("pre", { tabindex: "0" }, make("code", {}, code)), copy);
}
