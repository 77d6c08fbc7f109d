// Who one is here: the name, which is one's own to choose, and what a provider said.

import { leaf } from "./account-leaf.js";
import { make, moment, write } from "./dom.js";
import { t } from "./say.js";
import { dayOf } from "./words.js";

export class Profile {
  constructor({ do: act, say }) {
    this.act = act;
    this.say = say;
    this.known = null;
    this.name = make("input", { type: "text", maxlength: 80, id: "own-name", autocomplete: "off", spellcheck: "false", "aria-describedby": "own-name-note" });
    this.save = make("button.act", { type: "submit", disabled: true }, t("account.name.save"));
    this.facts = make("dl.person");
    this.name.addEventListener("input", () => this.#judge());
    const form = make(
      "form.naming",
      { onsubmit: (event) => this.#rename(event) },
      make("label", { for: "own-name" }, t("account.name")),
      make("div.line", {}, this.name, this.save),
      make("p.note", { id: "own-name-note" }, t("account.name.note")),
    );
    this.root = leaf(t("account.you"), form, this.facts);
  }

  show({ person }, now) {
    // What is being written is not written over.
    if (this.known === null || this.name.value === this.known) this.name.value = person.name ?? "";
    this.known = person.name ?? "";
    this.#judge();
    const shown = document.querySelector("#bar .who");
    if (shown) write(shown, person.called);
    const email = person.email ?? t("account.email.none");
    const [first] = person.ways;
    const verified = person.email_verified ? t("account.email.verified", { provider: first.name }) : t("account.email.unverified");
    this.facts.replaceChildren(
      make("dt", {}, t("account.email")),
      make("dd", {}, email, person.email ? make("span.facts", {}, ` · ${verified}`) : null),
      make("dt", {}, t("account.ways")),
      make("dd", {}, ...person.ways.map((way) => wayOf(way, now))),
      make("dt", {}, t("account.since")),
      make("dd", {}, moment(dayOf(person.since, now), person.since)),
    );
  }

  #judge() {
    this.save.disabled = this.name.value === this.known;
  }

  async #rename(event) {
    event.preventDefault();
    if (this.save.disabled) return;
    const wanted = this.name.value;
    const answer = await this.act("rename", { name: wanted });
    if (!answer) return;
    // Cleaned and cut, it may be another one.
    if (this.name.value === wanted) this.name.value = this.known;
    this.#judge();
    this.name.focus();
    this.say(t("account.name.saved"));
  }
}

const wayOf = (way, now) =>
  make("div", {}, way.name, make("span.facts", {}, " · ", moment(t("account.way.since", { when: dayOf(way.since, now) }), way.since)));
