// What the server would refuse, said before anything is sent, and what would mend it. Pure.

import { NO_SIZE } from "./order.js";
import { t } from "./say.js";
import { enlarged, FORMATS, megapixels, size } from "./words.js";

export const SCALES = [2, 3, 4, 8, 16];

/** Why this picture would be refused: `{sentence, fix}`, null when it would not be. `fix` is
 * `{label, change}`, a change of the order after which it would be taken, or null.
 *
 * `facts`: `{kind, bytes, width, height, broken, clear}`, sizes null while they are not known.
 * `order`: see `order.js`, complete. `model`: as the server describes it, or undefined. */
export function refusal(facts, order, limits, model) {
  if (!facts.kind) return only(t("refusal.kind"));
  if (facts.bytes > limits.bytes) {
    const most = Number((limits.bytes / 1e6).toFixed(1));
    return only(t("refusal.bytes", { weight: (facts.bytes / 1e6).toFixed(1), most }));
  }
  if (facts.broken) return only(t("refusal.broken"));
  if (!facts.width) return null;
  const pixels = facts.width * facts.height;
  if (pixels > limits.input_pixels) {
    return only(t("refusal.input", { megapixels: megapixels(pixels), most: megapixels(limits.input_pixels) }));
  }
  const to = enlarged(facts, order);
  if (!to) return null;
  if (model?.scale === 1 && (to.width > facts.width || to.height > facts.height)) {
    return only(t("refusal.model", { model: model.label }));
  }
  if (to.width * to.height > limits.output_pixels) {
    return {
      sentence: t("refusal.output", {
        size: size(to.width, to.height),
        megapixels: megapixels(to.width * to.height),
        most: megapixels(limits.output_pixels),
      }),
      fix: smaller(facts, order, limits.output_pixels),
    };
  }
  return unfit(facts, order, limits, to);
}

/** What the format cannot hold; PNG holds all of it. */
function unfit(facts, order, limits, to) {
  const kind = order.output_format ?? facts.kind;
  const longest = limits.longest_side[kind];
  const fix = { label: t("fix.png"), change: { output_format: "png" } };
  if (longest && Math.max(to.width, to.height) > longest) {
    const values = { size: size(to.width, to.height), format: FORMATS[kind], most: longest };
    return { sentence: t("refusal.side", values), fix };
  }
  if (kind === "jpg" && facts.clear) return { sentence: t("refusal.clear"), fix };
  if (kind !== "png" && order.bits === 16) return { sentence: t("refusal.bits"), fix };
  return null;
}

function smaller(facts, order, most) {
  const fitting = SCALES.filter((scale) => facts.width * facts.height * scale ** 2 <= most);
  const scale = fitting.filter((each) => each < order.scale).pop();
  if (scale) return { label: t("fix.scale", { scale }), change: { ...NO_SIZE, scale } };
  const side = Math.max(facts.width, facts.height) * Math.sqrt(most / (facts.width * facts.height));
  const pixels = Math.floor(side / 100) * 100;
  return pixels ? { label: t("fix.side", { pixels }), change: { ...NO_SIZE, long_side: pixels } } : null;
}

const only = (sentence) => ({ sentence, fix: null });
