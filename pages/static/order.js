// An order: what is to be made of every picture on the table. Pure.
//
// `{model, scale | width, height, long_side, output_format, quality, lossless, bits, metadata, mark,
// suffix, denoise, precision}`: names and values as `pages/choices.py` has them. `output_format` null
// keeps each picture's own, `bits` null its depth, `denoise` null leaves the model as it is.

export const NO_SIZE = { scale: null, width: null, height: null, long_side: null };

const PLAIN = { ...NO_SIZE, output_format: null, lossless: false, bits: null, denoise: null, precision: "auto" };

/** What was chosen before, on what holds for who chooses nothing. */
export function orderOf(defaults, remembered) {
  const order = { ...PLAIN, ...defaults, ...remembered };
  delete order.notify;
  return isComplete(order) ? order : { ...order, scale: 4 };
}

/** Whether it says how large. */
export const isComplete = ({ scale, width, height, long_side: long }) => Boolean(scale || width || height || long);

/** What of the order means something, to be sent. `model`: as the server describes it. */
export function meant(order, model) {
  const kept = { ...order };
  if (!model?.denoises) kept.denoise = null;
  if (kept.output_format && kept.output_format !== "png") kept.bits = null;
  return kept;
}

/** "scale", "long_side", "width", "height" or "within": which way the size is said. */
export function wayOf({ scale, width, height, long_side: long }) {
  if (scale) return "scale";
  if (long) return "long_side";
  if (width && height) return "within";
  return height ? "height" : width ? "width" : "long_side";
}
