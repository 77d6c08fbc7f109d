// Tokens of one's programs: made, shown once, and revoked.

import { copying, focusOn, leaf } from "./account-leaf.js";
import { action, make, moment } from "./dom.js";
import { t } from "./say.js";
import { dayOf, when } from "./words.js";

export class Tokens {
  constructor({ do: act, say }) {
    this.act = act;
    this.say = say;
    this.secret = make("div.secret", { hidden: true });
    this.none = make("p.note", {}, t("account.tokens.none"));
    this.list = make("ul.plainrows");
    this.name = make("input", { type: "text", maxlength: 80, id: "token-name", placeholder: t("account.token.example"), autocomplete: "off" });
    this.scope = choice("token-scope", [
      ["write", t("account.token.scope.write")],
      ["read", t("account.token.scope.read")],
    ]);
    this.days = choice("token-days", [
      ["30", t("account.token.lasts.30")],
      ["90", t("account.token.lasts.90")],
      ["365", t("account.token.lasts.365")],
      ["", t("account.token.lasts.none")],
    ]);
    this.days.value = "90";
    const form = make(
      "form.make",
      { onsubmit: (event) => this.#make(event) },
      labelled(t("account.token.name"), this.name),
      labelled(t("account.token.scope"), this.scope),
      labelled(t("account.token.lasts"), this.days),
      make("button.act.strong", { type: "submit" }, t("account.token.make")),
    );
    const note = make("p.note", {}, t("account.tokens.note"));
    this.root = leaf(t("account.tokens"), note, this.secret, this.none, this.list, form);
  }

  show({ tokens }, now) {
    this.list.replaceChildren(...tokens.map((token) => this.#row(token, now)));
    this.list.hidden = !tokens.length;
    this.none.hidden = tokens.length > 0;
  }

  async #make(event) {
    event.preventDefault();
    const days = this.days.value ? Number(this.days.value) : null;
    const answer = await this.act("make", { name: this.name.value, scope: this.scope.value, days });
    if (!answer) return;
    this.name.value = "";
    this.#reveal(answer.secret);
  }

  #reveal(secret) {
    const field = make("input", { type: "text", readonly: true, value: secret, "aria-label": t("account.secret"), "aria-describedby": "secret-note", spellcheck: "false" });
    const copy = (label, kind, text) => copying({ label, kind, text: () => text, field, say: this.say });
    const done = action({ label: t("account.secret.done"), run: () => this.#hide() });
    this.secret.replaceChildren(
      make("p", { id: "secret-note" }, make("b", {}, t("account.secret.now")), t("account.secret.once")),
      make("div.line", {}, field),
      make(
        "div.acts",
        {},
        copy(t("account.copy"), "strong", secret),
        copy(t("account.secret.export"), "", `export TOKEN=${secret}`),
        done,
      ),
    );
    this.secret.hidden = false;
    // A screen reader says what it is, and the keys that copy are right at once.
    field.focus();
    field.select();
  }

  #hide() {
    this.#forget();
    this.name.focus();
  }

  #forget() {
    this.secret.replaceChildren();
    this.secret.hidden = true;
  }

  async #revoke(token) {
    if (!(await this.act("revoke", { token }))) return;
    this.#forget();
    focusOn(this.root);
    this.say(t("account.token.revoked"));
  }

  #row(token, now) {
    const acts = make("div.acts");
    const button = (label, kind, run) => action({ label, name: token.name, kind, run });
    const revoke = () => this.#revoke(token.id);
    const rest = () => acts.replaceChildren(token.over ? button(t("account.token.remove"), "", revoke) : button(t("account.token.revoke"), "", ask));
    const ask = () => {
      acts.replaceChildren(button(t("account.token.revoke.now"), "danger", revoke), button(t("account.token.keep"), "", keep));
      acts.firstChild.focus();
    };
    const keep = () => {
      rest();
      acts.firstChild.focus();
    };
    rest();
    return make(
      token.over ? "li.over" : "li",
      {},
      make("div.what", {}, make("b", {}, token.name), facts(token, now)),
      acts,
    );
  }
}

function facts(token, now) {
  const may = token.scope === "read" ? t("account.token.may.read") : t("account.token.may.write");
  const used = token.last_used_day
    ? t("account.token.used", { day: dayOf(token.last_used_day, now, "UTC") })
    : t("account.token.unused");
  const line = make("span.facts", {}, may, t("account.token.made"), moment(when(token.created_at, now), token.created_at), used);
  if (!token.expires_at) line.append(t("account.token.endless"));
  else {
    line.append(token.over ? t("account.token.over") : t("account.token.until"));
    line.append(moment(dayOf(token.expires_at, now), token.expires_at));
  }
  return line;
}

const labelled = (words, field) => make("div.field", {}, make("label", { for: field.id }, words), field);

const choice = (id, options) =>
  make("select", { id }, ...options.map(([value, words]) => make("option", { value }, words)));
