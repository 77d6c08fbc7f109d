// The office: asks how the service does, while somebody looks, and shows it. What is drawn is in
// admin-figures.js, what is done with models in admin-models.js.

import { Figures } from "./admin-figures.js";
import { Models } from "./admin-models.js";
import { asker } from "./ask.js";
import { make, moment, write } from "./dom.js";
import { t } from "./say.js";
import { span, weight, when } from "./words.js";

const EVERY = 5_000;
const AT_WORK = 1_000;
/** After so many short looks, a long one. */
const LONG = 12;

export function start(part) {
  new Office(part).open();
}

class Office {
  constructor({ element, props }) {
    this.root = element.firstElementChild;
    this.ask = asker(props);
    this.trouble = make("p.trouble", { role: "alert", hidden: true });
    this.loading = make("p.loading", { role: "status" }, t("admin.loading"));
    this.tiles = make("dl.tiles");
    this.running = make("ul.running");
    this.sweeps = make("dl.sweeps");
    this.deeds = make("ol.deeds");
    this.noDeeds = make("p.dim", {}, t("admin.deeds.none"));
    this.figures = new Figures();
    this.models = new Models((act, what) => this.#do(act, what), () => this.#look(true));
    this.looks = 0;
  }

  open() {
    this.all = make(
      "div.office",
      { hidden: true },
      panel(t("admin.now"), this.tiles, this.running),
      panel(t("admin.figures"), ...this.figures.elements),
      panel(t("admin.sweeps"), this.sweeps),
      panel(t("admin.models"), ...this.models.elements),
      panel(t("admin.deeds"), this.noDeeds, this.deeds),
    );
    this.root.append(this.trouble, this.loading, this.all);
    new IntersectionObserver(([entry]) => this.#seen(entry.isIntersecting)).observe(this.root);
    document.addEventListener("visibilitychange", () => this.#seen(this.isSeen));
  }

  #seen(isSeen) {
    this.isSeen = isSeen;
    clearTimeout(this.timer);
    if (isSeen && !document.hidden) this.#look(true);
  }

  /** Looks, and again after a while, as long as somebody does. */
  async #look(long) {
    clearTimeout(this.timer);
    this.looks = long ? 0 : this.looks + 1;
    const wasOpen = this.models.isOpen;
    await this.#do(long || this.looks >= LONG ? "show" : "now");
    if (this.looks >= LONG) this.looks = 0;
    // What a deed has changed is seen at once.
    if (wasOpen && !this.models.isOpen) await this.#do("show");
    clearTimeout(this.timer);
    if (this.isSeen && !document.hidden) this.timer = setTimeout(() => this.#look(false), this.models.isOpen ? AT_WORK : EVERY);
  }

  async #do(act, what) {
    try {
      const answer = await this.ask(act, what);
      this.trouble.hidden = true;
      this.#show(answer);
      return answer;
    } catch (problem) {
      this.trouble.hidden = false;
      write(this.trouble, problem.message);
      return null;
    } finally {
      this.root.removeAttribute("aria-busy");
      this.loading.hidden = true;
    }
  }

  #show(answer) {
    this.all.hidden = false;
    const at = new Date(answer.now);
    if (answer.days) {
      this.storage = answer.storage;
      this.figures.show(answer);
      this.sweeps.replaceChildren(...answer.sweeps.flatMap((run) => sweepRow(run, at)));
      this.noDeeds.hidden = answer.deeds.length > 0;
      this.deeds.replaceChildren(...answer.deeds.map((deed) => deedRow(deed, at)));
    }
    this.tiles.replaceChildren(...this.#tiles(answer));
    this.running.hidden = !answer.running.length;
    this.running.replaceChildren(...answer.running.map(runningRow));
    this.models.show(answer);
  }

  #tiles({ waiting, oldest_waiting_s, running, workers, disk }) {
    const { oldest_s, holds } = this.storage;
    const devices = [...new Set(workers.map(({ device }) => device))].join(", ");
    return [
      tile(t("admin.now.waiting"), String(waiting), waiting ? t("admin.now.oldest", { span: span(oldest_waiting_s) }) : t("admin.now.idle")),
      tile(t("admin.now.running"), String(running.length), running.length ? t("admin.now.longest", { span: span(running[0].since_s) }) : t("admin.now.nothing"), running.length ? "live" : ""),
      tile(t("admin.now.workers"), String(workers.length), workers.length ? devices : t("admin.now.noworker"), workers.length ? "" : "bad"),
      tile(t("admin.now.file"), oldest_s === null ? "–" : hours(oldest_s), holds ? t("admin.now.holds", { count: holds }) : t("admin.now.noholds"), oldest_s > 60 * 3600 ? "bad" : ""),
      tile(t("admin.now.disk"), weight(disk.free), t("admin.now.of", { weight: weight(disk.total) }), disk.free < disk.total / 10 ? "bad" : ""),
    ];
  }
}

const panel = (title, ...children) => make("section.panel", {}, make("h2", {}, title), ...children);

const hours = (seconds) => t("span.hours", { hours: Math.floor(seconds / 3600) });

const tile = (name, value, note, kind = "") => make(`div.tile${kind && `.${kind}`}`, {}, make("dt", {}, name), make("dd", {}, make("b", {}, value), make("small", {}, note)));

const KINDS = { upscale: () => t("admin.kind.upscale"), try: () => t("admin.kind.try"), convert: () => t("admin.kind.convert") };

function runningRow({ kind, model, done, total, since_s }) {
  const percent = total ? Math.floor((done / total) * 100) : 0;
  const bar = make("progress", { max: 100, value: percent, "aria-label": t("admin.running.progress", { model }) });
  return make("li", {}, make("b", {}, model), make("span.dim", {}, `${KINDS[kind]()} · ${t("admin.running.note", { percent, span: span(since_s) })}`), bar);
}

const SWEEPS = {
  retention: () => t("admin.sweep.retention"),
  recovery: () => t("admin.sweep.recovery"),
  reconcile: () => t("admin.sweep.reconcile"),
  audit: () => t("admin.sweep.audit"),
};

function sweepRow({ kind, at, deleted, error }, now) {
  const said = make("dd", error ? { class: "bad" } : {});
  if (!at) said.append(t("admin.sweep.never"));
  else said.append(moment(when(at, now), at), error ? ` · ${t("admin.sweep.failed", { code: error })}` : ` · ${t("admin.sweep.done", { count: deleted })}`);
  return [make("dt", {}, SWEEPS[kind]()), said];
}

const DEEDS = {
  model_pulled: (model) => t("admin.deed.pulled", { model }),
  model_added: (model) => t("admin.deed.added", { model }),
  model_removed: (model) => t("admin.deed.removed", { model }),
  model_checked: (model) => t("admin.deed.checked", { model }),
};
const WHO = { you: () => t("admin.deed.you"), other: () => t("admin.deed.another"), gone: () => t("admin.deed.gone") };

function deedRow({ at, deed, concerned, who }, now) {
  return make("li", {}, moment(when(at, now), at), make("span", {}, `${WHO[who]()} ${DEEDS[deed](concerned)}`));
}
