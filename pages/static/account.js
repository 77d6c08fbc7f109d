// The account: who one is here, where one is signed in, tokens for programs, and what is held.
// Every answer is the whole state, and every section draws itself from it.

import { Examples } from "./account-examples.js";
import { Held, Quota } from "./account-held.js";
import { Profile } from "./account-profile.js";
import { Sessions } from "./account-sessions.js";
import { Tokens } from "./account-tokens.js";
import { asker } from "./ask.js";
import { action, make, write } from "./dom.js";
import { t } from "./say.js";

export function start(part) {
  new Account(part).open();
}

class Account {
  constructor({ element, props }) {
    this.root = element.firstElementChild;
    this.ask = asker(props);
    this.problem = make("p");
    const again = action({ label: t("account.again"), run: () => this.#do("show") });
    this.trouble = make("div.trouble", { role: "alert", hidden: true }, this.problem, again);
    // What was done is said here, for who does not see that it changed.
    this.said = make("p.unseen", { role: "status" });
    const told = { do: (act, what) => this.#do(act, what), say: (words) => this.#say(words) };
    this.sections = [Profile, Quota, Sessions, Tokens, Held].map((Section) => new Section(told));
    const shown = this.sections.map((section) => section.root);
    shown.splice(-1, 0, new Examples(props.examples, told).root);
    this.leaves = make("div.leaves", { hidden: true }, ...shown);
  }

  open() {
    this.root.append(this.said, this.trouble, this.leaves);
    // Looked at again whenever the tab is opened.
    new IntersectionObserver(([entry]) => entry.isIntersecting && this.#do("show")).observe(this.root);
    this.#do("show").then(() => this.root.removeAttribute("aria-busy"));
  }

  /** The answer, once it is shown; null where there was none, and why is shown instead. */
  async #do(act, what) {
    let answer;
    try {
      answer = await this.ask(act, what);
    } catch (problem) {
      this.trouble.hidden = false;
      write(this.problem, problem.message);
      return null;
    }
    this.trouble.hidden = true;
    this.leaves.hidden = false;
    const now = new Date();
    for (const section of this.sections) section.show(answer, now);
    return answer;
  }

  #say(words) {
    // Emptied first, so that the same words are said again.
    this.said.textContent = "";
    setTimeout(() => write(this.said, words), 50);
  }
}
