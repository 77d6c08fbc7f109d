// The history: a row for each batch, with the line of its life and what can be done with it.

import { asker } from "./ask.js";
import { results } from "./batch.js";
import { make, moment, offer, set, write } from "./dom.js";
import { live } from "./live.js";
import * as words from "./words.js";

const TICK = 20_000;
const THUMBS = 3;

export function start(part) {
  new History(part).open();
}

class History {
  #rows = new Map();
  #cursor = null;
  #open = new Set();

  constructor({ element, props, ...rest }) {
    this.element = element;
    this.models = props.models;
    this.ask = asker({ props, ...rest });
    this.trouble = make("p.trouble", { role: "alert", hidden: true });
    this.list = make("ul.rows");
    this.more = make("button.act.more", { type: "button", hidden: true, onclick: () => this.#more() }, "Show more");
    this.empty = make("p.empty", { hidden: true }, "Nothing yet. What you upscale is listed here, and stays listed after its files are deleted.");
  }

  open() {
    const root = this.element.firstElementChild;
    root.append(this.trouble, this.empty, this.list, this.more);
    // Seen again, it is looked at again: when the tab is opened, or the window is.
    new IntersectionObserver(([entry]) => entry.isIntersecting && this.#refresh()).observe(root);
    live.follow(() => this.#follow());
    setInterval(() => this.#tick(), TICK);
    this.#refresh().then(() => root.removeAttribute("aria-busy"));
  }

  async #refresh() {
    const shown = this.#rows.size;
    const answer = await this.#asked("page", { limit: Math.min(100, Math.max(20, shown)) });
    if (!answer) return;
    this.#take(answer.items);
    // With more shown than one answer holds, where the next page begins is still what it was.
    if (shown <= 100) this.#goOn(answer.next_cursor);
    this.empty.hidden = this.#rows.size > 0;
  }

  async #more() {
    this.more.disabled = true;
    const answer = await this.#asked("page", { cursor: this.#cursor });
    this.more.disabled = false;
    if (!answer) return;
    this.#take(answer.items);
    this.#goOn(answer.next_cursor);
  }

  #goOn(cursor) {
    this.#cursor = cursor;
    this.more.hidden = !cursor;
  }

  #take(batches) {
    for (const batch of batches) {
      const row = this.#rows.get(batch.id) ?? this.#add(batch);
      row.show(batch);
    }
  }

  #add(batch) {
    const row = new Row(batch, this.models, () => this.#delete(row));
    this.#rows.set(batch.id, row);
    const older = [...this.#rows.values()]
      .filter((each) => each.batch.created_at < batch.created_at)
      .sort((a, b) => (a.batch.created_at < b.batch.created_at ? 1 : -1))[0];
    this.list.insertBefore(row.element, older?.element ?? null);
    return row;
  }

  #follow() {
    for (const batch of live.batches.values()) {
      if (this.#rows.has(batch.id)) this.#rows.get(batch.id).show(batch);
      else if (this.#rows.size || !this.empty.hidden) this.#take([batch]);
    }
    if (this.#rows.size) this.empty.hidden = true;
  }

  #tick() {
    for (const row of this.#rows.values()) row.tick();
  }

  async #delete(row) {
    const answer = await this.#asked("delete", { batch: row.batch.id });
    if (!answer) return row.keep();
    row.deleted();
    row.show(answer.batch);
    if (live.batches.has(answer.batch.id)) live.learn(answer);
  }

  /** The answer; null when there is none, and then the reason is on the page. */
  async #asked(act, what) {
    try {
      const answer = await this.ask(act, what, 120);
      live.learn({ now: answer.now });
      this.trouble.hidden = true;
      return answer;
    } catch (problem) {
      this.trouble.hidden = false;
      write(this.trouble, problem.message);
      return null;
    }
  }
}

class Row {
  #isOpen = false;
  #isAsking = false;
  #drawn = null;

  constructor(batch, models, remove) {
    this.batch = batch;
    this.models = models;
    this.remove = remove;
    this.stack = make("div.stack");
    this.title = make("b");
    this.facts = make("span.facts");
    this.state = make("span.state");
    this.fill = make("i");
    this.left = make("small");
    this.life = make("div.life", {}, make("span.rail", { "aria-hidden": "true" }, this.fill), this.left);
    this.acts = make("div.acts");
    this.inside = make("ul.inside", { hidden: true });
    const what = make("div.what", {}, this.title, this.facts, this.state);
    const line = make("div.line", {}, this.stack, what, this.life, this.acts);
    this.element = make("li.entry", {}, line, this.inside);
  }

  get #isGone() {
    return !this.batch.jobs.some(words.isReadable) && !words.isOpen(this.batch.state);
  }

  get #receipts() {
    return this.batch.jobs.flatMap((job) => Object.values(job.receipts));
  }

  show(batch) {
    this.batch = batch;
    const drawn = JSON.stringify(batch);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#draw();
    }
    this.tick();
  }

  /** What changes with time alone. */
  tick() {
    const now = live.now;
    const { expires_at: end } = this.batch;
    this.element.classList.toggle("gone", this.#isGone);
    const receipts = this.#receipts.length;
    const proof = receipts ? ` · ${receipts === 1 ? "1 receipt" : `${receipts} receipts`}` : "";
    const over = new Date(end) <= now;
    write(this.left, this.#isGone ? this.#ended(over, now) + proof : words.readable(end, now));
    this.fill.style.width = `${100 * (this.#isGone ? 1 : words.age(end, now))}%`;
    this.life.hidden = this.#isGone && !receipts && !over;
    this.#actions(over);
  }

  #ended(over, now) {
    if (over) return `${this.#receipts.length ? "deleted" : "unreadable since"} ${words.dayOf(this.batch.expires_at, now)}`;
    return this.deletedOn ? `deleted ${words.when(this.deletedOn, now)}` : "deleted early";
  }

  /** Deletion was asked for just now; the rows do not say when it was. */
  deleted() {
    this.deletedOn = live.now.toISOString();
    this.#isOpen = true;
    this.keep();
  }

  /** Stop asking whether it shall be deleted. */
  keep() {
    this.#isAsking = false;
    this.tick();
  }

  #draw() {
    const { jobs, options, created_at: begun } = this.batch;
    const [only] = jobs;
    const model = this.models[options.model]?.label ?? options.model;
    const name = jobs.length === 1 ? only.name : words.pictures(jobs.length);
    write(this.title, `${name}, ${words.goal(options)}`);
    set(this.title, { title: this.title.textContent });
    const bytes = jobs.reduce((sum, job) => sum + (job.output.bytes ?? 0), 0);
    const facts = [model, words.FORMATS[options.output_format], bytes && words.weight(bytes)];
    this.facts.replaceChildren(
      ...facts.filter(Boolean).map((fact) => `${fact} · `),
      moment(words.when(begun, live.now), begun),
    );
    this.state.className = `state ${this.batch.state}`;
    write(this.state, words.outcome(this.batch));
    this.#thumbs();
    this.#list();
  }

  #thumbs() {
    const seen = this.batch.jobs.map((job) => thumb(job)).filter(Boolean);
    this.stack.replaceChildren(...seen.slice(0, THUMBS).map((src) => make("img", { src, alt: "", loading: "lazy" })));
    if (!seen.length) this.stack.append(make("span.nothing"));
  }

  #actions(over) {
    const { jobs } = this.batch;
    if (this.#isAsking) {
      return offer(this.acts, [
        { label: `Delete ${words.pictures(jobs.length)} now`, kind: "danger", run: () => this.remove() },
        { label: "Keep", run: () => this.keep() },
      ]);
    }
    const label = this.#isOpen ? "Close" : this.#isGone && this.#receipts.length ? "Receipts" : "Open";
    const actions = [{ label, run: () => this.#toggle() }];
    const done = jobs.filter((job) => job.files.result);
    if (!over && done.length === 1) actions.push({ label: "Download", href: done[0].files.result });
    if (!over && done.length > 1) actions.push({ label: "Download all", href: this.batch.download_url });
    if (!this.#isGone) actions.push({ label: "Delete now", run: () => this.#askFirst() });
    offer(this.acts, actions.map((each) => ({ name: this.title.textContent, ...each })));
  }

  #askFirst() {
    this.#isAsking = true;
    this.tick();
  }

  #toggle() {
    this.#isOpen = !this.#isOpen;
    this.#list();
    this.tick();
  }

  #list() {
    this.inside.hidden = !this.#isOpen;
    if (this.#isOpen) this.inside.replaceChildren(...this.batch.jobs.map((job) => this.#picture(job)));
  }

  #picture(job) {
    const { input, output } = job;
    const sizes = [input, output]
      .filter((side) => side.width)
      .map((side) => `${words.size(side.width, side.height)}${side.bytes ? `, ${words.weight(side.bytes)}` : ""}`);
    const src = thumb(job);
    const acts = make("div.acts");
    if (new Date(this.batch.expires_at) > live.now) {
      offer(acts, results(job).map((each) => ({ name: job.name, ...each })));
    }
    const receipts = Object.entries(job.receipts).map(([slot, id]) =>
      make("li", {}, `${SLOTS[slot] ?? slot} `, make("code", {}, id)),
    );
    return make(
      "li.picture",
      {},
      src ? make("img", { src, alt: "", loading: "lazy" }) : make("span.nothing"),
      make(
        "div.what",
        {},
        make("b", { title: job.name }, job.name),
        sizes.length ? make("span.facts", {}, sizes.join(" → ")) : null,
        make(`span.state.${job.state}`, {}, said(job, this.batch, receipts.length)),
        receipts.length ? make("ul.receipts", { "aria-label": "Receipts of deletion" }, ...receipts) : null,
      ),
      acts,
    );
  }
}

const SLOTS = {
  original: "Original",
  result: "Result",
  original_preview: "Preview of the original",
  preview: "Preview of the result",
};

const thumb = (job) =>
  words.thumbnail(job.files.preview, job.output) ?? words.thumbnail(job.files.original_preview, job.input);

function said(job, batch, receipts) {
  if (job.state !== "succeeded") return words.note(job, batch.expires_at, live.now);
  const took = (new Date(job.finished_at) - new Date(job.started_at)) / 1000;
  const done = `done in ${words.span(Math.max(1, took))}`;
  return receipts ? `${done}, deleted since` : done;
}
