/**
 * The viewer's elements: a dialog over the whole window, and its style sheet.
 * Knows what there is to see and to press. Knows nothing of what pressing does.
 */

import { make } from "./dom.js";
import { t } from "./say.js";
import { styled } from "./sheets.js";

export { make };

/**
 * The parts, in a `dialog` that is not yet in the page. `hosts` (`before` above `after`) hold the
 * pictures, `labels` their names, `board` what shines through them; `message` lies over all until
 * the dialog's `data-state` is `open`. `tools` are buttons that can't be pressed yet; the others
 * can: `closer`, `link` for the result as it is, `more` for other formats, and, where there are
 * several pictures, `turns`: `{back, on}`.
 */
export function buildWindow({ hasBefore, isMany }) {
  const layer = (which) => make("div", { class: `iu-compare-layer iu-compare-${which}` });
  const label = (which) => make("p", { class: `iu-compare-label iu-compare-${which}`, hidden: true });
  const hosts = { after: layer("after"), before: layer("before") };
  const labels = { before: label("before"), after: label("after") };
  const board = make("div", { class: "iu-compare-board", hidden: true });
  const message = make("p", { class: "iu-compare-message", role: "status" });
  // Takes the focus first: keys are heard from here, and Enter, still held down, presses nothing.
  const stage = make(
    "div",
    { class: "iu-compare-stage", tabindex: "-1", autofocus: true },
    ...[board, hosts.after, hosts.before, labels.before, labels.after, message],
  );

  const button = (text, title, attributes = {}) =>
    make("button", { type: "button", class: "iu-compare-tool", title, ...attributes }, text);
  const view = (text, title) => button(text, title, { disabled: true, "aria-pressed": "false" });
  const tools = {
    fit: view(t("compare.fit"), t("compare.fit.title")),
    one: view(t("compare.actual"), t("compare.actual.title")),
    two: view(t("compare.double"), t("compare.double.title")),
    ...(hasBefore && { flip: button(t("compare.flip"), t("compare.flip.title"), { disabled: true }) }),
  };
  const turns = isMany && {
    back: button("‹", t("compare.back"), { "aria-label": t("compare.back") }),
    on: button("›", t("compare.on"), { "aria-label": t("compare.on") }),
  };
  const closer = button(t("compare.close"), t("compare.close.title"));
  const link = make(
    "a",
    { class: "iu-compare-tool", download: "", title: t("compare.download.title") },
    t("compare.download"),
  );
  const more = button("▾", t("compare.formats"), { "aria-label": t("compare.formats") });
  const percent = make("span", { class: "iu-compare-percent", title: t("compare.percent.title") });
  const title = make("p", { class: "iu-compare-name" });
  const bar = make(
    "div",
    { class: "iu-compare-bar" },
    ...(turns ? [turns.back, turns.on] : []),
    ...[title, percent, ...Object.values(tools)],
    make("span", { class: "iu-compare-split" }, link, more),
    closer,
  );
  const dialog = make("dialog", { class: "iu-compare" }, stage, bar);
  return { dialog, stage, hosts, labels, board, message, tools, turns, link, more, closer, percent, title };
}

/** Say which picture it is: `place` is `{at, of}` among several, or null. */
export function nameWindow(parts, { name, before, download, convert }, place) {
  const { dialog, title, link, more, message, labels, board } = parts;
  const purpose = before ? t("compare.both") : t("compare.single");
  dialog.setAttribute("aria-label", t("compare.label", { purpose, name }));
  dialog.dataset.state = "opening";
  message.textContent = t("compare.opening");
  title.textContent = place ? t("compare.place", { ...place, name }) : name;
  title.title = name;
  link.hidden = !download;
  if (download) link.href = download;
  more.hidden = !download || !convert;
  for (const element of [labels.before, labels.after, board]) element.hidden = true;
}

/** The viewer's style sheet: a dialog without it is better than none, so this never rejects. */
export const dressed = () => styled("viewer");
