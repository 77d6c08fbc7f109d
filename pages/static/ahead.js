// What is done ahead of the queue: tries and conversions. `pages/ahead.py` is the other side.

import { asker } from "./ask.js";
import { live } from "./live.js";
import { isOpen } from "./words.js";

let own = null;

/** A spot has so many pixels a side, at most. */
export let LARGEST_SPOT = 160;

/** The part has nothing to show: it is here to be asked. */
export function start({ element, props }) {
  own = asker(props);
  LARGEST_SPOT = props.spot;
  element.firstElementChild.removeAttribute("aria-busy");
  element.closest(".block").style.display = "none";
}

/** `ask("try" | "convert" | "stop", what)`: as in `ask.js`. */
export const ask = (...question) => own(...question);

/** Call `onChange(batch)` now and whenever `/live` was asked, until it has ended. Gives the batch
 * as it ended; null when `signal` came first. */
export function ended(batch, onChange, signal) {
  return new Promise((resolve) => {
    const look = () => {
      const known = live.ahead.get(batch.id) ?? batch;
      if (signal.aborted) resolve(null);
      else onChange(known);
      if (!signal.aborted && isOpen(known.state)) return;
      watchers.delete(look);
      if (!signal.aborted) resolve(known);
    };
    signal.addEventListener("abort", look, { once: true });
    watchers.add(look);
    live.learn({ batch });
  });
}

const watchers = new Set();
live.follow(() => {
  for (const look of [...watchers]) look();
});
