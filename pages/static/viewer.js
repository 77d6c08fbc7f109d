/**
 * Before and after over the whole window, with a line between them that can be moved.
 *
 * Knows the previews' addresses and what may go wrong with them. Knows nothing of jobs, of who
 * looks, or of how tiles are drawn. Leaves nothing behind: what it put into the page goes with it.
 */

import { t } from "./say.js";
import { openLayers } from "./viewer-layers.js";
import { Line } from "./viewer-line.js";
import { buildWindow, dressed, make, nameWindow } from "./viewer-window.js";
import { size } from "./words.js";

const STEP = 2; // per cent of the width, per press of an arrow key
const LEAP = 10;
const PAN = 80; // CSS pixels
const ZOOM = Math.SQRT2;

const SENTENCES = {
  401: t("compare.signed_out"),
  404: t("compare.not_here"),
  410: t("compare.over"),
  429: t("compare.too_fast"),
};

let current = null;

/**
 * Open the viewer with the picture `at` of `pictures`, from which the others can be turned to. Each
 * is `{name, before, after, download, convert}`: `before` (or null: then only the result is shown)
 * and `after` are addresses of previews, `/files/{id}`; `download` (or null) is the result's;
 * `convert`, if any, makes other formats of it, see `downloads.js`. One picture may be given by
 * itself instead. All have a before, or none has. `labels` may rename `{before, after}`. `onClose`
 * is called once, when everything is gone and the focus is back.
 *
 * Resolves when the pictures can be moved, or when the dialog has said why there are none; never
 * rejects. A viewer that is still open is closed first.
 */
export async function openCompare({ pictures, at = 0, labels, onClose, ...picture }) {
  current?.close();
  current = new Viewer({ pictures: pictures ?? [picture], at, labels, onClose });
  await current.open();
}

class Viewer {
  constructor({ pictures, at, labels, onClose }) {
    this._pictures = pictures;
    this._at = at;
    this._words = { before: t("compare.before"), after: t("compare.after"), ...labels };
    this._onClose = onClose;
    this._gone = new AbortController(); // takes the listeners with it
    this._turned = new AbortController(); // and what is being fetched of one picture
    const hasBefore = Boolean(pictures[at].before);
    this._parts = buildWindow({ hasBefore, isMany: pictures.length > 1 });
    this._layers = null;
    this._line = null;
    this._isAsking = false;
  }

  get _picture() {
    return this._pictures[this._at];
  }

  async open() {
    await dressed();
    if (this._gone.signal.aborted) return;
    this._listen();
    document.body.append(this._parts.dialog);
    this._parts.dialog.showModal();
    await this._open();
  }

  async _open() {
    const { signal } = this._turned;
    const { length } = this._pictures;
    nameWindow(this._parts, this._picture, length > 1 ? { at: this._at + 1, of: length } : null);
    try {
      await this._show(await this._infos(), signal);
    } catch (error) {
      if (!signal.aborted) this._say(error);
    }
  }

  /** The next picture, or the one before; round and round. */
  async _turn(step) {
    const { length } = this._pictures;
    if (length < 2) return;
    this._turned.abort();
    this._turned = new AbortController();
    this._at = (this._at + step + length) % length;
    this._clear();
    await this._open();
  }

  close() {
    if (this._parts.dialog.open) this._parts.dialog.close();
    else this._tearDown();
  }

  async _show([before, after], signal) {
    const { board, dialog, hosts, stage, tools } = this._parts;
    const picture = this._picture;
    const layers = await openLayers({
      before: before && { host: hosts.before, address: picture.before, info: before },
      after: { host: hosts.after, address: picture.after, info: after },
      isStill: matchMedia("(prefers-reduced-motion: reduce)").matches,
      onChange: (place) => this._moved(place),
      onTrouble: () => this._ask(),
    });
    if (signal.aborted) {
      layers.destroy();
      return;
    }
    this._layers = layers;
    this._label("after", after);
    dialog.dataset.state = "open";
    for (const tool of Object.values(tools)) tool.disabled = false;
    if (before) {
      this._label("before", before);
      this._line ??= this._newLine(stage);
      this._line.focus();
    }
    const isClear = await layers.isClear();
    if (!signal.aborted) board.hidden = !isClear;
  }

  _newLine(stage) {
    const [first, second] = [this._words.before, this._words.after].map((word) => word.toLowerCase());
    return new Line(stage, t("compare.line", { first, second }), this._gone.signal, (event) => {
      event.preventDefault();
      this._layers?.wheel(event); // the line is no hole in the picture
    });
  }

  _infos() {
    const { before, after } = this._picture;
    return Promise.all([before, after].map((address) => this._info(address)));
  }

  /** What a preview says of itself; null for no preview. */
  async _info(address) {
    if (!address) return null;
    const { signal } = this._turned;
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
    const { closer, dialog, link, message, more } = this._parts;
    this._clear();
    dialog.dataset.state = "refused";
    message.textContent = sentenceOf(error);
    if (error.status === 410) link.hidden = more.hidden = true; // the result went at the same time
    closer.focus();
  }

  /** No picture is there, and nothing can be done to it. */
  _clear() {
    this._layers?.destroy();
    this._layers = null;
    for (const tool of Object.values(this._parts.tools)) tool.disabled = true;
  }

  async _formats() {
    const { offerDownloads } = await import("./downloads.js");
    if (!this._gone.signal.aborted) await offerDownloads(this._picture);
  }

  _listen() {
    const { closer, dialog, more, tools, turns } = this._parts;
    const { signal } = this._gone;
    const press = (button, deed) => button?.addEventListener("click", deed, { signal });
    press(tools.fit, () => this._layers.fit());
    press(tools.one, () => this._layers.zoomTo(1));
    press(tools.two, () => this._layers.zoomTo(2));
    press(tools.flip, () => this._line.flip());
    press(more, () => this._formats());
    press(turns?.back, () => this._turn(-1));
    press(turns?.on, () => this._turn(1));
    press(closer, () => this.close());
    dialog.addEventListener("keydown", (event) => this._press(event), { signal });
    dialog.addEventListener("close", ({ target }) => target === dialog && this._tearDown(), { signal });
  }

  _press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const deed = this._deedOf(event);
    if (!deed) return;
    event.preventDefault();
    event.stopPropagation();
    deed();
  }

  _deedOf({ key, shiftKey }) {
    const { _layers: layers, _line: line } = this;
    const turns = { n: 1, p: -1 };
    if (key.toLowerCase() in turns) return () => this._turn(turns[key.toLowerCase()]);
    if (!layers) return null;
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
      z: () => (layers.isFitted ? layers.zoomTo(1) : layers.fit()),
      f: line && (() => line.flip()),
    };
    return others[key.toLowerCase()];
  }

  _moved({ percent, isFitted, left, top, right, bottom }) {
    const { board, percent: figure, tools } = this._parts;
    figure.textContent = t("compare.percent", { percent });
    const views = { fit: isFitted, one: !isFitted && percent === 100, two: !isFitted && percent === 200 };
    for (const [view, isOn] of Object.entries(views)) tools[view].setAttribute("aria-pressed", isOn);
    const cut = [top, right, bottom, left].map((side) => `${Math.max(0, side)}px`);
    board.style.clipPath = `inset(${cut.join(" ")})`;
  }

  _label(which, { width, height }) {
    const label = this._parts.labels[which];
    const sides = make("span", { class: "iu-compare-size" }, size(width, height));
    label.replaceChildren(`${this._words[which]} `, sides);
    label.hidden = false;
  }

  _tearDown() {
    this._gone.abort();
    this._turned.abort();
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
  if (error instanceof Refusal) return SENTENCES[error.status] ?? t("compare.unshowable");
  // `fetch` and scripts that do not arrive; what arrives and is no JSON is a `SyntaxError`.
  return error instanceof TypeError ? t("compare.unreachable") : t("compare.unshowable");
}
