// What the light table and the rail beside it share: what is chosen, what lies there, the press.
//
// Events: "order" (what is chosen, or what is known about it, changed), "load" (what lies there).

import { suggested } from "./forecast.js";
import { isComplete, orderOf } from "./order.js";

class Bench extends EventTarget {
  /** As in `order.js`; null until the choices are there. */
  order = null;
  /** As the server describes them, by name. */
  models = {};
  /** As in `forecast.js`. */
  forecast = {};
  /** Whether somebody chose the model; otherwise it follows what lies on the table. */
  isChosen = false;
  /** Why this model, while nobody chose one: as `suggested` says it. */
  suggestion = { name: null, why: null, seconds: null };
  /** What the press would take: facts of pictures. */
  load = [];
  /** Why the button cannot be pressed just now, as its words; null when it can. */
  busy = null;
  /** Set by the table. */
  press = () => {};
  /** Asks the server; set by the table. */
  ask = null;
  #usual = null;
  /** Choices that are to be remembered and were not yet. */
  #unsaved = {};
  #saving = null;

  get model() {
    return this.models[this.order?.model];
  }

  get canPress() {
    return !this.busy && this.load.length > 0 && Boolean(this.model) && isComplete(this.order);
  }

  /** What the server said when the page was opened. */
  open({ models, defaults, remembered, forecast }) {
    this.models = models;
    this.forecast = forecast;
    this.#usual = defaults.model;
    this.isChosen = Boolean(models[remembered.model]?.installed);
    this.order = orderOf(defaults, remembered);
    this.#judge();
  }

  /** Somebody chose. */
  change(changes) {
    if ("model" in changes) this.isChosen = changes.model !== null;
    Object.assign(this.order, changes);
    if (isComplete(this.order)) this.remember(changes);
    this.#judge();
  }

  know(forecast) {
    this.forecast = forecast;
    this.#judge();
  }

  say({ load = this.load, busy = this.busy }) {
    Object.assign(this, { load, busy });
    this.#judge();
    this.dispatchEvent(new Event("load"));
  }

  /** For the next time the page is opened. */
  remember(changes) {
    Object.assign(this.#unsaved, changes);
    clearTimeout(this.#saving);
    this.#saving = setTimeout(() => this.save(), 800);
  }

  async save() {
    clearTimeout(this.#saving);
    const choices = this.#unsaved;
    if (!Object.keys(choices).length || !this.ask) return;
    this.#unsaved = {};
    try {
      await this.ask("remember", { choices });
    } catch {
      this.#unsaved = { ...choices, ...this.#unsaved }; // with the next change
    }
  }

  #judge() {
    if (!this.order) return;
    if (!this.isChosen) {
      this.suggestion = suggested(this.load, this.order, this.models, this.forecast, this.#usual);
      this.order.model = this.suggestion.name;
    }
    this.dispatchEvent(new Event("order"));
  }
}

export const bench = new Bench();

// Somebody saw what each makes of their picture: `try.js`.
document.addEventListener("iu:choose", ({ detail }) => bench.change({ model: detail.model }));
