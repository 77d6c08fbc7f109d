// What is looked for in the history: a part of a picture's name, a state, a model. It stands in the
// address behind the #, which is never sent: names of pictures are in nobody's log.

import { make } from "./dom.js";
import { t } from "./say.js";

const PAUSE = 250;

export class Sift {
  #timer = null;

  /** `changed()` is called when something else is looked for. */
  constructor(changed) {
    this.changed = changed;
    const given = location.search.includes("tab=history") ? new URLSearchParams(location.hash.slice(1)) : new Map();
    this.search = make("input", { type: "search", id: "history-search", maxlength: 200, autocomplete: "off", spellcheck: "false", oninput: () => this.#soon() });
    this.search.value = given.get("q") ?? "";
    this.state = make(
      "select",
      { id: "history-state", onchange: () => this.#now() },
      option("", t("history.state.all")),
      option("open", t("history.state.open")),
      option("succeeded", t("history.state.succeeded")),
      option("failed", t("history.state.failed")),
      option("canceled", t("history.state.canceled")),
    );
    this.state.value = given.get("state") ?? "";
    if (this.state.selectedIndex < 0) this.state.value = "";
    this.model = make("select", { id: "history-model", onchange: () => this.#now() }, option("", t("history.model.all")));
    const asked = given.get("model");
    if (asked) {
      this.model.append(option(asked, asked));
      this.model.value = asked;
    }
    this.element = make(
      "form.sift",
      { role: "search", "aria-label": t("history.sift"), hidden: true, onsubmit: (event) => this.#press(event) },
      field(t("history.search"), this.search),
      field(t("history.state"), this.state),
      field(t("history.model"), this.model),
    );
  }

  get wanted() {
    return { search: this.search.value.trim(), state: this.state.value, model: this.model.value };
  }

  /** Whether not all of the history is wanted. */
  get isOn() {
    return Object.values(this.wanted).some(Boolean);
  }

  clear() {
    for (const each of [this.search, this.state, this.model]) each.value = "";
    this.#now();
    this.search.focus();
  }

  /** The models that there is something of. */
  offer(used, models) {
    const chosen = this.model.value;
    const names = chosen && !used.includes(chosen) ? [...used, chosen] : used;
    const present = [...this.model.options].slice(1).map((each) => each.value + each.text);
    const wanted = names.map((name) => [name, models[name]?.label ?? name]);
    if (String(present) === String(wanted.map(([name, label]) => name + label))) return;
    this.model.replaceChildren(this.model.options[0], ...wanted.map(([name, label]) => option(name, label)));
    this.model.value = chosen;
  }

  /** Write it into the address, so that a reload looks for the same. */
  keep() {
    if (!location.search.includes("tab=history")) return;
    const { search, state, model } = this.wanted;
    const said = new URLSearchParams(Object.entries({ q: search, state, model }).filter(([, value]) => value));
    const address = location.pathname + location.search + (this.isOn ? `#${said}` : "");
    window.history.replaceState(window.history.state, "", address);
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.changed(), PAUSE);
  }

  #now() {
    clearTimeout(this.#timer);
    this.changed();
  }

  #press(event) {
    event.preventDefault();
    this.#now();
  }
}

const option = (value, label) => make("option", { value }, label);

export const field = (label, control) => make("label.field", { for: control.id }, make("span", {}, label), control);
