// A batch on the light table: its cards follow what `/live` says.

import { Card } from "./cards.js";
import { make, moment, offer, write } from "./dom.js";
import { enlarged, goal, isOpen, isReadable, note, pictures, share, size, thumbnail, when } from "./words.js";

export class BatchCards {
  #cards = new Map();
  /** By job id: small copies that the browser made itself. */
  #thumbs;

  /** `acts`: `cancel(batch, job)` and `away(batch)`. */
  constructor(batch, { models, acts, thumbs = new Map() }) {
    this.models = models;
    this.acts = acts;
    this.#thumbs = thumbs;
    this.title = make("h2");
    this.list = make("ul.cards");
    this.foot = make("div.acts.foot");
    this.element = make("section.batch", {}, this.title, this.list, this.foot);
    for (const job of batch.jobs) {
      const card = new Card(job.name);
      this.#cards.set(job.id, card);
      this.list.append(card.element);
    }
  }

  show(batch, now) {
    const model = this.models[batch.options.model]?.label ?? batch.options.model;
    const begun = when(batch.created_at, now);
    const said = `${pictures(batch.jobs.length)} · ${goal(batch.options)} · ${model} · `;
    if (this.title.textContent !== said + begun) {
      this.title.replaceChildren(said, moment(begun, batch.created_at));
    }
    for (const job of batch.jobs) this.#cards.get(job.id)?.show(this.#job(batch, job, now));
    this.#foot(batch);
  }

  #job(batch, job, now) {
    const { width, height } = job.input;
    const { scale } = batch.options;
    const to = job.output.width ? job.output : scale && width ? enlarged(job.input, scale) : null;
    return {
      state: job.state,
      thumb: this.#thumbs.get(job.id) ?? thumbnail(job.files.original_preview, job.input),
      from: width ? size(width, height) : null,
      to: job.state === "failed" || job.state === "canceled" ? null : to && size(to.width, to.height),
      share: job.state === "running" ? share(job) : null,
      note: note(job, batch.expires_at, now),
      actions: this.#actions(batch, job, now),
    };
  }

  #actions(batch, job, now) {
    if (isOpen(job.state)) {
      return job.canceling ? [] : [{ label: "Cancel", run: () => this.acts.cancel(batch, job) }];
    }
    return new Date(batch.expires_at) > now ? results(job) : [];
  }

  #foot(batch) {
    const done = batch.jobs.filter((job) => job.files.result);
    const open = batch.jobs.filter((job) => isOpen(job.state));
    const actions = [];
    if (done.length > 1) actions.push({ label: "Download all (ZIP)", href: batch.download_url });
    if (open.length > 1) actions.push({ label: "Cancel all", run: () => this.acts.cancel(batch, null) });
    if (!open.length) actions.push({ label: "Clear from the table", kind: "plain", run: () => this.acts.away(batch) });
    offer(this.foot, actions);
  }
}

/** What can be done with a finished picture. */
export function results(job) {
  if (!isReadable(job)) return [];
  const actions = [];
  const { original_preview: before, preview: after, result } = job.files;
  if (before && after) actions.push({ label: "Compare", kind: "strong", run: () => compare(job) });
  if (result) actions.push({ label: "Download", href: result });
  return actions;
}

async function compare(job) {
  const { openCompare } = await import("./viewer.js");
  const { original_preview: before, preview: after, result: download } = job.files;
  openCompare({ name: job.name, before, after, download });
}
