// The light table: pictures come by drop, click and paste, lie here until the button is pressed, and
// are followed afterwards. Nothing leaves the machine before the press.

import { asker } from "./ask.js";
import { BatchCards } from "./batch.js";
import { bench } from "./bench.js";
import { drawing, make, write } from "./dom.js";
import { Draft } from "./draft.js";
import { live } from "./live.js";
import { send } from "./sending.js";
import { isOpen, megapixels, newKey, note, pictures } from "./words.js";

const PATIENCE = 180; // seconds: twenty large pictures are checked and encrypted before the answer

export function start(part) {
  new Table(part).open();
}

class Table {
  #sections = new Map();
  #away = new Set();
  #states = new Map();
  #press = { signature: null, key: null };

  constructor({ element, props, ...rest }) {
    this.models = props.models;
    this.ask = asker({ props, ...rest });
    this.root = element.firstElementChild;
    this.zone = new Zone(props.limits, (files) => this.#add(files));
    this.trouble = make("p.trouble", { role: "alert", hidden: true });
    this.connection = make("p.trouble", { role: "status", hidden: true });
    this.heard = make("p.unseen", { role: "status" });
    const list = make("ul.cards.draft");
    this.batches = make("div.batches");
    this.draft = new Draft({ limits: props.limits, list, onChange: () => this.#show() });
    this.list = list;
  }

  open() {
    this.root.append(this.zone.element, this.trouble, this.list, this.connection, this.batches, this.heard);
    this.root.removeAttribute("aria-busy");
    bench.press = () => this.#pressed();
    bench.addEventListener("order", () => this.#show());
    live.follow(() => this.#follow());
    live.wake();
    setInterval(() => this.#showBatches(), 20_000);
    this.#show();
  }

  #add(files) {
    this.#say(null);
    this.draft.add(files);
  }

  #show() {
    if (!bench.order) return;
    this.draft.show(bench.order);
    const { ready } = this.draft;
    const pixels = ready.reduce((sum, { facts }) => sum + facts.width * facts.height, 0);
    this.zone.slim(this.draft.pictures.length > 0 || this.#sections.size > 0);
    bench.say({ load: { count: ready.length, pixels } });
  }

  async #pressed() {
    if (bench.busy || !this.draft.ready.length) return;
    this.#say(null);
    const order = { ...bench.order };
    const taken = this.draft.ready;
    try {
      await this.#sendAll(taken);
      const going = taken.filter((picture) => picture.path);
      if (going.length) await this.#handIn(going, order);
    } catch (problem) {
      // What was sent and is no longer there has to be sent again.
      if (problem.code === "UPLOAD_NOT_FOUND") for (const picture of taken) picture.path = null;
      this.#say(problem);
    } finally {
      for (const picture of taken) picture.sent = null;
      bench.say({ busy: null });
      this.#show();
    }
  }

  /** Afterwards each picture has a path, or the server's refusal, or was removed. */
  async #sendAll(taken) {
    for (const [index, picture] of taken.entries()) {
      if (picture.path || picture.stop.signal.aborted) continue;
      bench.say({ busy: taken.length > 1 ? `Sending ${index + 1} of ${taken.length} …` : "Sending …" });
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
    bench.say({ busy: "Handing in …" });
    const files = going.map(({ path, file }) => ({ path, orig_name: file.name }));
    // The same press again, after an answer that was lost, has the same key.
    const signature = JSON.stringify([files, order]);
    if (this.#press.signature !== signature) this.#press = { signature, key: newKey() };
    const { batch } = await this.ask("submit", { files, ...order, key: this.#press.key }, PATIENCE);
    const thumbs = new Map(batch.jobs.map((job, index) => [job.id, going[index].facts.thumb]));
    this.#place(batch, thumbs);
    this.draft.clear(going);
    live.learn({ batch });
  }

  #follow() {
    const said = {
      fine: [],
      lost: ["No connection to the server; trying again."],
      out: ["You are signed out. ", make("a", { href: "/login" }, "Sign in again"), "."],
    }[live.connection];
    this.connection.replaceChildren(...said);
    this.connection.hidden = !said.length;
    const finished = [];
    for (const batch of live.batches.values()) {
      if (!this.#sections.has(batch.id)) this.#place(batch);
      for (const job of batch.jobs) {
        if (isOpen(this.#states.get(job.id)) && !isOpen(job.state)) finished.push([batch, job]);
        this.#states.set(job.id, job.state);
      }
    }
    this.#showBatches();
    if (finished.length) {
      write(this.heard, finished.map(([batch, job]) => `${job.name}: ${note(job, batch.expires_at, live.now)}`).join(". "));
    }
  }

  #place(batch, thumbs) {
    if (this.#sections.has(batch.id) || this.#away.has(batch.id)) return;
    const acts = { cancel: (...what) => this.#cancel(...what), away: (which) => this.#putAway(which) };
    const section = new BatchCards(batch, { models: this.models, acts, thumbs });
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

  async #cancel(batch, job) {
    try {
      live.learn(await this.ask("cancel", { batch: batch.id, job: job?.id ?? null }));
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
  }
}

class Zone {
  constructor({ files, bytes, input_pixels: pixels }, take) {
    const input = make("input", {
      type: "file",
      multiple: true,
      accept: "image/png,image/jpeg,image/webp,.png,.jpg,.jpeg,.webp",
      "aria-label": "Choose pictures",
      onchange: () => {
        take([...input.files]);
        input.value = ""; // the same file may be chosen again
      },
    });
    const most = `up to ${pictures(files)}, ${Number((bytes / 1e6).toFixed(1))} MB and ${megapixels(pixels)} megapixels each`;
    const words = make(
      "span",
      {},
      make("b", {}, "Drop pictures here"),
      ", paste, or ",
      make("u", {}, "choose files"),
      make("small", {}, `PNG, JPEG, WebP · ${most}`),
    );
    this.element = make("label.drop", {}, input, mark(), words);
    this.take = take;
    this.#listen();
  }

  slim(yes) {
    this.element.classList.toggle("slim", yes);
  }

  get #isShown() {
    return this.element.checkVisibility?.() ?? this.element.offsetParent !== null;
  }

  // On the whole page: a picture that misses the zone would otherwise replace the page.
  #listen() {
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const over = (yes) => this.element.classList.toggle("over", yes);
    document.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = this.#isShown ? "copy" : "none";
      over(true);
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over(false);
      if (this.#isShown) this.take([...event.dataTransfer.files]);
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length && this.#isShown) this.take(files);
    });
  }
}

const mark = () =>
  drawing("0 0 48 48", [
    ["rect", { x: 4, y: 4, width: 40, height: 40, rx: 9, fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": "5 5" }],
    ["rect", { x: 11, y: 23, width: 14, height: 14, rx: 3, class: "grain" }],
    ["path", { d: "M27 21l8-8m0 0h-7m7 0v7", stroke: "currentColor", "stroke-width": 2.4, fill: "none", "stroke-linecap": "round", "stroke-linejoin": "round" }],
  ]);
