// What happens to the visitor's batches now: `GET /live`, once a second while anything is
// unfinished and somebody looks, now and then while nobody does. One for the whole page.

import { isOpen } from "./words.js";

const EVERY = 1000;
const UNSEEN = 5000; // for the page's title, and to tell when all is done
const LONGEST = 15_000;

class Live {
  /** Every batch of pictures that was heard of since the page was opened, by id. */
  batches = new Map();
  /** The same of tries and conversions, which are done ahead of the queue: see `ahead.js`. */
  ahead = new Map();
  /** "fine", "lost" (no connection) or "out" (signed out). */
  connection = "fine";
  #offset = 0;
  #tag = null;
  #failures = 0;
  #timer = null;
  #asking = false;
  #again = false;
  #listeners = new Set();

  constructor() {
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("online", () => this.wake());
  }

  /** The server's time, as a Date. */
  get now() {
    return new Date(Date.now() + this.#offset);
  }

  /** Call `listener` after every look, whether or not anything changed. */
  follow(listener) {
    this.#listeners.add(listener);
  }

  /** Take a batch over from an answer to a question, or say the server's time. */
  learn({ batch, now }) {
    if (now) this.#offset = new Date(now) - Date.now();
    if (batch) {
      this.#keep(batch);
      this.#tag = null; // what /live said is not all that is known now
      this.#tell();
      this.wake();
    }
  }

  /** Look now, and go on as long as there is something to see. */
  wake() {
    clearTimeout(this.#timer);
    if (this.#asking) this.#again = true;
    else this.#look();
  }

  async #look() {
    this.#asking = true;
    this.#again = false;
    try {
      const headers = this.#tag ? { "If-None-Match": this.#tag } : {};
      const answer = await fetch("/live", { headers, signal: AbortSignal.timeout(20_000) });
      if (answer.status === 401 || answer.status === 428) this.connection = "out";
      else if (answer.status !== 304 && !answer.ok) throw new Error(`/live answered ${answer.status}`);
      else {
        this.connection = "fine";
        this.#failures = 0;
        if (answer.ok) {
          this.#take(await answer.json());
          this.#tag = answer.headers.get("ETag");
        }
      }
    } catch {
      this.connection = "lost";
      this.#failures += 1;
    }
    this.#asking = false;
    this.#tell();
    this.#rest();
  }

  #take({ now, batches }) {
    this.#offset = new Date(now) - Date.now();
    for (const batch of batches) this.#keep(batch);
  }

  // What is left of a running job is told again only when a piece of it is done: counted down here.
  #keep(batch) {
    for (const job of batch.jobs) {
      job.ends_at = job.seconds_left === null ? null : Number(this.now) + job.seconds_left * 1000;
    }
    (batch.kind === "upscale" ? this.batches : this.ahead).set(batch.id, batch);
  }

  #rest() {
    const unfinished = [...this.batches.values(), ...this.ahead.values()].some((batch) => isOpen(batch.state));
    if (this.#again) this.wake();
    else if (this.connection === "lost") {
      this.#timer = setTimeout(() => this.wake(), Math.min(LONGEST, EVERY * 2 ** this.#failures));
    } else if (this.connection === "fine" && unfinished) {
      this.#timer = setTimeout(() => this.wake(), document.hidden ? UNSEEN : EVERY);
    }
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}

export const live = new Live();
