// What plain Gradio gets wrong for who does not see, or does not use a mouse; docs/web.md lists it.
// Done again whenever Gradio draws: each mend leaves alone what it has already mended.

import { t } from "./say.js";

const FAULTS = [emptyNames, loosePanels];
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

/** Mend the page now and whenever it changes. */
export function mend(root) {
  let isDue = false;
  const all = () => {
    isDue = false;
    for (const fault of FAULTS) fault(root);
  };
  const soon = () => {
    if (!isDue) requestAnimationFrame(all);
    isDue = true;
  };
  const attributeFilter = ["aria-selected"];
  const seen = { childList: true, subtree: true, attributeFilter };
  new MutationObserver(soon).observe(root.body, seen);
  root.addEventListener("keydown", walkTabs);
  all();
}

/** Names that say nothing: dozens of elements have the same empty one. */
function emptyNames(root) {
  for (const element of root.querySelectorAll('[id=""]')) element.removeAttribute("id");
}

/** Tabs that do not know their panels, panels that do not know their tabs, and all of it nameless. */
function loosePanels(root) {
  const list = root.querySelector("#tabs [role=tablist]");
  if (!list) return;
  list.setAttribute("aria-label", t("shell.tabs"));
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const panels = [...root.querySelectorAll("#tabs > [role=tabpanel]")];
  for (const tab of tabs) {
    const name = tab.dataset.tabId;
    tab.id = `tab-${name}`;
    tab.tabIndex = tab.getAttribute("aria-selected") === "true" ? 0 : -1;
    tab.removeAttribute("aria-controls");
  }
  // Gradio draws a panel when its tab is first opened: the one that is seen is the chosen one's.
  const chosen = tabs.find((tab) => tab.tabIndex === 0);
  const open = panels.find((panel) => panel.style.display !== "none");
  if (!chosen || !open) return;
  open.id = `panel-${chosen.dataset.tabId}`;
  open.setAttribute("aria-labelledby", chosen.id);
  chosen.setAttribute("aria-controls", open.id);
}

/** With the arrow keys from tab to tab, as everywhere. */
function walkTabs(event) {
  const tab = event.target.closest?.("#tabs [role=tab]");
  if (!tab) return;
  const tabs = [...tab.parentElement.querySelectorAll("[role=tab]")];
  const at = tabs.indexOf(tab);
  const aim = { Home: 0, End: tabs.length - 1 }[event.key] ?? at + STEPS[event.key];
  if (Number.isNaN(aim)) return;
  event.preventDefault();
  const next = tabs.at(aim % tabs.length);
  next.click();
  next.focus();
}
