// Try: a spot of a picture, drawn by every installed model side by side, before a long run. Only the
// spot leaves the machine. The choice is told by the event `iu:choose` of the document.

import { ask as askAhead, ended } from "./ahead.js";
import { make, set, write } from "./dom.js";
import { t } from "./say.js";
import { send } from "./sending.js";
import { styled } from "./sheets.js";
import { Spot } from "./try-spot.js";
import { isOpen } from "./words.js";

/** Open the dialog for a picture of the draft, `{file, facts}`. `order.model` is what is chosen now,
 * `models` what is known of each by name. Resolves when the dialog is open. */
export async function tryPicture({ picture, order, models, ask = askAhead }) {
  await styled("try");
  await new Trial(picture, order, models, ask).open();
}

class Trial {
  #gone = new AbortController();
  #batch = null;
  /** What is drawn belongs to the spot as it was at the last press. */
  #isDrawn = false;

  constructor(picture, order, models, ask) {
    this.picture = picture;
    this.order = order;
    this.models = models;
    this.ask = ask;
    this.able = Object.keys(models).filter((name) => models[name].installed);
    this.spot = new Spot(this.#gone.signal, () => this.#moved());
    this.pressing = make("button.iu-try-press", { type: "button", disabled: true });
    this.pressing.addEventListener("click", () => this.#press());
    this.trouble = make("p.iu-try-trouble", { role: "alert", hidden: true });
    this.heard = make("p.iu-try-heard", { role: "status" });
    this.original = new Drawing(t("try.as_it_is"), make("canvas", { "aria-hidden": "true" }));
    this.original.say(t("try.enlarged"));
    this.drawings = make("ul.iu-try-drawings", {}, this.original.element);
    const { name } = picture.file;
    const close = make("button.iu-try-close", { type: "button", "aria-label": t("try.close") }, "×");
    close.addEventListener("click", () => this.dialog.close());
    this.dialog = make(
      "dialog.iu-try",
      { "aria-label": t("try.title", { name }) },
      make("header", {}, make("div", {}, make("h2", {}, t("try.heading")), make("p", {}, t("try.about"))), close),
      make(
        "div.iu-try-body",
        {},
        make("div.iu-try-where", {}, this.spot.element, this.spot.place, this.pressing, this.trouble),
        make("div.iu-try-what", {}, this.heard, this.drawings),
      ),
    );
  }

  async open() {
    this.dialog.addEventListener("close", () => this.#close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.#label();
    document.body.append(this.dialog);
    this.dialog.showModal();
    if (!(await this.spot.show(this.picture.file))) return this.#say(t("try.broken"));
    this.pressing.disabled = !this.able.length;
    this.spot.focus();
  }

  #label() {
    const { length: count } = this.able;
    write(this.pressing, count ? t("try.press", { count }) : t("try.nothing"));
  }

  #moved() {
    if (!this.#isDrawn) this.spot.draw(this.original.picture);
  }

  async #press() {
    const { signal } = this.#gone;
    this.#say(null);
    this.pressing.disabled = true;
    write(this.pressing, t("try.sending"));
    try {
      this.spot.draw(this.original.picture);
      const file = await this.spot.cut(this.picture.file.name);
      this.#isDrawn = true;
      const path = await send(file, { onProgress: () => {}, signal });
      const { batch } = await this.ask("try", { file: { path, orig_name: file.name }, models: this.able });
      this.#label();
      this.pressing.disabled = false;
      await this.#follow(batch, signal);
    } catch (problem) {
      if (!signal.aborted) this.#say(problem.message);
    } finally {
      this.#label();
      this.pressing.disabled = false;
    }
  }

  async #follow(batch, signal) {
    this.#batch = batch;
    const drawings = new Map();
    for (const job of batch.jobs) drawings.set(job.id, this.#drawing(job));
    this.drawings.replaceChildren(this.original.element, ...[...drawings.values()].map((each) => each.element));
    await ended(
      batch,
      (known) => {
        if (known.id !== this.#batch.id) return; // another spot was tried since
        this.#batch = known;
        const { jobs } = known;
        for (const job of jobs) this.#show(drawings.get(job.id), job);
        const done = jobs.filter((job) => job.files.result).length;
        write(this.heard, t("try.done", { count: done, all: jobs.length }));
      },
      signal,
    );
  }

  #drawing(job) {
    const name = job.model;
    const label = this.models[name]?.label ?? name;
    const drawing = new Drawing(label, make("img", { alt: t("try.alt", { model: label }), hidden: true }));
    const isChosen = name === this.order.model;
    const use = make("button.iu-try-use", { type: "button", "aria-label": `${t("try.use")}: ${label}` }, t("try.use"));
    use.addEventListener("click", () => this.#choose(name));
    drawing.element.append(isChosen ? make("span.iu-try-chosen", {}, t("try.chosen")) : use);
    return drawing;
  }

  #show(drawing, job) {
    set(drawing.element, { "data-state": job.state });
    if (job.state === "succeeded" && job.files.result) {
      if (drawing.picture.hidden) set(drawing.picture, { src: job.files.result });
      drawing.picture.hidden = false;
      const { scale } = this.models[job.model] ?? {};
      const seconds = (new Date(job.finished_at) - new Date(job.started_at)) / 1000;
      const took = seconds < 0.1 ? t("try.brief", { scale }) : t("try.took", { scale, seconds: seconds.toFixed(1) });
      return drawing.say(took);
    }
    if (job.state === "failed") return drawing.say(`${job.error.message} ${job.error.hint}`.trim());
    const said = { queued: t("try.waiting"), running: t("try.rendering") };
    drawing.say(said[job.state] ?? t("try.stopped"));
  }

  #choose(model) {
    document.dispatchEvent(new CustomEvent("iu:choose", { detail: { model } }));
    this.dialog.close();
  }

  #say(words) {
    this.trouble.hidden = !words;
    write(this.trouble, words ?? "");
  }

  #close() {
    this.#gone.abort();
    this.dialog.remove();
    this.spot.forget();
    // Nobody looks any more. Should this not arrive, a try takes only seconds.
    if (this.#batch && isOpen(this.#batch.state)) this.ask("stop", { batch: this.#batch.id }).catch(() => {});
  }
}

/** One tile: a picture, what made it, and a sentence. All are shown at the same size. */
class Drawing {
  constructor(label, picture) {
    this.picture = picture;
    this.note = make("small");
    const words = make("div.iu-try-words", {}, make("b", {}, label), this.note);
    this.element = make("li", {}, make("div.iu-try-frame", {}, picture), words);
  }

  say(words) {
    write(this.note, words);
  }
}
