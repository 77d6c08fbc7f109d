// A section of the account, and what all of them are made of.

import { make, write } from "./dom.js";
import { t } from "./say.js";

export function leaf(title, ...children) {
  // Takes the focus when what had it is gone.
  const heading = make("h2", { tabindex: "-1" }, title);
  return make("section.leaf", {}, heading, ...children);
}

export const focusOn = (section) => section.querySelector("h2").focus();

/** A button that copies what `text()` gives, and says whether it did. `field` is an input that has
 * the same text, where there is one: over plain HTTP there is only the old way of copying. */
export function copying({ label, name, kind = "", text, field, say }) {
  const button = make(`button.act.${kind || "copy"}`, { type: "button", "aria-label": name ?? null }, label);
  button.addEventListener("click", async () => {
    keepWidth();
    const done = await copied(text(), field);
    const words = done ? t("account.copied") : t("account.press_copy");
    write(button, words);
    keepWidth();
    say(words);
    // Where it is not the field's, to be copied from by hand.
    if (done) button.focus();
  });
  // It says so until one turns to something else; what stands beside it does not move.
  button.addEventListener("blur", () => write(button, label));
  const keepWidth = () => {
    button.style.minWidth = `${button.offsetWidth}px`;
  };
  return button;
}

async function copied(text, field) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedByHand(text, field);
  }
}

function copiedByHand(text, field) {
  if (field?.value === text) {
    field.select();
    return document.execCommand("copy");
  }
  const had = document.activeElement;
  const made = make("textarea.unseen", { readonly: true });
  made.value = text;
  document.body.append(made);
  made.select();
  const done = document.execCommand("copy");
  made.remove();
  had?.focus();
  return done;
}
