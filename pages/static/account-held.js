// How much of what is allowed is in use, and all that is held about somebody, in plain words.

import { leaf } from "./account-leaf.js";
import { make, set, write } from "./dom.js";
import { t } from "./say.js";
import { dayOf, megapixels, pictures, roughly, weight } from "./words.js";

export class Quota {
  constructor() {
    this.open = make("span");
    this.stored = make("span.facts");
    this.part = make("i");
    this.batch = make("p.note");
    this.line = make("div.used", { role: "meter", "aria-valuemin": "0", "aria-labelledby": "used-open" }, this.part);
    this.open.id = "used-open";
    this.root = leaf(t("account.quota"), make("div.line.spread", {}, this.open, this.stored), this.line, this.batch);
  }

  show({ quota }) {
    const { unfinished, most_unfinished: most } = quota;
    write(this.open, t("account.quota.open", { open: unfinished, most }));
    write(this.stored, t("account.quota.stored", { weight: quota.stored_bytes ? weight(quota.stored_bytes) : t("weight.kb", { number: 0 }) }));
    this.part.style.width = `${Math.min(100, (unfinished / most) * 100)}%`;
    set(this.line, { "aria-valuemax": most, "aria-valuenow": Math.min(unfinished, most) });
    const limits = {
      pictures: pictures(quota.files),
      weight: Number((quota.file_bytes / 1e6).toFixed(1)),
      megapixels: megapixels(quota.input_pixels),
      result: megapixels(quota.output_pixels),
    };
    write(this.batch, t("account.quota.batch", limits));
  }
}

export class Held {
  constructor() {
    this.list = make("dl.held");
    const [before, after] = t("account.held.note", { policy: "\n" }).split("\n");
    const note = make("p.note", {}, before, make("a", { href: "/privacy#section-7" }, t("account.held.policy")), after);
    this.root = leaf(t("account.held"), note, this.list);
  }

  show({ held }, now) {
    this.list.replaceChildren(...rows(held, now).flatMap(([what, much, ...kept]) => [
      make("dt", {}, what),
      make("dd", {}, make("div", {}, ...[much].flat()), make("div.note", {}, kept.filter(Boolean).join(" "))),
    ]));
  }
}

function* rows(held, now) {
  const { keeps, stored } = held;
  const kept = t("account.held.files.keep", { readable: keeps.readable_hours, gone: keeps.gone_hours });
  const amounts = pictureLines(stored);
  yield [t("account.held.files"), amounts.length ? amounts : t("account.held.none"), first(Object.values(stored), now), kept];
  if (held.waiting.files) {
    yield [t("account.held.waiting"), t("account.held.waiting.files", amount(held.waiting)), t("account.held.waiting.keep")];
  }
  yield [
    t("account.held.history"),
    [
      held.batches
        ? t("account.held.pictures", {
            batches: t("account.held.batches", { count: held.batches }),
            pictures: pictures(held.pictures),
          })
        : t("account.held.none"),
      held.ahead ? t("account.held.ahead", { count: held.ahead }) : null,
    ].filter(Boolean).map((line) => make("div", {}, line)),
    held.oldest_batch_at && t("account.held.oldest", { day: dayOf(held.oldest_batch_at, now) }),
    t("account.held.history.keep", { days: keeps.record_days }),
  ];
  yield [t("account.held.profile"), t("account.held.identities", { count: held.identities }), t("account.held.profile.keep")];
  yield [t("account.held.sessions"), count(held.sessions), t("account.held.sessions.keep", { days: keeps.session_days })];
  yield [t("account.held.tokens"), count(held.tokens), t("account.held.tokens.keep")];
  yield [t("account.held.preferences"), count(held.preferences), t("account.held.preferences.keep")];
  yield [
    t("account.held.agreed"),
    held.agreed
      ? t("account.held.agreed.last", {
          count: held.agreements,
          day: dayOf(held.agreed.at, now),
          version: held.agreed.version,
        })
      : t("account.held.none"),
    t("account.held.agreed.keep", { years: keeps.evidence_years }),
  ];
}

const count = (number) => (number ? t("account.held.count", { count: number }) : t("account.held.none"));

const amount = ({ files, bytes }) => ({ count: files, weight: weight(bytes) });

/** A line for each kind of file that there is. */
function pictureLines({ original, result, preview, export: bundle }) {
  const lines = [
    original && t("account.held.originals", amount(original)),
    result && t("account.held.results", amount(result)),
    preview && t("account.held.previews", amount(preview)),
    bundle && t("account.held.exports", amount(bundle)),
  ];
  return lines.filter(Boolean).map((line) => make("div", {}, line));
}

function first(stored, now) {
  if (!stored.length) return null;
  const ends = Math.min(...stored.map((each) => new Date(each.first_expires_at)));
  const left = (ends - now) / 1000;
  return left > 0 ? t("account.held.first", { span: roughly(left) }) : t("account.held.going");
}
