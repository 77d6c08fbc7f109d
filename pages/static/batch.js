// A batch on the light table: its cards follow what `/live` says.

import { bench } from "./bench.js";
import { Card } from "./cards.js";
import { compare } from "./comparing.js";
import { make, moment, offer, write } from "./dom.js";
import { secondsLeft, shareOf } from "./forecast.js";
import { t } from "./say.js";
import { enlarged, goal, isOpen, isReadable, note, pictures, share, size, span, thumbnail, when } from "./words.js";

export class BatchCards {
  #cards = new Map();
  /** By job id: small copies that the browser made itself. */
  #thumbs;

  /** `acts`: `cancel(batch, job)`, `retry(batch, job)` and `away(batch)`. */
  constructor(batch, { acts, thumbs = new Map() }) {
    this.acts = acts;
    this.#thumbs = thumbs;
    this.title = make("h2");
    this.whole = make("progress", { max: 1, "aria-label": t("batch.progress", { pictures: pictures(batch.jobs.length) }) });
    this.left = make("span.left");
    this.line = make("div.whole", {}, this.whole, this.left);
    this.list = make("ul.cards");
    this.foot = make("div.acts.foot");
    this.element = make("section.batch", {}, this.title, this.line, this.list, this.foot);
    for (const job of batch.jobs) {
      const card = new Card(job.name);
      this.#cards.set(job.id, card);
      this.list.append(card.element);
    }
  }

  show(batch, now) {
    const model = bench.models[batch.options.model]?.label ?? batch.options.model;
    const begun = when(batch.created_at, now);
    const said = `${pictures(batch.jobs.length)} · ${goal(batch.options)} · ${model} · `;
    if (this.title.textContent !== said + begun) {
      this.title.replaceChildren(said, moment(begun, batch.created_at));
    }
    for (const job of batch.jobs) this.#cards.get(job.id)?.show(this.#job(batch, job, now));
    this.#line(batch, now);
    this.#foot(batch, now);
  }

  // One picture has its own line.
  #line(batch, now) {
    this.line.hidden = !isOpen(batch.state) || batch.jobs.length === 1;
    if (this.line.hidden) return;
    const done = shareOf(batch.jobs);
    const left = secondsLeft(batch, bench.models, bench.forecast, now);
    const percent = Math.floor(done * 100);
    this.whole.value = done;
    write(this.left, left ? t("note.left", { percent, span: span(Math.max(1, left)) }) : t("note.share", { percent }));
  }

  #job(batch, job, now) {
    const { width, height } = job.input;
    const to = job.output.width ? job.output : width ? enlarged(job.input, batch.options) : null;
    return {
      state: job.state,
      thumb: this.#thumbs.get(job.id) ?? thumbnail(job.files.original_preview, job.input),
      from: width ? size(width, height) : null,
      to: job.state === "failed" || job.state === "canceled" ? null : to && size(to.width, to.height),
      share: job.state === "running" ? share(job) : null,
      note: note(job, batch.expires_at, now),
      remark: job.report?.notes?.join(" "),
      actions: this.#actions(batch, job, now),
    };
  }

  #actions(batch, job, now) {
    if (isOpen(job.state)) {
      return job.canceling ? [] : [{ label: t("act.cancel"), run: () => this.acts.cancel(batch, job) }];
    }
    if (new Date(batch.expires_at) <= now) return [];
    if (!canRetry(job)) return results(batch, job);
    const label = job.state === "failed" ? t("act.retry") : t("act.restart");
    return [{ label, run: () => this.acts.retry(batch, job) }];
  }

  #foot(batch, now) {
    const isOver = new Date(batch.expires_at) <= now;
    const failed = batch.jobs.filter((job) => job.state === "failed" && canRetry(job)).length;
    const done = batch.jobs.filter((job) => job.files.result);
    const open = batch.jobs.filter((job) => isOpen(job.state));
    const actions = [];
    if (done.length > 1) actions.push({ label: t("act.all"), href: batch.download_url });
    if (failed && batch.jobs.length > 1 && !isOver) {
      actions.push({ label: t("act.retry_failed", { count: failed }), run: () => this.acts.retry(batch, null) });
    }
    if (open.length > 1) actions.push({ label: t("act.cancel_all"), run: () => this.acts.cancel(batch, null) });
    if (!open.length) actions.push({ label: t("act.clear"), kind: "plain", run: () => this.acts.away(batch) });
    offer(this.foot, actions);
  }
}

/** Whether it ended without a result and its original still lies there. */
const canRetry = (job) => ["failed", "canceled"].includes(job.state) && Boolean(job.files.original);

/** What can be done with a finished picture. */
export function results(batch, job) {
  if (!isReadable(job)) return [];
  const actions = [];
  const { original_preview: before, preview: after, result } = job.files;
  if (before && after) actions.push({ label: t("act.compare"), kind: "strong", run: () => compare(batch, job) });
  if (result) actions.push({ label: t("act.download"), href: result });
  return actions;
}
