// Progress for who looks elsewhere: in the page's title, and a notification when all is done.

import { bench } from "./bench.js";
import { shareOf } from "./forecast.js";
import { t } from "./say.js";
import { isOpen, outcome, pictures } from "./words.js";

class Tidings extends EventTarget {
  /** Whether somebody wants to be told; only then is the browser asked for permission. */
  isOn = false;
  isRefused = false;
  #title = document.title;
  #open = new Set();

  get isPossible() {
    return "Notification" in window;
  }

  /** Whether it was chosen before. Nobody is asked by that. */
  recall(wanted) {
    this.isOn = Boolean(wanted) && this.isPossible && Notification.permission === "granted";
    this.dispatchEvent(new Event("change"));
  }

  /** Somebody pressed the switch. */
  async want(yes) {
    const permission = yes ? await Notification.requestPermission() : "default";
    this.isOn = permission === "granted";
    this.isRefused = permission === "denied";
    bench.remember({ notify: this.isOn || null });
    this.dispatchEvent(new Event("change"));
  }

  /** After every look at what goes on; `batches` are those of the table. */
  follow(batches) {
    const open = batches.filter(({ state }) => isOpen(state));
    const jobs = open.flatMap((batch) => batch.jobs);
    document.title = open.length ? this.#progress(jobs) : this.#title;
    const ended = batches.filter(({ id, state }) => this.#open.has(id) && !isOpen(state));
    this.#open = new Set(open.map(({ id }) => id));
    if (ended.length && !open.length) this.#tell(ended.flatMap((batch) => batch.jobs));
  }

  #progress(jobs) {
    const percent = Math.floor(shareOf(jobs) * 100);
    return t("title.progress", { percent, pictures: pictures(jobs.length), title: this.#title });
  }

  #tell(jobs) {
    if (!this.isOn || (!document.hidden && document.hasFocus())) return;
    const title = jobs.some(({ state }) => state === "succeeded") ? t("notify.done") : t("notify.ended");
    const body = t("notify.body", { pictures: pictures(jobs.length), outcome: outcome({ jobs }) });
    try {
      const note = new Notification(title, { body, icon: "/ui/mark.svg", tag: "done" });
      note.onclick = () => {
        window.focus();
        note.close();
      };
    } catch {
      // Phones show notifications of service workers only; the title tells there.
    }
  }
}

export const tidings = new Tidings();
