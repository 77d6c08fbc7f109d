// Elements with text in them. Everything that a user named is shown through here, as text: nothing
// in these pages is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** `make("button.plain", { type: "button", onclick }, "Cancel")`: attributes, listeners, children. */
export function make(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  set(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Null and false take an attribute away, true sets it empty. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : value);
  }
}

/** Write only what changed, so that selections and screen readers are left alone. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function drawing(viewBox, paths) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", viewBox);
  svg.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of paths) {
    const path = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
    svg.append(path);
  }
  return svg;
}

/** A moment in the visitor's zone, with the UTC time for whoever rests the pointer on it. */
export function moment(words, iso) {
  const utc = iso.slice(0, 16).replace("T", " ") + " UTC";
  return make("time", { datetime: iso, title: utc }, words);
}

/** The words as a link, where the address is one of the web, else the words alone: an operator may
 * have written anything there. */
export const linked = (words, address) =>
  /^https?:\/\//.test(address ?? "") ? make("a", { href: address, target: "_blank", rel: "noreferrer" }, words) : words;

/** A button, or a link that looks like one, for `{label, name, href, run, kind, expanded}`. */
export function action({ label, name, href, run, kind = "", expanded }) {
  const attributes = { class: `act ${kind}`, "aria-label": name ? `${label} ${name}` : null, "aria-expanded": expanded === undefined ? null : String(expanded) };
  return href
    ? make("a", { ...attributes, href }, label)
    : make("button", { ...attributes, type: "button", onclick: run }, label);
}

/** Put these actions into `element`, unless they are there already: a button that somebody is about
 * to press must not be replaced under the finger. */
export function offer(element, actions) {
  const present = JSON.stringify(actions.map(({ label, href, kind }) => [label, href, kind]));
  if (element.dataset.present === present) return;
  const hadFocus = element.contains(document.activeElement);
  element.dataset.present = present;
  element.replaceChildren(...actions.map(action));
  if (hadFocus) element.querySelector(".act")?.focus();
}
