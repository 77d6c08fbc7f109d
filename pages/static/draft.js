// The pictures that lie on the table and were not handed in: all in the browser.

import { Card } from "./cards.js";
import { look } from "./reading.js";
import { enlarged, refusal, size } from "./words.js";

export class Draft {
  pictures = [];
  #reading = Promise.resolve();

  constructor({ limits, list, onChange }) {
    this.limits = limits;
    this.list = list;
    this.onChange = onChange;
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
      const picture = new Picture(file, () => this.remove(picture));
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
      picture.refusal = picture.told ?? refusal(picture.facts, order, this.limits);
      if (!picture.refusal && ++count > this.limits.files) {
        picture.refusal = `${this.limits.files} pictures is the most that one batch may have; hand this one in afterwards.`;
      }
    }
    for (const picture of this.pictures) picture.show(order);
  }
}

class Picture {
  facts = null;
  refusal = null;
  /** What the server said about this picture and will say again. */
  told = null;
  /** Where its bytes lie on the server, once they are sent. */
  path = null;
  /** How much of it was sent, while it is being sent. */
  sent = null;
  stop = new AbortController();

  constructor(file, remove) {
    this.file = file;
    this.remove = remove;
    this.card = new Card(file.name);
  }

  show({ scale }) {
    const { facts } = this;
    const known = facts?.width;
    const to = known ? enlarged(facts, scale) : null;
    this.card.show({
      state: this.refusal ? "failed" : "draft",
      thumb: facts?.thumb,
      from: known ? size(facts.width, facts.height) : null,
      to: this.refusal ? "—" : known && size(to.width, to.height),
      share: this.sent,
      note: this.refusal ?? this.#note(),
      actions: [{ label: this.sent === null ? "Remove" : "Cancel", run: this.remove }],
    });
  }

  #note() {
    if (!this.facts) return "looking at it";
    if (this.sent !== null) return this.sent < 1 ? `sending, ${Math.floor(this.sent * 100)} %` : "sent";
    return "";
  }
}
