/**
 * The viewer's elements: a dialog over the whole window, and its style sheet.
 * Knows what there is to see and to press. Knows nothing of what pressing does.
 */

/** An element with attributes and children; a child that is a string is text. */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/**
 * The parts, in a `dialog` that is not yet in the page. `hosts` (`before` above `after`) hold the
 * pictures, `labels` their names, `board` what shines through them; `message` lies over all until
 * the dialog's `data-state` is `open`. `tools` are buttons that can't be pressed yet; `closer` can.
 * `link` is the download, or null.
 */
export function buildWindow({ name, download, hasBefore }) {
  const layer = (which) => make("div", { class: `iu-compare-layer iu-compare-${which}` });
  const label = (which) => make("p", { class: `iu-compare-label iu-compare-${which}`, hidden: "" });
  const hosts = { after: layer("after"), before: layer("before") };
  const labels = { before: label("before"), after: label("after") };
  const board = make("div", { class: "iu-compare-board", hidden: "" });
  const message = make("p", { class: "iu-compare-message", role: "status" }, "Opening…");
  // Takes the focus first: keys are heard from here, and Enter, still held down, presses nothing.
  const stage = make(
    "div",
    { class: "iu-compare-stage", tabindex: "-1", autofocus: "" },
    ...[board, hosts.after, hosts.before, labels.before, labels.after, message],
  );

  const button = (text, title) =>
    make("button", { type: "button", class: "iu-compare-tool", title, disabled: "" }, text);
  const tools = {
    fit: button("Fit", "The whole picture (0)"),
    one: button("1:1", "One pixel of the result per pixel of the screen (1)"),
    two: button("2:1", "Twice as large (2)"),
    ...(hasBefore && { flip: button("Flip", "Before and after in turn (F)") }),
  };
  const closer = button("Close", "Close (Esc)");
  closer.disabled = false;
  const percent = make("span", {
    class: "iu-compare-percent",
    title: "100 %: one pixel of the result per pixel of the screen",
  });
  const title = make("p", { class: "iu-compare-name", title: name }, name);
  const bar = make("div", { class: "iu-compare-bar" }, title, percent, ...Object.values(tools));
  const link = download ? downloadLink(download) : null;
  bar.append(...(link ? [link] : []), closer);

  const purpose = hasBefore ? "Before and after" : "Result";
  const dialog = make(
    "dialog",
    { class: "iu-compare", "aria-label": `${purpose}: ${name}`, "data-state": "opening" },
    ...[stage, bar],
  );
  return { dialog, stage, hosts, labels, board, message, tools, link, closer, percent };
}

function downloadLink(href) {
  const attributes = { class: "iu-compare-tool", href, download: "", title: "Download the result" };
  return make("a", attributes, "Download");
}

let style = null;

/** Load the style sheet, once. A dialog without it is better than none: never rejects. */
export function styled() {
  const href = new URL("viewer.css", import.meta.url).href;
  style ??= new Promise((resolve) => {
    const link = make("link", { rel: "stylesheet", href });
    link.onload = resolve;
    link.onerror = () => {
      style = null; // the next one who asks may be luckier
      link.remove();
      resolve();
    };
    document.head.append(link);
  });
  return style;
}
