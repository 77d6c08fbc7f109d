// Where pictures come in: by drop anywhere on the page, click, keyboard and paste.

import { drawing, make } from "./dom.js";
import { t } from "./say.js";
import { megapixels, pictures } from "./words.js";

export class Zone {
  constructor({ files, bytes, input_pixels: pixels }, take) {
    const input = make("input", {
      type: "file",
      multiple: true,
      accept: "image/png,image/jpeg,image/webp,.png,.jpg,.jpeg,.webp",
      "aria-label": t("zone.label"),
      onchange: () => {
        take([...input.files]);
        input.value = ""; // the same file may be chosen again
      },
    });
    const most = t("zone.most", {
      pictures: pictures(files),
      megabytes: Number((bytes / 1e6).toFixed(1)),
      megapixels: megapixels(pixels),
    });
    const words = make(
      "span",
      {},
      make("b", {}, t("zone.drop")),
      t("zone.paste"),
      make("u", {}, t("zone.choose")),
      make("small", {}, most),
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
