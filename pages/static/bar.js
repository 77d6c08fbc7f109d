// The top bar: who is signed in.

import { write } from "./dom.js";

export function start({ element, props, watch }) {
  const show = () => write(element.querySelector(".who"), props.name);
  watch("name", show);
  show();
}
