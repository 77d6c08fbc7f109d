// The rail's end: what will be done, how long it will take, and the button that does it.

import { bench } from "./bench.js";
import { make, set, write } from "./dom.js";
import { effort } from "./forecast.js";
import { isComplete } from "./order.js";
import { t } from "./say.js";
import { goal, pictures, span } from "./words.js";

const WORTH_TELLING = 5; // seconds in the queue

export function start({ element }) {
  const root = element.firstElementChild;
  const sum = make("p.sum", { role: "status" });
  const press = make("button.press", { type: "button", onclick: deed, "aria-keyshortcuts": "Control+Enter Meta+Enter" });
  const choices = make("button.open", { type: "button", "aria-expanded": "false" });
  root.append(make("div.bottom", {}, make("div.line", {}, sum, choices), press));
  root.removeAttribute("aria-busy");

  // On a phone the rail is a bar at the bottom of the window, and this opens it.
  choices.addEventListener("click", () => open(!element.closest("#rail").matches(".open")));

  function open(wanted) {
    element.closest("#rail").classList.toggle("open", wanted);
    set(choices, { "aria-expanded": String(wanted) });
    show();
  }

  function deed() {
    if (!bench.canPress) return;
    open(false);
    bench.press();
  }

  function show() {
    const { load, busy, order, model } = bench;
    if (!order) return;
    const count = load.length;
    write(sum, saying());
    sum.classList.toggle("idle", !count && Boolean(model) && isComplete(order));
    write(press, busy ?? (count ? t("deed.upscale", { count }) : t("deed.idle")));
    press.disabled = !bench.canPress;
    write(choices, choices.getAttribute("aria-expanded") === "true" ? t("deed.close") : t("deed.change"));
  }

  function saying() {
    const { load, order, model, forecast } = bench;
    if (!model) return t("model.none");
    if (!isComplete(order)) return t("deed.no_size");
    if (!load.length) return `${model.label} · ${goal(order)}`;
    return [pictures(load.length), goal(order), ...duration(effort(load, order, model, forecast), forecast)].join(" · ");
  }

  bench.addEventListener("order", show);
  bench.addEventListener("load", show);
  document.addEventListener("keydown", (event) => {
    const meant = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat;
    if (!meant || !element.checkVisibility?.() || document.querySelector("dialog[open], [aria-modal=true]")) return;
    event.preventDefault();
    deed();
  });
  show();
}

/** The batch's time in words, that in the queue included. */
function duration(own, { ahead, workers }) {
  if (!own) return [];
  const seconds = own.seconds / Math.min(workers, bench.load.length) + (ahead ?? 0);
  const words = { span: span(seconds) };
  const said = [own.measured ? t("deed.about", words) : t("deed.roughly", words)];
  if (ahead === null) said.push(t("deed.queue"));
  else if (ahead > WORTH_TELLING) said.push(t("deed.ahead", { span: span(ahead) }));
  return said;
}
