// The pictures that lie on the table and were not handed in: all in the browser.

import { bench } from "./bench.js";
import { Card } from "./cards.js";
import { effort } from "./forecast.js";
import { look } from "./reading.js";
import { refusal } from "./refusal.js";
import { t } from "./say.js";
import { enlarged, pictures, size, span } from "./words.js";

export class Draft {
  pictures = [];
  #reading = Promise.resolve();

  /** `onChange()`: pictures came, went or were looked at. `onTry(picture)`: a spot of one is to be
   * tried. */
  constructor({ limits, list, onChange, onTry }) {
    this.limits = limits;
    this.list = list;
    this.onChange = onChange;
    this.onTry = onTry;
  }

  /** Those that a press would take, in order. */
  get ready() {
    return this.pictures.filter((picture) => picture.facts && !picture.refusal);
  }

  get isReading() {
    return this.pictures.some((picture) => !picture.facts);
  }

  add(files) {
    for (const file of files) {
      const acts = { remove: () => this.remove(picture), try: () => this.onTry(picture) };
      const picture = new Picture(file, acts);
      this.pictures.push(picture);
      this.list.append(picture.card.element);
      // One after the other: twenty pictures of 25 megapixels decoded at once are two gigabytes.
      this.#reading = this.#reading.then(async () => {
        picture.facts = await look(file, this.limits);
        this.onChange();
      });
    }
    this.onChange();
  }

  remove(picture) {
    picture.stop.abort();
    this.pictures = this.pictures.filter((each) => each !== picture);
    picture.card.element.remove();
    this.onChange();
  }

  /** Take the pictures off the table because they were handed in. */
  clear(pictures) {
    for (const picture of pictures) this.remove(picture);
  }

  /** Judge every picture by what is chosen now, and show it. */
  show(order) {
    let count = 0;
    for (const picture of this.pictures) {
      if (!picture.facts) continue;
      const told = picture.told && { sentence: picture.told, fix: null };
      picture.refusal = told ?? refusal(picture.facts, order, this.limits, bench.model);
      if (!picture.refusal && ++count > this.limits.files) {
        picture.refusal = { sentence: t("draft.most", { pictures: pictures(this.limits.files) }), fix: null };
      }
    }
    for (const picture of this.pictures) picture.show(order);
  }
}

let last = 0;

class Picture {
  id = ++last;
  facts = null;
  /** `{sentence, fix}`, see `refusal.js`. */
  refusal = null;
  /** What the server said about this picture and will say again. */
  told = null;
  /** Where its bytes lie on the server, once they are sent. */
  path = null;
  /** How much of it was sent, while it is being sent. */
  sent = null;
  stop = new AbortController();

  constructor(file, acts) {
    this.file = file;
    this.acts = acts;
    this.card = new Card(file.name);
  }

  show(order) {
    const { facts } = this;
    const known = facts?.width;
    const to = known ? enlarged(facts, order) : null;
    this.card.show({
      state: this.refusal ? "failed" : "draft",
      thumb: facts?.thumb,
      from: known ? size(facts.width, facts.height) : null,
      to: this.refusal ? "—" : to && size(to.width, to.height),
      share: this.sent,
      note: this.refusal?.sentence ?? this.#note(order),
      remark: this.facts?.moves && !this.refusal ? t("draft.moves") : "",
      actions: [...this.#actions()],
    });
  }

  *#actions() {
    const isSent = this.sent !== null;
    const fix = isSent ? null : this.refusal?.fix;
    if (fix) yield { label: fix.label, kind: "strong", run: () => bench.change(fix.change) };
    if (this.facts && !this.refusal && !isSent) yield { label: t("draft.try"), run: this.acts.try };
    yield { label: isSent ? t("act.cancel") : t("draft.remove"), run: this.acts.remove };
  }

  #note(order) {
    if (!this.facts) return t("draft.looking");
    if (this.sent !== null) {
      return this.sent < 1 ? t("draft.sending", { percent: Math.floor(this.sent * 100) }) : t("draft.sent");
    }
    const own = this.facts.width ? effort([this.facts], order, bench.model, bench.forecast) : null;
    if (!own) return "";
    const words = { span: span(own.seconds) };
    return own.measured ? t("deed.about", words) : t("deed.roughly", words);
  }
}
