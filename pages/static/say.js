// The words of the pages, which are all in pages/texts.py.

import { LANGUAGE, TEXTS } from "./texts.js";

const plural = new Intl.PluralRules(LANGUAGE);

/** `t("pictures", { count: 3 })`: the words of a literal key with the values filled in, as text. */
export function t(key, values = {}) {
  const found = TEXTS[key] ?? TEXTS[`${key}.${plural.select(values.count ?? 0)}`];
  if (found === undefined) throw new Error(`no words for ${key}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
