// The browsers that are signed in, and signing them out.

import { focusOn, leaf } from "./account-leaf.js";
import { action, make, moment } from "./dom.js";
import { t } from "./say.js";
import { when } from "./words.js";

const BROWSERS = {
  chrome: t("browser.chrome"),
  edge: t("browser.edge"),
  firefox: t("browser.firefox"),
  safari: t("browser.safari"),
};
const SYSTEMS = {
  android: t("system.android"),
  ios: t("system.ios"),
  linux: t("system.linux"),
  macos: t("system.macos"),
  windows: t("system.windows"),
};

export class Sessions {
  constructor({ do: act, say }) {
    this.act = act;
    this.say = say;
    this.list = make("ul.plainrows");
    const everywhere = make(
      "form.line",
      { method: "post", action: "/logout/everywhere" },
      make("button.act", { type: "submit" }, t("account.session.everywhere")),
      make("span.note", {}, t("account.session.everywhere.note")),
    );
    this.root = leaf(t("account.signed_in"), this.list, everywhere);
  }

  show({ sessions }, now) {
    this.list.replaceChildren(...sessions.map((session) => this.#row(session, now)));
  }

  #row(session, now) {
    const where = placeOf(session);
    const facts = make("span.facts", {}, t("account.session.since"), moment(when(session.created_at, now), session.created_at));
    if (!session.here) facts.append(t("account.session.seen"), moment(when(session.last_seen_at, now), session.last_seen_at));
    if (session.network) facts.append(t("account.session.network", { network: session.network }));
    const end = () => this.#end(session.handle);
    return make(
      "li",
      {},
      make("div.what", {}, make("b", {}, where), facts),
      session.here
        ? make("span.here", {}, t("account.session.this"))
        : make("div.acts", {}, action({ label: t("account.session.end"), name: where, run: end })),
    );
  }

  async #end(session) {
    if (!(await this.act("end", { session }))) return;
    focusOn(this.root);
    this.say(t("account.session.ended"));
  }
}

function placeOf({ browser, system, here }) {
  const [program, machine] = [BROWSERS[browser], SYSTEMS[system]];
  if (program && machine) return t("account.session.on", { browser: program, system: machine });
  return program ?? machine ?? (here ? t("account.session.here") : t("account.session.elsewhere"));
}
