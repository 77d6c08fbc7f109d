// What is rarely changed: quality, depth, metadata, names, arithmetic, and being told at the end.

import { bench } from "./bench.js";
import { make, write } from "./dom.js";
import { menu, slider, toggle } from "./fields.js";
import { t } from "./say.js";
import { tidings } from "./tidings.js";

export class More {
  constructor(defaults) {
    this.defaults = defaults;
    const change = (key) => (value) => bench.change({ [key]: value });
    this.quality = slider({
      label: t("more.quality"),
      hint: t("more.quality_hint"),
      low: 1,
      high: 100,
      step: 1,
      say: String,
      onChange: change("quality"),
    });
    this.lossless = toggle({ label: t("more.lossless"), hint: t("more.lossless_hint"), onChange: change("lossless") });
    this.bits = toggle({
      label: t("more.bits"),
      hint: t("more.bits_hint"),
      onChange: (yes) => bench.change({ bits: yes ? 16 : null }),
    });
    this.metadata = menu({
      label: t("more.metadata"),
      options: [
        [t("metadata.safe"), "safe", t("metadata.safe_hint")],
        [t("metadata.all"), "all", t("metadata.all_hint")],
        [t("metadata.none"), "none", t("metadata.none_hint")],
      ],
      onChange: change("metadata"),
    });
    this.mark = toggle({ label: t("more.mark"), hint: t("more.mark_hint"), onChange: change("mark") });
    this.suffix = toggle({ label: t("more.suffix"), hint: "", onChange: change("suffix") });
    this.precision = menu({
      label: t("more.precision"),
      options: [
        [t("precision.auto"), "auto", t("precision.auto_hint")],
        [t("precision.fp32"), "fp32", t("precision.fp32_hint")],
        [t("precision.bf16"), "bf16", t("precision.half_hint")],
        [t("precision.fp16"), "fp16", t("precision.half_hint")],
      ],
      onChange: change("precision"),
    });
    this.said = make("small");
    const fields = [this.quality, this.lossless, this.bits, this.metadata, this.mark, this.suffix, this.precision];
    this.element = make(
      "details.more",
      {},
      make("summary", {}, t("more.title"), this.said),
      make("div.folded", {}, ...fields.map(({ element }) => element)),
    );
    this.notify = toggle({ label: t("notify.label"), hint: "", onChange: (yes) => tidings.want(yes) });
    tidings.addEventListener("change", () => this.#showNotify());
    this.element.querySelector(".folded").append(this.notify.element);
    this.#showNotify();
  }

  show(order, model) {
    const { output_format: format } = order;
    this.quality.show(order.quality);
    this.quality.element.hidden = format === "png" || (format === "webp" && order.lossless);
    this.lossless.show(order.lossless);
    this.lossless.element.hidden = format === "png" || format === "jpg";
    this.bits.show(order.bits === 16);
    this.bits.element.hidden = format === "jpg" || format === "webp";
    this.metadata.show(order.metadata);
    // Where nothing is written, no mark is either.
    this.mark.show(order.mark && order.metadata !== "none");
    this.mark.input.disabled = order.metadata === "none";
    const size = order.scale ? `${order.scale}x` : `${order.long_side ?? order.width ?? order.height ?? ""}px`;
    const name = `photo_${size}_${model?.name ?? ""}.${format ?? "png"}`;
    this.suffix.show(order.suffix, order.suffix ? name : t("more.suffix_off"));
    this.precision.show(order.precision);
    const changed = [
      order.quality !== this.defaults.quality && !this.quality.element.hidden,
      order.lossless && !this.lossless.element.hidden,
      order.bits && !this.bits.element.hidden,
      order.metadata !== this.defaults.metadata,
      order.mark !== this.defaults.mark,
      order.suffix !== this.defaults.suffix,
      order.precision !== "auto",
    ].filter(Boolean).length;
    write(this.said, changed ? t("more.changed", { count: changed }) : "");
  }

  #showNotify() {
    this.notify.element.hidden = !tidings.isPossible;
    this.notify.show(tidings.isOn, tidings.isRefused ? t("notify.refused") : "");
  }
}
