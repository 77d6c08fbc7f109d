// The rail's end: what the chosen model is good for, what will be done, and the button that does it.

import { bench } from "./bench.js";
import { make, set, write } from "./dom.js";
import { pictures, span } from "./words.js";

export function start({ element, props, watch }) {
  const root = element.firstElementChild;
  const about = make("p.about");
  const sum = make("p.sum", { role: "status" });
  const press = make("button.press", { type: "button", onclick: deed });
  const choices = make("button.open", { type: "button", "aria-expanded": "false" });
  root.append(about, make("div.bottom", {}, make("div.line", {}, sum, choices), press));
  root.removeAttribute("aria-busy");

  // On a phone the rail is a bar at the bottom of the window, and this opens it.
  choices.addEventListener("click", () => open(!element.closest("#rail").matches(".open")));

  function open(wanted) {
    element.closest("#rail").classList.toggle("open", wanted);
    set(choices, { "aria-expanded": String(wanted) });
    show();
  }

  function deed() {
    open(false);
    bench.press();
  }

  function show() {
    const { load, busy, order } = bench;
    const model = props.models[order.model];
    describe(about, model);
    const seconds = load.pixels / props.pace[order.model] + load.count;
    const parts = [load.count ? pictures(load.count) : model?.label, `${order.scale}×`];
    if (load.count && seconds) parts.push(`about ${span(seconds)}`);
    write(sum, model ? parts.filter(Boolean).join(" · ") : "No model is installed yet.");
    sum.classList.toggle("idle", !load.count && Boolean(model));
    write(press, busy ?? (load.count ? `Upscale ${pictures(load.count)}` : "Upscale"));
    press.disabled = Boolean(busy) || !load.count || !model;
    write(choices, choices.getAttribute("aria-expanded") === "true" ? "Close" : "Change");
  }

  // Gradio gives each of its radio buttons a name of its own, and then the arrow keys do nothing.
  element.closest("#rail").addEventListener("focusin", ({ target }) => {
    if (target.type !== "radio") return;
    const group = target.closest("fieldset");
    for (const radio of group.querySelectorAll("input[type=radio]")) radio.name = group.id;
  });

  bench.addEventListener("order", show);
  bench.addEventListener("load", show);
  watch(["models", "pace"], show);
  if (!bench.order) bench.choose(props.order);
  show();
}

function describe(about, model) {
  const said = model ? [model.good_for, model.licence] : [];
  if (about.dataset.said === String(said)) return;
  about.dataset.said = String(said);
  about.replaceChildren();
  if (!model) return;
  if (model.good_for) about.append(make("span", {}, model.good_for), " ");
  const licence = model.licence || "not known";
  const named = isAddress(model.licence_url)
    ? make("a", { href: model.licence_url, target: "_blank", rel: "noreferrer" }, licence)
    : licence;
  about.append(make("span.licence", {}, "Licence: ", named));
}

const isAddress = (text) => /^https?:\/\//.test(text ?? "");
