// The light table: pictures come by drop, click and paste, lie here until the button is pressed, and
// are followed afterwards. Nothing leaves the machine before the press.

import { asker, Refusal } from "./ask.js";
import { BatchCards } from "./batch.js";
import { bench } from "./bench.js";
import { make, write } from "./dom.js";
import { Draft } from "./draft.js";
import { live } from "./live.js";
import { meant } from "./order.js";
import { t } from "./say.js";
import { send } from "./sending.js";
import { tidings } from "./tidings.js";
import { isOpen, newKey, note } from "./words.js";
import { Zone } from "./zone.js";

const GONE = ["UPLOAD_NOT_FOUND", "NOT_FOUND"];
const PATIENCE = 180; // seconds: twenty large pictures are checked and encrypted before the answer
const STALE = 20_000; // milliseconds: what is known of the queue

export function start(part) {
  new Table(part).open();
}

class Table {
  #sections = new Map();
  #away = new Set();
  #states = new Map();
  #press = { signature: null, key: null };
  #foreseen = { pictures: 0, at: 0 };

  constructor({ element, props }) {
    this.ask = asker(props);
    this.root = element.firstElementChild;
    this.zone = new Zone(props.limits, (files) => this.#add(files));
    this.trouble = make("p.trouble", { role: "alert", hidden: true });
    this.connection = make("p.trouble", { role: "status", hidden: true });
    this.heard = make("p.unseen", { role: "status" });
    const list = make("ul.cards.draft");
    this.batches = make("div.batches");
    this.draft = new Draft({
      limits: props.limits,
      list,
      onChange: () => this.#show(),
      onTry: (picture) => this.#try(picture),
    });
    this.list = list;
  }

  open() {
    this.root.append(this.zone.element, this.trouble, this.list, this.connection, this.batches, this.heard);
    this.root.removeAttribute("aria-busy");
    bench.press = () => this.#pressed();
    bench.ask = this.ask;
    bench.addEventListener("order", () => this.#judge());
    addEventListener("pagehide", () => bench.save());
    live.follow(() => this.#follow());
    live.wake();
    setInterval(() => this.#showBatches(), 20_000);
    this.#show();
  }

  #add(files) {
    this.#say(null);
    this.draft.add(files);
  }

  /** Pictures came, went or were looked at. */
  #show() {
    this.zone.slim(this.draft.pictures.length > 0 || this.#sections.size > 0);
    if (!bench.order) return;
    this.draft.show(bench.order);
    this.#load();
    this.#foresee();
  }

  /** Another order, or more is known: the same pictures may be taken now, or no more. */
  #judge() {
    this.draft.show(bench.order);
    if (this.draft.ready.length !== bench.load.length) this.#load();
    this.#showBatches();
  }

  #load() {
    bench.say({ load: this.draft.ready.map(({ facts }) => facts) });
  }

  /** How long it would take; the queue moves, and what is known of it is asked again. */
  async #foresee() {
    const pictures = this.draft.ready.length;
    const { pictures: before, at } = this.#foreseen;
    if (!pictures || document.hidden || (pictures === before && Date.now() - at < STALE)) return;
    this.#foreseen = { pictures, at: Date.now() };
    try {
      bench.know(await this.ask("forecast", { pictures }));
    } catch {
      // An estimate that is a little old is better than a complaint about it.
    }
  }

  async #try(picture) {
    try {
      const { tryPicture } = await import("./try.js");
      await tryPicture({ picture, order: meant(bench.order, bench.model), models: bench.models });
    } catch (problem) {
      this.#say(problem instanceof Refusal ? problem : new Refusal({ code: "NO_TRY", message: t("draft.try_failed"), hint: "" }));
    }
  }

  async #pressed() {
    if (bench.busy || !this.draft.ready.length) return;
    this.#say(null);
    const order = meant(bench.order, bench.model);
    bench.save();
    const taken = this.draft.ready;
    try {
      await this.#take(taken, order).catch((problem) => {
        if (!GONE.includes(problem.code)) throw problem;
        // Swept after an hour, or handed in by a press whose answer was lost.
        for (const picture of taken) picture.path = null;
        return this.#take(taken, order);
      });
    } catch (problem) {
      this.#say(problem);
    } finally {
      for (const picture of taken) picture.sent = null;
      bench.say({ busy: null });
      this.#show();
    }
  }

  async #take(taken, order) {
    await this.#sendAll(taken);
    const going = taken.filter((picture) => picture.path);
    if (going.length) await this.#handIn(going, order);
  }

  /** Afterwards each picture has a path, or the server's refusal, or was removed. */
  async #sendAll(taken) {
    for (const [index, picture] of taken.entries()) {
      if (picture.path || picture.stop.signal.aborted) continue;
      bench.say({ busy: taken.length > 1 ? t("deed.sending_of", { number: index + 1, all: taken.length }) : t("deed.sending") });
      const onProgress = (sent) => {
        picture.sent = sent;
        picture.show(bench.order);
      };
      onProgress(0);
      try {
        picture.path = await send(picture.file, { onProgress, signal: picture.stop.signal });
        onProgress(1);
      } catch (problem) {
        picture.sent = null;
        if (problem.code === "ABORTED") continue;
        if (["NO_CONNECTION", "SIGNED_OUT", "NOT_TAKEN"].includes(problem.code)) throw problem;
        picture.told = problem.message;
        this.#show();
      }
    }
  }

  async #handIn(going, order) {
    bench.say({ busy: t("deed.handing_in") });
    const files = going.map(({ path, file }) => ({ path, orig_name: file.name }));
    // The same press again, after an answer that was lost, has the same key.
    const signature = JSON.stringify([going.map(({ id }) => id), order]);
    if (this.#press.signature !== signature) this.#press = { signature, key: newKey() };
    const { batch } = await this.ask("submit", { files, order, key: this.#press.key }, PATIENCE);
    const thumbs = new Map(batch.jobs.map((job, index) => [job.id, going[index].facts.thumb]));
    this.#place(batch, thumbs);
    this.draft.clear(going);
    live.learn({ batch });
  }

  #follow() {
    const said = {
      fine: [],
      lost: [t("connection.lost")],
      out: [t("connection.out"), " ", make("a", { href: "/login" }, t("connection.sign_in"))],
    }[live.connection];
    this.connection.replaceChildren(...said);
    this.connection.hidden = !said.length;
    const finished = [];
    const own = [...live.batches.values()];
    for (const batch of own) {
      if (!this.#sections.has(batch.id)) this.#place(batch);
      for (const job of batch.jobs) {
        if (isOpen(this.#states.get(job.id)) && !isOpen(job.state)) finished.push([batch, job]);
        this.#states.set(job.id, job.state);
      }
    }
    this.#showBatches();
    this.#foresee();
    tidings.follow(own);
    if (finished.length) {
      write(this.heard, finished.map(([batch, job]) => `${job.name}: ${note(job, batch.expires_at, live.now)}`).join(". "));
    }
  }

  #place(batch, thumbs) {
    if (this.#sections.has(batch.id) || this.#away.has(batch.id)) return;
    const acts = { cancel: (...what) => this.#do("cancel", ...what), retry: (...what) => this.#do("retry", ...what), away: (which) => this.#putAway(which) };
    const section = new BatchCards(batch, { acts, thumbs });
    this.#sections.set(batch.id, section);
    // Newest first, whichever way they were heard of.
    const older = [...this.#sections.keys()]
      .map((id) => live.batches.get(id))
      .filter((each) => each && each.created_at < batch.created_at)
      .sort((a, b) => (a.created_at < b.created_at ? 1 : -1))[0];
    this.batches.insertBefore(section.element, older ? this.#sections.get(older.id).element : null);
    section.show(batch, live.now);
    this.zone.slim(true);
  }

  #showBatches() {
    for (const [id, section] of this.#sections) {
      const batch = live.batches.get(id);
      if (batch) section.show(batch, live.now);
    }
  }

  async #do(act, batch, job) {
    this.#say(null);
    try {
      live.learn(await this.ask(act, { batch: batch.id, job: job?.id ?? null }));
    } catch (problem) {
      this.#say(problem);
    }
  }

  #putAway(batch) {
    this.#away.add(batch.id);
    this.#sections.get(batch.id).element.remove();
    this.#sections.delete(batch.id);
    this.#show();
  }

  #say(problem) {
    this.trouble.hidden = !problem;
    write(this.trouble, problem?.message ?? "");
    if (problem) live.wake(); // it may say more about why
  }
}
