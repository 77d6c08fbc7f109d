// What the light table and the rail beside it share: what is chosen, what lies there, the press.

class Bench extends EventTarget {
  /** `{model, scale, format}`: format may be "same". */
  order = null;
  /** What the press would take: `{count, pixels}`. */
  load = { count: 0, pixels: 0 };
  /** Why the button cannot be pressed just now, as its words; null when it can. */
  busy = null;
  /** Set by the table. */
  press = () => {};

  choose(order) {
    this.order = { ...order, scale: Number(order.scale) };
    this.dispatchEvent(new Event("order"));
  }

  say({ load = this.load, busy = this.busy }) {
    Object.assign(this, { load, busy });
    this.dispatchEvent(new Event("load"));
  }
}

export const bench = new Bench();

document.addEventListener("iu:order", (event) => bench.choose(event.detail));
