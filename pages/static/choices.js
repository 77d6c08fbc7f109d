// The choices on the rail: model, size and format; what is rarely changed is folded away.

import { bench } from "./bench.js";
import { make } from "./dom.js";
import { menu, pixels, segments, slider } from "./fields.js";
import { More } from "./more.js";
import { NO_SIZE, wayOf } from "./order.js";
import { Picker } from "./picker.js";
import { SCALES } from "./refusal.js";
import { t } from "./say.js";
import { tidings } from "./tidings.js";
import { FORMATS } from "./words.js";

const USUAL_SIDE = 3840;

export function start({ element, props, watch }) {
  const root = element.firstElementChild;
  const picker = new Picker();
  const denoise = slider({
    label: t("denoise.label"),
    hint: t("denoise.hint"),
    low: 0,
    high: 1,
    step: 0.05,
    say: (value) => t("note.share", { percent: Math.round(value * 100) }),
    onChange: (value) => bench.change({ denoise: value }),
  });
  const size = new SizeField(props.longest);
  const format = segments({
    legend: t("format.legend"),
    name: "format",
    columns: 3,
    options: [[t("format.same"), null], ...Object.entries(FORMATS).map(([value, words]) => [words, value])],
    onChange: (value) => bench.change({ output_format: value }),
  });
  const more = new More(props.defaults);
  root.append(...size.elements, picker.element, denoise.element, format.element, more.element);
  root.removeAttribute("aria-busy");

  bench.addEventListener("order", () => {
    const { order, model } = bench;
    picker.show();
    denoise.element.hidden = !model?.denoises;
    denoise.show(order.denoise ?? 1);
    size.show(order);
    format.show(order.output_format);
    more.show(order, model);
  });
  const open = () => {
    bench.open(props);
    tidings.recall(props.remembered.notify);
  };
  watch(["models", "remembered", "forecast"], open);
  open();
}

/** A factor, or sides in pixels that the result fits into. */
class SizeField {
  /** Whether sides are asked for, also while none is typed. */
  #wantsSides = false;
  #way = "long_side";

  constructor(longest) {
    this.scale = segments({
      legend: t("size.legend"),
      name: "scale",
      columns: 6,
      options: [...SCALES.map((scale) => [t("goal.scale", { scale }), scale]), [t("size.sides"), "sides"]],
      onChange: (value) => (value === "sides" ? this.#sides(this.#way) : this.#factor(value)),
    });
    this.way = menu({
      label: t("size.way"),
      options: [
        [t("size.long"), "long_side", t("size.kept")],
        [t("size.width"), "width", t("size.kept")],
        [t("size.height"), "height", t("size.kept")],
        [t("size.within"), "within", t("size.fits")],
      ],
      onChange: (way) => this.#sides(way),
    });
    const typed = () => this.#sides(this.#way);
    this.first = pixels({ label: t("size.pixels"), most: longest, onChange: typed });
    this.second = pixels({ label: t("size.high"), most: longest, onChange: typed });
    const sides = make("div.pair", {}, this.first.element, this.second.element);
    this.sides = make("div.sides", {}, this.way.element, sides);
    this.elements = [this.scale.element, this.sides];
    this.first.set(USUAL_SIDE);
    this.second.set(USUAL_SIDE);
  }

  show(order) {
    if (order.scale) this.#wantsSides = false;
    else if (order.width || order.height || order.long_side) {
      this.#wantsSides = true;
      this.#way = wayOf(order);
      this.first.show(order.long_side ?? order.width ?? order.height);
      if (this.#way === "within") this.second.show(order.height);
    }
    this.scale.show(this.#wantsSides ? "sides" : order.scale);
    this.sides.hidden = !this.#wantsSides;
    this.way.show(this.#way);
    this.first.element.firstElementChild.textContent = this.#way === "within" ? t("size.wide") : t("size.pixels");
    this.second.element.hidden = this.#way !== "within";
  }

  #factor(scale) {
    this.#wantsSides = false;
    bench.change({ ...NO_SIZE, scale });
  }

  #sides(way) {
    this.#wantsSides = true;
    this.#way = way;
    const [first, second] = [this.first.read(), this.second.read()];
    const sides = way === "within" ? { width: first && second ? first : null, height: first && second } : { [way]: first };
    bench.change({ ...NO_SIZE, ...sides });
  }
}
