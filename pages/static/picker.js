// The choice of a model: what each is for, its licence, and what it makes of one spot of a photo.

import { bench } from "./bench.js";
import { linked, make, write } from "./dom.js";
import { PATIENCE } from "./forecast.js";
import { t } from "./say.js";
import { span } from "./words.js";

export class Picker {
  #shown = "";

  constructor() {
    this.list = make("div.models");
    this.element = make("fieldset.choice", { id: "model" }, make("legend", {}, t("model.legend")), this.list);
    this.why = make("span");
    this.letGo = make("button.link", { type: "button", onclick: () => bench.change({ model: null }) }, t("model.auto"));
    this.because = make("p.because", {}, this.why, " ", this.letGo);
    this.list.before(this.because);
  }

  show() {
    const installed = Object.values(bench.models).filter((model) => model.installed);
    const present = JSON.stringify(installed);
    if (this.#shown !== present) {
      this.#shown = present;
      this.list.replaceChildren(...installed.map((model) => this.#card(model)));
      if (!installed.length) this.list.append(make("p.none", {}, t("model.none")));
    }
    for (const card of this.list.querySelectorAll(".model")) {
      const input = card.querySelector("input");
      input.checked = input.value === bench.order.model;
      card.classList.toggle("chosen", input.checked);
    }
    write(this.why, bench.isChosen ? "" : because(bench.suggestion));
    this.letGo.hidden = !bench.isChosen;
    this.because.hidden = this.letGo.hidden && !this.why.textContent;
  }

  #card(model) {
    const input = make("input", {
      type: "radio",
      name: "model",
      value: model.name,
      "aria-label": model.label,
      "aria-describedby": `about-${model.name}`,
      onchange: () => bench.change({ model: model.name }),
    });
    const about = make("span.about", { id: `about-${model.name}` }, model.good_for, model.good_for ? " " : "", licence(model));
    const words = make("span.words", {}, make("b", {}, model.label), about);
    const card = make("label.model", {}, input, words);
    if (model.sample) {
      const alt = t("model.sample", { model: model.label });
      const picture = make("img", { src: model.sample, alt, width: 384, height: 192, loading: "lazy", decoding: "async" });
      card.append(make("span.sample", {}, picture));
    }
    return card;
  }
}

function licence(model) {
  const said = linked(model.licence || t("model.unknown"), model.licence_url);
  const free = model.non_commercial ? make("strong.nc", {}, t("model.nc")) : null;
  return make("span.licence", {}, t("model.licence"), " ", said, free ? " " : null, free);
}

function because({ why, seconds }) {
  if (why === "best") return t("model.best", { span: span(seconds), most: span(PATIENCE) });
  if (why === "fastest") return t("model.fastest", { span: span(seconds) });
  return "";
}
