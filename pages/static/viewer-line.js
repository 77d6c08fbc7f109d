/**
 * The line between before and after: how far to the right it stands, and the hand that moves it.
 * Knows nothing of pictures. It tells where it is by the CSS variable `--line` of its stage.
 */

import { make } from "./dom.js";
import { t } from "./say.js";

export class Line {
  /** Put a slider into `stage`. Its listeners go with `signal`; `onWheel` hears its wheel. */
  constructor(stage, label, signal, onWheel) {
    this._stage = stage;
    this._knob = make("div", {
      class: "iu-compare-knob",
      role: "slider",
      tabindex: "0",
      title: t("compare.line.title"),
      "aria-label": label,
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    });
    const rule = make("div", { class: "iu-compare-rule" });
    for (const handle of [rule, this._knob]) {
      handle.addEventListener("pointerdown", (event) => this._take(event), { signal });
      handle.addEventListener("wheel", onWheel, { signal, passive: false });
      stage.append(handle);
    }
    this._set(50);
  }

  /** Move it by per cent of the stage's width; it stays inside. */
  slide(by) {
    this._set(this._share + by);
  }

  /** All of before, or, when that is what is seen, all of after. */
  flip() {
    this._set(this._share === 100 ? 0 : 100);
  }

  focus() {
    this._knob.focus();
  }

  _set(share) {
    this._share = Math.max(0, Math.min(100, share));
    this._stage.style.setProperty("--line", `${this._share}%`);
    this._knob.setAttribute("aria-valuenow", Math.round(this._share));
  }

  /** While it is dragged, the line stays as far from the finger as it was when it was taken. */
  _take(down) {
    if (down.button !== 0) return;
    down.preventDefault(); // no text is selected
    this.focus();
    const handle = down.currentTarget;
    const { width } = this._stage.getBoundingClientRect();
    const start = this._share;
    const taken = new AbortController();
    const listen = (type, hear) => {
      const own = (event) => event.pointerId === down.pointerId && hear(event);
      handle.addEventListener(type, own, { signal: taken.signal });
    };
    const shareOf = (distance) => (100 * distance) / width;
    listen("pointermove", (move) => this._set(start + shareOf(move.clientX - down.clientX)));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      listen(end, () => taken.abort());
    }
    handle.setPointerCapture(down.pointerId);
  }
}
