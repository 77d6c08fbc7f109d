// One batch in the history: what it was, the line of its life, and its pictures when it is open.

import { make, moment, offer, set, write } from "./dom.js";
import { Picture, thumb } from "./history-picture.js";
import { live } from "./live.js";
import { t } from "./say.js";
import * as words from "./words.js";

const THUMBS = 3;
const HOUR = 3600;

export class Row {
  #isOpen = false;
  #isAsking = false;
  #drawn = null;
  #wasOver = null;
  /** By job id, once the row was opened. */
  #pictures = new Map();

  /** `acts`: `remove()`, `again()` and `otherwise()`. */
  constructor(batch, models, acts) {
    this.batch = batch;
    this.models = models;
    this.does = acts;
    this.stack = make("div.stack");
    this.title = make("b");
    this.sizes = make("span.facts");
    this.facts = make("span.facts");
    this.state = make("span.state");
    this.fill = make("i");
    this.left = make("small");
    this.life = make("div.life", {}, make("span.rail", { "aria-hidden": "true" }, this.fill), this.left);
    this.acts = make("div.acts");
    this.asking = make("div.asking", { role: "group", "aria-label": t("history.delete"), hidden: true, onkeydown: (event) => this.#key(event) });
    this.inside = make("div.inside", { hidden: true });
    this.list = make("ul");
    this.foot = make("div.acts.foot");
    this.inside.append(this.list, this.foot);
    const what = make("div.what", {}, this.title, this.sizes, this.facts, this.state);
    const line = make("div.line", {}, this.stack, what, this.life, this.acts);
    this.element = make("li.entry", {}, line, this.asking, this.inside);
  }

  get #isGone() {
    return !this.batch.jobs.some(words.isReadable) && !words.isOpen(this.batch.state);
  }

  get #receipts() {
    return this.batch.jobs.reduce((sum, job) => sum + Object.keys(job.receipts).length, 0);
  }

  get #hasOriginals() {
    return this.batch.jobs.some((job) => job.files.original);
  }

  show(batch) {
    this.batch = batch;
    const drawn = JSON.stringify(batch);
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#draw();
      this.#tick(live.now);
    } else this.count(live.now);
  }

  /** What changes with every second. */
  count(now) {
    const end = new Date(this.batch.expires_at);
    const isOver = end <= now;
    if (isOver !== this.#wasOver) return this.#tick(now);
    const isGone = this.#isGone;
    write(this.left, isGone || isOver ? this.#ended(now) : countdown(end, now));
    const until = isGone && this.#deletedAt ? new Date(this.#deletedAt) : now;
    this.fill.style.width = `${100 * words.age(end, until)}%`;
  }

  #tick(now) {
    const isGone = this.#isGone;
    const isOver = (this.#wasOver = new Date(this.batch.expires_at) <= now);
    this.element.classList.toggle("gone", isGone || isOver);
    this.life.hidden = isGone && !this.#receipts && !isOver;
    this.#actions(isOver);
    for (const picture of this.#pictures.values()) picture.act(isOver);
    this.count(now);
  }

  get #deletedAt() {
    return this.batch.jobs.flatMap((job) => Object.values(job.deleted_at)).sort().at(-1) ?? null;
  }

  #ended(now) {
    const count = this.#receipts;
    const at = this.#deletedAt;
    if (at && this.#isGone) {
      return t("history.deleted", { moment: words.when(at, now), receipts: t("history.receipts", { count }) });
    }
    return t("history.unreadable", { moment: words.when(this.batch.expires_at, now) });
  }

  /** Deletion has happened: the receipts are to be seen. */
  deleted() {
    this.#isOpen = true;
    this.keep();
  }

  /** Stop asking whether it shall be deleted. */
  keep() {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    this.asking.hidden = true;
    this.#tick(live.now);
    (this.acts.querySelector(".remove") ?? this.acts.querySelector("button"))?.focus();
  }

  /** While an answer is awaited, nothing is pressed twice. */
  wait(isWaiting) {
    for (const button of this.acts.querySelectorAll("button")) button.disabled = isWaiting;
  }

  #draw() {
    const { jobs, options, created_at: begun } = this.batch;
    const [only] = jobs;
    const model = this.models[options.model]?.label ?? options.model;
    const name = jobs.length === 1 ? only.name : words.pictures(jobs.length);
    write(this.title, `${name}, ${words.goal(options)}`);
    set(this.title, { title: jobs.map((job) => job.name).join("\n"), dir: "auto" });
    const facts = [model, format(options), took(jobs)];
    write(this.sizes, sizes(jobs));
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
    const seen = this.batch.jobs.map(thumb).filter(Boolean);
    if (String(seen) === this.stack.dataset.seen) return;
    this.stack.dataset.seen = String(seen);
    this.stack.replaceChildren(...seen.slice(0, THUMBS).map((src) => make("img", { src, alt: "", loading: "lazy" })));
    if (!seen.length) this.stack.append(make("span.nothing"));
  }

  #actions(isOver) {
    const { jobs } = this.batch;
    const isGone = this.#isGone;
    const name = this.title.textContent;
    const label = this.#isOpen ? t("history.close") : isGone && this.#receipts ? t("history.open_receipts") : t("history.open");
    const actions = [{ label, expanded: this.#isOpen, run: () => this.#toggle() }];
    const done = jobs.filter((job) => job.files.result);
    if (!isOver && done.length === 1) actions.push({ label: t("history.download"), href: done[0].files.result });
    if (!isOver && done.length > 1) actions.push({ label: t("history.download_all"), href: this.batch.download_url });
    const mayRunAgain = !isOver && this.#hasOriginals && !words.isOpen(this.batch.state);
    if (mayRunAgain) actions.push({ label: t("history.again"), run: () => this.does.again() });
    if (!isGone) actions.push({ label: t("history.delete"), kind: "remove", run: () => this.#askFirst() });
    offer(this.acts, actions.map((each) => ({ name, ...each })));
    offer(this.foot, mayRunAgain ? [{ name, label: t("history.otherwise"), run: () => this.does.otherwise() }] : []);
  }

  /** What would go, before it goes. */
  #askFirst() {
    this.#isAsking = true;
    const { jobs } = this.batch;
    const count = (...slots) => jobs.reduce((sum, job) => sum + slots.filter((slot) => job.files[slot]).length, 0);
    const unfinished = jobs.filter((job) => words.isOpen(job.state)).length;
    const goes = [
      t("history.originals", { count: count("original") }),
      t("history.results", { count: count("result") }),
      t("history.previews", { count: count("original_preview", "preview") }),
    ];
    const said = t("history.final", { originals: goes[0], results: goes[1], previews: goes[2] });
    const acts = make("div.acts");
    offer(acts, [
      { label: t("history.delete_these", { pictures: words.pictures(jobs.length) }), kind: "danger", run: () => this.does.remove() },
      { label: t("history.keep"), run: () => this.keep() },
    ]);
    this.asking.replaceChildren(
      make("p", {}, unfinished ? `${t("history.stops", { count: unfinished })} ${said}` : said),
      acts,
    );
    this.asking.hidden = false;
    acts.lastElementChild.focus();
  }

  #key(event) {
    if (event.key === "Escape") this.keep();
  }

  #toggle() {
    this.#isOpen = !this.#isOpen;
    this.#list();
    this.#tick(live.now);
  }

  #list() {
    this.inside.hidden = !this.#isOpen;
    if (!this.#isOpen) return;
    for (const job of this.batch.jobs) {
      let picture = this.#pictures.get(job.id);
      if (!picture) {
        picture = new Picture(this.models);
        this.#pictures.set(job.id, picture);
        this.list.append(picture.element);
      }
      picture.show(job, this.batch);
    }
  }
}

/** In the last hour, by the second. */
function countdown(end, now) {
  const seconds = (end - now) / 1000;
  if (seconds >= HOUR) return words.readable(end, now);
  return t("history.last_hour", { span: words.span(Math.max(1, seconds)) });
}

/** `600 × 400 → 2400 × 1600 · 4.1 MB`, or of several the number of results and the largest. */
function sizes(jobs) {
  const made = jobs.filter((job) => job.output.width);
  const bytes = made.reduce((sum, job) => sum + job.output.bytes, 0);
  if (jobs.length === 1) {
    const sides = [jobs[0].input, jobs[0].output].filter((side) => side.width);
    const said = sides.map((side) => words.size(side.width, side.height)).join(" → ");
    return [said, bytes && words.weight(bytes)].filter(Boolean).join(" · ");
  }
  if (!made.length) return "";
  const largest = made.map((job) => job.output).sort((a, b) => b.width * b.height - a.width * a.height)[0];
  return t("history.sizes", { size: words.size(largest.width, largest.height), weight: words.weight(bytes) });
}

/** The format, where one was chosen, and its quality, where it has one. */
function format({ output_format: chosen, quality, lossless }) {
  if (!chosen || chosen === "png") return words.FORMATS[chosen];
  return lossless ? t("history.lossless", { format: words.FORMATS[chosen] }) : `${words.FORMATS[chosen]} ${quality}`;
}

/** From the first picture's start to the last one's end, once all have ended. */
function took(jobs) {
  const worked = jobs.filter((job) => job.started_at && job.finished_at);
  if (!worked.length || jobs.some((job) => words.isOpen(job.state))) return null;
  const begun = Math.min(...worked.map((job) => new Date(job.started_at)));
  const ended = Math.max(...worked.map((job) => new Date(job.finished_at)));
  return t("history.took", { span: words.span(Math.max(1, (ended - begun) / 1000)) });
}
