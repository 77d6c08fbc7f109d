// The history: a row for each batch, what can be looked for in it, and what can be done with a row.

import { asker } from "./ask.js";
import { askSettings } from "./history-again.js";
import { Row } from "./history-row.js";
import { Sift } from "./history-sift.js";
import { make, set, write } from "./dom.js";
import { live } from "./live.js";
import { t } from "./say.js";
import { newKey, pictures, when } from "./words.js";

const SECOND = 1000;
const SKELETONS = 3;
const FEW = 20;
const MOST = 100;

export function start(part) {
  new History(part).open();
}

class History {
  /** By batch id. */
  #rows = new Map();
  #cursor = null;
  #asked = 0;
  /** What was looked for when the rows were shown that are. */
  #shownFor = null;
  #isSeen = false;

  constructor({ element, props }) {
    this.element = element;
    this.props = props;
    this.models = props.models;
    this.ask = asker(props);
    this.sift = new Sift(() => this.#refresh());
    this.problem = make("span");
    const retry = make("button.act", { type: "button", onclick: () => this.#refresh() }, t("history.retry"));
    this.trouble = make("div.trouble", { role: "alert", hidden: true }, this.problem, retry);
    this.told = make("p.told", { role: "status" });
    this.list = make("ul.rows", { "aria-label": t("history.list") });
    this.more = make("button.act.more", { type: "button", hidden: true, onclick: () => this.#more() }, t("history.more"));
    this.empty = make("p.empty", { hidden: true }, t("history.empty"));
    const all = make("button.act", { type: "button", onclick: () => this.sift.clear() }, t("history.show_all"));
    this.nothing = make("div.empty", { hidden: true }, make("p", {}, t("history.nothing")), all);
    this.skeleton = make("div.skeleton", { "aria-hidden": "true" });
    for (let n = 0; n < SKELETONS; n++) this.skeleton.append(make("i"));
  }

  open() {
    const root = this.element.firstElementChild;
    root.append(this.sift.element, this.trouble, this.told, this.skeleton, this.empty, this.nothing, this.list, this.more);
    // Seen again, it is looked at again: when the tab is opened, or the window is.
    new IntersectionObserver(([entry]) => this.#seen(entry.isIntersecting)).observe(root);
    live.follow(() => this.#follow());
    setInterval(() => this.#count(), SECOND);
    this.#refresh().then(() => root.removeAttribute("aria-busy"));
  }

  #seen(isSeen) {
    this.#isSeen = isSeen;
    if (isSeen) this.#refresh();
  }

  async #refresh() {
    const wanted = JSON.stringify(this.sift.wanted);
    const isOther = wanted !== this.#shownFor;
    if (isOther && this.#shownFor) {
      set(this.list, { "aria-busy": "true" });
      this.more.disabled = true;
    }
    const most = isOther ? FEW : Math.min(MOST, Math.max(FEW, this.#rows.size));
    const answer = await this.#page({ limit: most });
    if (!answer) return;
    this.#shownFor = wanted;
    this.#forget(answer, isOther);
    this.#take(answer.items);
    // With more shown than one answer holds, where the next page begins is still what it was.
    if (this.#covers(answer)) this.#goOn(answer.next_cursor);
    this.sift.offer(answer.used, this.models);
    this.sift.keep();
    this.#say();
  }

  async #more() {
    this.more.disabled = true;
    const first = this.#rows.size;
    const answer = await this.#page({ cursor: this.#cursor });
    if (!answer) return;
    const hadFocus = document.activeElement === this.more || document.activeElement === document.body;
    this.#take(answer.items);
    this.#goOn(answer.next_cursor);
    this.#say();
    // Who came by the keyboard goes on at the first row that is new.
    if (hadFocus && this.more.hidden) this.list.children[first]?.querySelector("button")?.focus();
  }

  #covers({ items, next_cursor: next }) {
    const oldest = items.at(-1)?.created_at ?? "";
    return !next || [...this.#rows.values()].every((row) => row.batch.created_at >= oldest);
  }

  /** Rows that the answer would have and has not; all others too when something else `isOther` is
   * looked for, since what lies beyond the answer may not belong to it. */
  #forget({ items, next_cursor: next }, isOther) {
    const here = new Set(items.map((batch) => batch.id));
    const oldest = next && !isOther ? items.at(-1).created_at : "";
    for (const [id, row] of this.#rows) {
      if (here.has(id) || row.batch.created_at < oldest) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
  }

  #goOn(cursor) {
    this.#cursor = cursor;
    this.more.hidden = !cursor;
  }

  #take(batches) {
    for (const batch of batches) (this.#rows.get(batch.id) ?? this.#add(batch)).show(batch);
  }

  #add(batch) {
    const row = new Row(batch, this.models, {
      remove: () => this.#delete(row),
      again: () => this.#again(row),
      otherwise: () => this.#otherwise(row),
    });
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
      // Whether it is among what is looked for, the server says with the next answer.
      else if (this.#isKnown && !this.sift.isOn && this.#isUpToDate) this.#take([batch]);
    }
    if (this.#isKnown) this.#say();
  }

  /** Whether what is shown is what is looked for now. */
  get #isUpToDate() {
    return JSON.stringify(this.sift.wanted) === this.#shownFor;
  }

  get #isKnown() {
    return !this.element.firstElementChild.hasAttribute("aria-busy");
  }

  /** What there is, or why there is nothing. */
  #say() {
    const count = this.#rows.size;
    const isOn = this.sift.isOn;
    this.empty.hidden = count > 0 || isOn;
    this.nothing.hidden = count > 0 || !isOn;
    this.sift.element.hidden = !count && !isOn;
    this.told.classList.toggle("unseen", !count); // what is seen says it already
    if (!isOn) this.#tell(this.news ?? "");
    else if (!count) this.#tell(t("history.nothing_found"));
    else this.#tell(this.more.hidden ? t("history.found", { count }) : t("history.found_more", { count }));
  }

  #tell(words) {
    write(this.told, words);
  }

  #count() {
    if (!this.#isSeen || document.hidden) return;
    const { now } = live;
    for (const row of this.#rows.values()) row.count(now);
  }

  async #delete(row) {
    const answer = await this.#question("delete", { batch: row.batch.id });
    if (!answer) return row.keep();
    row.deleted();
    row.show(answer.batch);
    if (live.batches.has(answer.batch.id)) live.learn(answer);
  }

  /** Once more, as it was. The same key until it is known what came of it: nothing runs twice. */
  async #again(row) {
    row.key ??= newKey();
    row.wait(true);
    const answer = await this.#question("again", { batch: row.batch.id, key: row.key });
    row.wait(false);
    if (answer) this.#begun(row, answer);
  }

  async #otherwise(row) {
    const answer = await askSettings({
      batch: row.batch,
      models: this.models,
      choices: this.props,
      place: this.element,
      ask: (settings, key) => this.ask("again", { batch: row.batch.id, settings, key }, 120),
    });
    if (answer) this.#begun(row, answer);
  }

  #begun(row, answer) {
    row.key = null;
    this.#take([answer.batch]);
    live.learn(answer);
    const { jobs, expires_at: end } = answer.batch;
    this.news = t("history.begun", { pictures: pictures(jobs.length), moment: when(end, live.now) });
    this.#tell(this.news);
  }

  /** A page of what is looked for; null when there is none, or when another was asked for since. */
  async #page(where) {
    const number = ++this.#asked;
    const answer = await this.#question("page", { ...where, ...this.sift.wanted });
    if (number !== this.#asked) return null;
    this.skeleton.remove();
    set(this.list, { "aria-busy": null });
    this.more.disabled = false;
    if (!answer) return null;
    this.models = answer.models;
    live.learn({ now: answer.now });
    return answer;
  }

  /** The answer; null when there is none, and then the reason is on the page. */
  async #question(act, what) {
    try {
      const answer = await this.ask(act, what, 120);
      this.trouble.hidden = true;
      return answer;
    } catch (problem) {
      this.trouble.hidden = false;
      write(this.problem, problem.message);
      this.trouble.scrollIntoView({ block: "nearest" });
      return null;
    }
  }
}
