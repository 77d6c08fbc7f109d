// Takes the shell away once the page behind it is there, and mends what Gradio does wrong.

import { mend } from "./mend.js";

const LONGEST = 15_000; // ms: if the page never says that it is there, let people see why

const { body } = document;

function show() {
  watching.disconnect();
  body.dataset.ready = "";
  document.querySelector("#shell")?.remove();
}

const watching = new MutationObserver(() => "opened" in body.dataset && show());
watching.observe(body, { attributeFilter: ["data-opened"] });
setTimeout(show, LONGEST);

mend(document);
