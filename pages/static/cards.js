// A card of the light table: one picture, whether it waits here, is sent, or is being worked on.

import { drawing, make, offer, set, write } from "./dom.js";
import { t } from "./say.js";

export class Card {
  constructor(name) {
    this.name = name;
    this.picture = make("div.pic");
    this.size = make("span.size", {}, make("span"), make("i", { "aria-hidden": "true" }, "→"), make("em"));
    this.bar = make("progress", { max: 1, "aria-label": t("card.progress", { name }) });
    this.note = make("span.note");
    this.remark = make("span.remark");
    this.acts = make("div.acts");
    const title = make("b", { title: name }, name);
    const body = make("div.body", {}, title, this.size, this.bar, this.note, this.remark);
    this.element = make("li.card", {}, this.picture, body, this.acts);
  }

  /** `from` and `to` are sizes in words; `share` from 0 to 1 shows the line, null hides it; `remark`
   * is what else there is to know. */
  show({ state, thumb, from, to, share = null, note, remark = "", actions }) {
    set(this.element, { class: `card ${state}` });
    this.#picture(thumb);
    const [before, , after] = this.size.children;
    this.size.hidden = !from;
    write(before, from ?? "");
    write(after, to ?? "");
    this.size.children[1].hidden = after.hidden = !to;
    this.bar.hidden = share === null;
    if (share !== null) this.bar.value = share;
    write(this.note, note);
    write(this.remark, remark);
    offer(this.acts, actions.map((each) => ({ name: this.name, ...each })));
  }

  #picture(address) {
    const shown = this.picture.firstElementChild;
    if (!address) {
      if (!shown?.matches("svg")) this.picture.replaceChildren(blank());
    } else if (shown?.getAttribute("src") !== address) {
      this.picture.replaceChildren(make("img", { src: address, alt: "", decoding: "async" }));
    }
  }
}

// Where there is no copy to show: the original of a picture that waits, after the page was reloaded.
const blank = () =>
  drawing("0 0 26 26", [
    ["rect", { x: 1.5, y: 1.5, width: 23, height: 23, rx: 5, fill: "none", stroke: "currentColor", "stroke-width": 1.5 }],
    ["rect", { x: 5.5, y: 12.5, width: 8, height: 8, rx: 2, fill: "currentColor" }],
  ]);
