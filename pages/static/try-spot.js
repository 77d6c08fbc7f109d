// A square on a picture, moved by pointer and by keys, and what lies under it. Knows pixels of the
// picture as it is seen, its orientation applied. Sends nothing.

import { LARGEST_SPOT } from "./ahead.js";
import { make, write } from "./dom.js";
import { t } from "./say.js";
import { size } from "./words.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 1 / 4; // of the spot's side, per press of an arrow key

export class Spot {
  #address = null;
  #left = 0;
  #top = 0;
  #width = 0;
  #height = 0;

  /** `onChange()` is called when the spot has moved. Listeners go with `signal`. */
  constructor(signal, onChange) {
    this.onChange = onChange;
    this.image = make("img", { alt: t("try.picture"), draggable: "false" });
    this.handle = make("button.iu-try-spot", {
      type: "button",
      title: t("try.spot.title"),
      "aria-label": t("try.spot"),
      "aria-describedby": "iu-try-place",
    });
    this.element = make("div.iu-try-picture", {}, this.image, this.handle);
    this.place = make("p.iu-try-place", { id: "iu-try-place", role: "status" });
    this.element.addEventListener("pointerdown", (event) => this.#take(event), { signal });
    this.handle.addEventListener("keydown", (event) => this.#press(event), { signal });
    new ResizeObserver(() => this.#draw()).observe(this.image);
  }

  /** Show the picture with the spot in its middle; false when it cannot be shown. */
  async show(file) {
    this.#address = URL.createObjectURL(file);
    this.image.src = this.#address;
    try {
      await this.image.decode();
    } catch {
      return false;
    }
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.#width = Math.min(LARGEST_SPOT, width);
    this.#height = Math.min(LARGEST_SPOT, height);
    this.#move((width - this.#width) / 2, (height - this.#height) / 2);
    return true;
  }

  focus() {
    this.handle.focus();
  }

  forget() {
    URL.revokeObjectURL(this.#address);
  }

  /** Draw what lies under the spot into a canvas, pixel by pixel. */
  draw(canvas) {
    canvas.width = this.#width;
    canvas.height = this.#height;
    const spot = [this.#left, this.#top, this.#width, this.#height];
    canvas.getContext("2d").drawImage(this.image, ...spot, 0, 0, this.#width, this.#height);
  }

  /** What lies under the spot as a PNG, named after the picture. */
  async cut(name) {
    const canvas = document.createElement("canvas");
    this.draw(canvas);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    return new File([blob], `${name.replace(/\.[^.]*$/, "") || name}.png`, { type: "image/png" });
  }

  #move(left, top) {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.#left = Math.round(Math.max(0, Math.min(left, width - this.#width)));
    this.#top = Math.round(Math.max(0, Math.min(top, height - this.#height)));
    write(
      this.place,
      t("try.place", { size: size(this.#width, this.#height), left: this.#left, top: this.#top }),
    );
    this.#draw();
    this.onChange();
  }

  #draw() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    if (!this.#width) return;
    Object.assign(this.handle.style, {
      left: `${(100 * (this.#left + this.#width / 2)) / width}%`,
      top: `${(100 * (this.#top + this.#height / 2)) / height}%`,
      width: `${(this.image.clientWidth * this.#width) / width}px`,
      height: `${(this.image.clientHeight * this.#height) / height}px`,
    });
  }

  #press(event) {
    if (!(event.key in ARROWS) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [right, down] = ARROWS[event.key];
    const share = event.shiftKey ? 4 * STEP : STEP;
    this.#move(this.#left + right * share * this.#width, this.#top + down * share * this.#height);
  }

  /** The spot goes where the pointer is, and follows it. */
  #take(down) {
    if (down.button !== 0 || !this.#width) return;
    down.preventDefault();
    this.focus();
    const taken = new AbortController();
    const follow = ({ clientX, clientY, pointerId }) => {
      if (pointerId !== down.pointerId) return;
      const box = this.image.getBoundingClientRect();
      const scale = this.image.naturalWidth / box.width;
      this.#move(
        (clientX - box.left) * scale - this.#width / 2,
        (clientY - box.top) * scale - this.#height / 2,
      );
    };
    this.element.setPointerCapture(down.pointerId);
    this.element.addEventListener("pointermove", follow, { signal: taken.signal });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.element.addEventListener(end, () => taken.abort(), { signal: taken.signal });
    }
    follow(down);
  }
}
