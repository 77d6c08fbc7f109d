// One picture of an open row: what came of it, how it was made, and the receipts of its files.

import { results } from "./batch.js";
import { downloads } from "./comparing.js";
import { make, moment, offer, set, write } from "./dom.js";
import { live } from "./live.js";
import { t } from "./say.js";
import * as words from "./words.js";

const CHECKSUM = 12;

export class Picture {
  #drawn = null;

  constructor(models) {
    this.models = models;
    this.seen = make("div.seen");
    this.name = make("b", { dir: "auto" });
    this.sizes = make("span.facts");
    this.state = make("span.state");
    this.how = make("details.how", { hidden: true }, make("summary", {}, t("history.how")));
    this.receipts = make("ul.receipts", { "aria-label": t("history.receipts_of"), hidden: true });
    this.acts = make("div.acts");
    const what = make("div.what", {}, this.name, this.sizes, this.state, this.how, this.receipts);
    this.element = make("li.picture", {}, this.seen, what, this.acts);
  }

  show(job, batch) {
    const drawn = JSON.stringify([job, batch.expires_at]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.job = job;
    this.batch = batch;
    write(this.name, job.name);
    set(this.name, { title: job.name });
    write(this.sizes, sizes(job));
    this.state.className = `state ${job.state}`;
    write(this.state, said(job, batch));
    this.#see();
    this.#tellHow();
    this.#tellReceipts();
    this.act(new Date(batch.expires_at) <= live.now);
  }

  /** What can be done with it now. */
  act(isOver) {
    const { name } = this.job;
    const actions = [...results(this.batch, this.job), ...downloads(this.batch, this.job)];
    offer(this.acts, isOver ? [] : actions.map((each) => ({ name, ...each })));
  }

  #see() {
    const src = thumb(this.job);
    if (this.seen.firstElementChild?.getAttribute("src") === src) return;
    this.seen.replaceChildren(src ? make("img", { src, alt: "", loading: "lazy" }) : make("span.nothing"));
  }

  #tellHow() {
    const { report } = this.job;
    this.how.hidden = !report;
    if (!report) return;
    const facts = make("dl");
    for (const [name, fact] of told(report, this.models)) {
      if (fact) facts.append(make("dt", {}, name), make("dd", {}, fact));
    }
    this.how.replaceChildren(this.how.firstElementChild, facts);
  }

  #tellReceipts() {
    const { receipts, deleted_at: times } = this.job;
    const lines = Object.entries(receipts).map(([slot, id]) =>
      make("li", {}, SLOTS[slot] ?? slot, " ", moment(t("history.deleted_at", { moment: words.when(times[slot], live.now) }), times[slot]), " ", make("code", {}, id)),
    );
    this.receipts.hidden = !lines.length;
    this.receipts.replaceChildren(...lines);
  }
}

const SLOTS = {
  original: t("history.slot.original"),
  result: t("history.slot.result"),
  original_preview: t("history.slot.original_preview"),
  preview: t("history.slot.preview"),
};

export const thumb = (job) =>
  words.thumbnail(job.files.preview, job.output) ?? words.thumbnail(job.files.original_preview, job.input);

function sizes({ input, output }) {
  return [input, output]
    .filter((side) => side.width)
    .map((side) => words.size(side.width, side.height) + (side.bytes ? `, ${words.weight(side.bytes)}` : ""))
    .map((side) => side.replaceAll(" ", "\u00a0")) // a line may end between the two only
    .join(" → ");
}

function said(job, batch) {
  if (job.state !== "succeeded") return words.note(job, batch.expires_at, live.now);
  const took = (new Date(job.finished_at) - new Date(job.started_at)) / 1000;
  const span = words.span(Math.max(1, took));
  return Object.keys(job.receipts).length ? t("history.done_deleted", { span }) : t("history.done", { span });
}

/** Names and facts of a report, in the order of a reader's questions. */
function told(report, models) {
  const seconds = (report.seconds?.total ?? 0).toFixed(1);
  return [
    [t("history.fact.way"), way(report)],
    [t("history.fact.model"), models[report.model]?.label ?? report.model],
    [t("history.fact.weights"), `${report.model} · ${report.weights_sha256.slice(0, CHECKSUM)}`],
    [t("history.fact.device"), `${report.device} · ${report.dtype}`],
    [t("history.fact.pieces"), report.tiles > 1 ? t("history.pieces", { count: report.tiles }) : t("history.whole")],
    [t("history.fact.time"), t("span.seconds", { seconds })],
    [t("history.fact.result"), `${words.FORMATS[report.output_format]} · ${t("history.bits", { bits: report.bits })}`],
    [t("history.fact.notes"), report.notes.join(" ")],
  ];
}

/** What the network did and what a filter did. */
function way({ input, output, network_scale: scale, passes, filter }) {
  const times = scale ** passes;
  const size = words.size(input.width * times, input.height * times);
  const network = passes > 1 ? t("history.way.passes", { scale, passes, size }) : t("history.way.once", { scale, size });
  return filter ? `${network}, ${t("history.way.filter", { size: words.size(output.width, output.height) })}` : network;
}
