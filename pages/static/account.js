// The account: who one is here, tokens for programs, and where one is signed in.

import { asker } from "./ask.js";
import { action, make, moment, write } from "./dom.js";
import { dayOf, when } from "./words.js";

export function start(part) {
  new Account(part).open();
}

class Account {
  constructor({ element, props }) {
    this.root = element.firstElementChild;
    this.element = element;
    this.ask = asker(props);
    this.trouble = make("p.trouble", { role: "alert", hidden: true });
    this.person = make("dl.person");
    this.secret = make("div.secret", { role: "status", hidden: true });
    this.tokens = make("ul.plainrows");
    this.sessions = make("ul.plainrows");
    this.name = make("input", { type: "text", maxlength: 80, id: "token-name", placeholder: "What uses it, such as “backup script”", autocomplete: "off" });
  }

  open() {
    const form = make(
      "form.make",
      { onsubmit: (event) => this.#make(event) },
      make("label", { for: "token-name" }, "Name"),
      this.name,
      make("button.act.strong", { type: "submit" }, "Make a token"),
    );
    const everywhere = make(
      "form",
      { method: "post", action: "/logout/everywhere" },
      make("button.act", { type: "submit" }, "Sign out everywhere"),
    );
    this.root.append(
      this.trouble,
      section("You", this.person),
      section(
        "Tokens",
        make("p", {}, "A program signs in with a token. It can do what you can do here with pictures. ", make("a", { href: "/api" }, "How to use it"), "."),
        this.secret,
        this.tokens,
        form,
      ),
      section("Signed in", this.sessions, everywhere),
    );
    // Looked at again whenever the tab is opened.
    new IntersectionObserver(([entry]) => entry.isIntersecting && this.#do("show")).observe(this.root);
    this.#do("show").then(() => this.root.removeAttribute("aria-busy"));
  }

  async #do(act, what) {
    try {
      const answer = await this.ask(act, what);
      this.trouble.hidden = true;
      this.#show(answer);
      return answer;
    } catch (problem) {
      this.trouble.hidden = false;
      write(this.trouble, problem.message);
      return null;
    }
  }

  async #make(event) {
    event.preventDefault();
    const answer = await this.#do("make", { name: this.name.value });
    if (!answer) return;
    this.name.value = "";
    this.#reveal(answer.secret);
  }

  async #revoke(token) {
    if (await this.#do("revoke", { token })) this.secret.hidden = true;
  }

  #reveal(secret) {
    const shown = make("input", { type: "text", readonly: true, value: secret, "aria-label": "The new token", spellcheck: "false" });
    const copy = make("button.act.strong", { type: "button" }, "Copy");
    copy.addEventListener("click", async () => write(copy, (await copied(shown)) ? "Copied" : "Press Ctrl+C"));
    const done = action({ label: "Done", run: () => { this.secret.replaceChildren(); this.secret.hidden = true; } });
    this.secret.replaceChildren(
      make("p", {}, make("b", {}, "Copy it now: "), "it is shown this once, and nobody can look it up."),
      make("div.line", {}, shown, copy, done),
    );
    this.secret.hidden = false;
    shown.select();
  }

  #show({ person, tokens, sessions }) {
    const now = new Date();
    const facts = [["Name", person.name], ["E-mail", person.email]].filter(([, value]) => value);
    this.person.replaceChildren(
      ...(facts.length
        ? facts.flatMap(([what, value]) => [make("dt", {}, what), make("dd", {}, value)])
        : [make("dt", {}, "Name"), make("dd", {}, "The owner of this machine")]),
    );
    this.tokens.replaceChildren(...tokens.map((token) => this.#token(token, now)));
    this.tokens.hidden = !tokens.length;
    this.sessions.replaceChildren(...sessions.map((session) => sessionRow(session, now)));
  }

  #token(token, now) {
    const used = token.last_used_day ? `last used ${dayOf(token.last_used_day, now, "UTC")}` : "never used";
    const acts = make("div.acts");
    const ask = () => acts.replaceChildren(
      action({ label: "Revoke now", name: token.name, kind: "danger", run: () => this.#revoke(token.id) }),
      action({ label: "Keep", name: token.name, run: rest }),
    );
    const rest = () => acts.replaceChildren(action({ label: "Revoke", name: token.name, run: ask }));
    rest();
    const facts = make("span.facts", {}, "made ", moment(when(token.created_at, now), token.created_at), ` · ${used}`);
    return make("li", {}, make("div.what", {}, make("b", {}, token.name), facts), acts);
  }
}

const NAMES = {
  chrome: "Chrome",
  edge: "Edge",
  firefox: "Firefox",
  safari: "Safari",
  android: "Android",
  ios: "iOS",
  linux: "Linux",
  macos: "macOS",
  windows: "Windows",
};

function sessionRow(session, now) {
  const known = [session.browser, session.system].map((word) => NAMES[word]).filter(Boolean);
  const where = known.join(" on ") || (session.here ? "This browser" : "Another browser");
  const facts = make("span.facts", {}, "since ", moment(when(session.created_at, now), session.created_at));
  if (!session.here) facts.append(" · last seen ", moment(when(session.last_seen_at, now), session.last_seen_at));
  return make("li", {}, make("div.what", {}, make("b", {}, where), facts), session.here ? make("span.here", {}, "this one") : null);
}

const section = (title, ...children) => make("section.leaf", {}, make("h2", {}, title), ...children);

/** Whether the field's text is in the clipboard now. Over plain HTTP there is only the old way. */
async function copied(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}
