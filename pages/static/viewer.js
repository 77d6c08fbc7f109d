/**
 * Before and after over the whole window, with a line between them that can be moved.
 *
 * Knows the previews' addresses and what may go wrong with them. Knows nothing of jobs, of who
 * looks, or of how tiles are drawn. Leaves nothing behind: what it put into the page goes with it.
 */

import { openLayers } from "./viewer-layers.js";
import { Line } from "./viewer-line.js";
import { buildWindow, make, styled } from "./viewer-window.js";

const STEP = 2; // per cent of the width, per press of an arrow key
const LEAP = 10;
const PAN = 80; // CSS pixels
const ZOOM = Math.SQRT2;

const SENTENCES = {
  401: "You are signed out. Sign in again to see this picture.",
  404: "This picture is not here any more.",
  410: "This picture's 48 hours are over.",
  429: "That was a little fast. Please try again in a minute.",
};
const UNREACHABLE = "The server can't be reached. Check your connection and try again.";
const UNSHOWABLE = "This picture can't be shown right now.";

let current = null;

/**
 * Open the viewer. `before` (or null: then only the result is shown) and `after` are addresses of
 * previews, `/files/{id}`; `download` (or null) is the result's. `labels` may rename `{before,
 * after}`. `onClose` is called once, when everything is gone and the focus is back.
 *
 * Resolves when the pictures can be moved, or when the dialog has said why there are none; never
 * rejects. A viewer that is still open is closed first.
 */
export async function openCompare({ name, before, after, download, labels, onClose }) {
  current?.close();
  current = new Viewer({ name, before, after, download, labels, onClose });
  await current.open();
}

class Viewer {
  constructor({ name, before, after, download, labels, onClose }) {
    this._before = before;
    this._after = after;
    this._words = { before: "Before", after: "After", ...labels };
    this._onClose = onClose;
    this._gone = new AbortController(); // takes the listeners with it, and what is being fetched
    this._parts = buildWindow({ name, download, hasBefore: Boolean(before) });
    this._layers = null;
    this._line = null;
    this._isAsking = false;
  }

  async open() {
    await styled();
    if (this._gone.signal.aborted) return;
    this._listen();
    document.body.append(this._parts.dialog);
    this._parts.dialog.showModal();
    try {
      await this._show(await this._infos());
    } catch (error) {
      this._say(error);
    }
  }

  close() {
    if (this._parts.dialog.open) this._parts.dialog.close();
    else this._tearDown();
  }

  async _show([before, after]) {
    const { board, dialog, hosts, stage, tools } = this._parts;
    const layers = await openLayers({
      before: before && { host: hosts.before, address: this._before, info: before },
      after: { host: hosts.after, address: this._after, info: after },
      isStill: matchMedia("(prefers-reduced-motion: reduce)").matches,
      onChange: (place) => this._moved(place),
      onTrouble: () => this._ask(),
    });
    if (this._gone.signal.aborted) {
      layers.destroy();
      return;
    }
    this._layers = layers;
    this._label("after", after);
    dialog.dataset.state = "open";
    for (const tool of Object.values(tools)) tool.disabled = false;
    if (before) {
      this._label("before", before);
      const [first, second] = [this._words.before, this._words.after].map((w) => w.toLowerCase());
      const label = `Line between ${first} and ${second}`;
      this._line = new Line(stage, label, this._gone.signal, (event) => {
        event.preventDefault();
        layers.wheel(event); // the line is no hole in the picture
      });
      this._line.focus();
    }
    const isClear = await layers.isClear();
    board.hidden = !isClear;
  }

  _infos() {
    return Promise.all([this._before, this._after].map((address) => this._info(address)));
  }

  /** What a preview says of itself; null for no preview. */
  async _info(address) {
    if (!address) return null;
    const { signal } = this._gone;
    const answer = await fetch(`${address}/tiles`, { signal, credentials: "same-origin" });
    if (!answer.ok) throw new Refusal(answer.status);
    return answer.json();
  }

  /** A tile did not come: a hiccup, or are the pictures gone? */
  async _ask() {
    if (this._isAsking) return;
    this._isAsking = true;
    try {
      await this._infos();
    } catch (error) {
      this._say(error);
    }
    this._isAsking = false;
  }

  /** Say in one sentence why there are no pictures, in their place. */
  _say(error) {
    if (this._gone.signal.aborted) return;
    const { closer, dialog, link, message, tools } = this._parts;
    this._layers?.destroy();
    this._layers = null;
    for (const tool of Object.values(tools)) tool.disabled = true;
    dialog.dataset.state = "refused";
    message.textContent = sentenceOf(error);
    if (error.status === 410 && link) link.hidden = true; // the result went at the same time
    closer.focus();
  }

  _listen() {
    const { closer, dialog, tools } = this._parts;
    const { signal } = this._gone;
    const press = (button, deed) => button?.addEventListener("click", deed, { signal });
    press(tools.fit, () => this._layers.fit());
    press(tools.one, () => this._layers.zoomTo(1));
    press(tools.two, () => this._layers.zoomTo(2));
    press(tools.flip, () => this._line.flip());
    press(closer, () => this.close());
    dialog.addEventListener("keydown", (event) => this._press(event), { signal });
    dialog.addEventListener("close", () => this._tearDown(), { signal });
  }

  _press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this._layers) return;
    const deed = this._deedOf(event);
    if (!deed) return;
    event.preventDefault();
    event.stopPropagation();
    deed();
  }

  _deedOf({ key, shiftKey }) {
    const { _layers: layers, _line: line } = this;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (key in arrows && (shiftKey || !line)) {
      const [right, down] = arrows[key];
      return () => layers.pan(right * PAN, down * PAN);
    }
    const slides = {
      ArrowLeft: -STEP,
      ArrowDown: -STEP,
      ArrowRight: STEP,
      ArrowUp: STEP,
      PageDown: -LEAP,
      PageUp: LEAP,
      Home: -100,
      End: 100,
    };
    if (key in slides) return line && (() => line.slide(slides[key]));
    const others = {
      "+": () => layers.zoomBy(ZOOM),
      "=": () => layers.zoomBy(ZOOM), // where + needs shift
      "-": () => layers.zoomBy(1 / ZOOM),
      0: () => layers.fit(),
      1: () => layers.zoomTo(1),
      2: () => layers.zoomTo(2),
      f: line && (() => line.flip()),
    };
    return others[key.toLowerCase()];
  }

  _moved({ percent, left, top, right, bottom }) {
    const { board, hosts, percent: figure } = this._parts;
    figure.textContent = `${percent} %`;
    const { clientWidth: width, clientHeight: height } = hosts.after;
    const cut = [top, width - right, height - bottom, left].map((side) => `${Math.max(0, side)}px`);
    board.style.clipPath = `inset(${cut.join(" ")})`;
  }

  _label(which, { width, height }) {
    const label = this._parts.labels[which];
    const size = make("span", { class: "iu-compare-size" }, `${width} × ${height}`);
    label.replaceChildren(`${this._words[which]} `, size);
    label.hidden = false;
  }

  _tearDown() {
    this._gone.abort();
    this._layers?.destroy();
    this._layers = null;
    this._parts.dialog.remove();
    if (current === this) current = null;
    this._onClose?.();
  }
}

class Refusal extends Error {
  constructor(status) {
    super(`status ${status}`);
    this.status = status;
  }
}

function sentenceOf(error) {
  if (error instanceof Refusal) return SENTENCES[error.status] ?? UNSHOWABLE;
  // `fetch` and scripts that do not arrive; what arrives and is no JSON is a `SyntaxError`.
  return error instanceof TypeError ? UNREACHABLE : UNSHOWABLE;
}
