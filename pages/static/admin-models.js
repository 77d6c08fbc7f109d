// The models in the office: what each is, and what can be done with it. One deed at a time; how far
// it is comes from the server, so that it is still there after a reload.

import { Refusal } from "./ask.js";
import { linked, make, offer, set, write } from "./dom.js";
import { t } from "./say.js";
import { weight } from "./words.js";

export class Models {
  /** `ask(act, what)` asks the server and shows its answer; `begun()` when a file has come. */
  constructor(ask, begun) {
    this.ask = ask;
    this.begun = begun;
    this.isOpen = false;
    this.endings = [];
    this.list = make("ul.models");
    this.task = make("div.task", { role: "status", hidden: true });
    this.sentence = make("p");
    this.progress = make("progress", { "aria-label": t("admin.task.progress") });
    this.findings = make("dl.findings");
    this.acts = make("div.acts");
    this.task.append(make("div.line", {}, this.sentence, this.acts), this.progress, this.findings);
    this.trouble = make("p.trouble", { role: "alert", hidden: true });
    this.elements = [this.task, this.trouble, this.list, this.#form()];
  }

  show({ task, models, endings, most }) {
    if (endings) {
      this.endings = endings;
      this.most = most;
      set(this.file, { accept: endings.join(",") });
    }
    const wasOpen = this.isOpen;
    this.isOpen = Boolean(task?.open) || Boolean(this.sending);
    if (models) this.models = models;
    if (models || wasOpen !== this.isOpen) this.#list();
    this.press.disabled = this.isOpen;
    if (!this.sending) this.#task(task);
  }

  #list() {
    const shown = JSON.stringify([this.models, this.isOpen]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.list.replaceChildren(...this.models.map((model) => this.#row(model)));
  }

  #row(model) {
    const { name, label, state, listed, needed } = model;
    const facts = [model.architecture, model.scale && t("goal.scale", { scale: model.scale })];
    const what = make("div.what", {}, make("b", {}, label ?? name), label ? make("code", {}, name) : null);
    const more = make("span.facts", {}, facts.filter(Boolean).join(" · "));
    if (state !== "damaged") more.append(" · ", licence(model));
    if (state === "installed") more.append(` · ${weight(model.size)}`);
    what.append(more);
    if (state === "installed") what.append(make("span.facts", {}, t("admin.model.from", { source: model.source }), " · ", make("code", { title: t("admin.model.checksum") }, model.checksum)));
    if (needed) what.append(make("span.facts.live", {}, t("admin.model.needed", { count: needed })));
    const acts = make("div.acts");
    const rest = () => {
      const possible = [];
      if (state === "missing") possible.push({ label: t("admin.model.pull"), name, run: () => this.#begin("pull", name) });
      if (state === "damaged" && listed) possible.push({ label: t("admin.model.repair"), name, run: () => this.#begin("pull", name) });
      if (state === "installed") possible.push({ label: t("admin.model.check"), name, run: () => this.#begin("check", name) });
      if (state !== "missing") possible.push({ label: t("admin.model.remove"), name, run: sure });
      offer(acts, possible);
      for (const button of acts.children) button.disabled = this.isOpen;
    };
    const sure = () => {
      offer(acts, [
        { label: t("admin.model.remove.now"), name, kind: "danger", run: () => { rest(); this.#begin("remove", name); } },
        { label: t("admin.model.keep"), name, run: rest },
      ]);
    };
    rest();
    const kind = { installed: () => t("admin.model.installed"), damaged: () => t("admin.model.damaged"), missing: () => t("admin.model.missing") }[state];
    return make(`li.${state}`, {}, what, make(`span.state.${state}`, {}, kind()), acts);
  }

  async #begin(act, name) {
    this.trouble.hidden = true;
    const answer = await this.ask(act, { name });
    if (!answer) return;
    this.#lookAtTask();
    this.begun();
  }

  /** It is above the list and the form, which are long. */
  #lookAtTask() {
    this.task.scrollIntoView({ block: "nearest" });
  }

  #task(task) {
    this.task.hidden = !task;
    if (!task) return;
    const { work, name, phase, done, total, said, problem } = task;
    this.task.className = `task ${phase}`;
    write(this.sentence, phase === "failed" ? `${FAILED[work](name)} ${problem}` : (phase === "done" ? DONE : DOING)[work](name));
    this.progress.hidden = !task.open;
    if (total) set(this.progress, { max: total, value: done });
    else set(this.progress, { max: null, value: null });
    offer(this.acts, task.open ? [{ label: t("admin.task.stop"), run: () => this.ask("stop") }] : []);
    const lines = work === "check" && phase === "done" ? said : said.filter(([, line]) => !line.startsWith(`${name}: `));
    this.findings.replaceChildren(...lines.flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, value)]));
    this.findings.hidden = !lines.length;
  }

  #form() {
    this.file = make("input", { type: "file", id: "model-file", required: true, onchange: () => this.#chosen() });
    this.name = make("input", { type: "text", id: "model-name", required: true, maxlength: 80, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", autocomplete: "off", spellcheck: "false" });
    this.press = make("button.act.strong", { type: "submit" }, t("admin.add.press"));
    return make(
      "form.add",
      { onsubmit: (event) => this.#send(event) },
      make("h3", {}, t("admin.add")),
      make("p.dim", {}, t("admin.add.about")),
      make("label", { for: "model-file" }, t("admin.add.file")),
      this.file,
      make("label", { for: "model-name" }, t("admin.add.name")),
      this.name,
      this.press,
    );
  }

  #chosen() {
    const stem = (this.file.files[0]?.name ?? "").replace(/\.[^.]*$/, "");
    this.name.value = stem.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 80);
  }

  async #send(event) {
    event.preventDefault();
    const [file] = this.file.files;
    const name = this.name.value;
    const ending = /\.[^.]*$/.exec(file.name)?.[0].toLowerCase() ?? "";
    const refused = this.#refusal(file, name, ending);
    this.trouble.hidden = !refused;
    if (refused) return write(this.trouble, refused);
    this.sending = sent(file, name, ending, (done) => this.#task(arriving(name, done, file.size)));
    this.#task(arriving(name, 0, file.size));
    this.#lookAtTask();
    this.press.disabled = true;
    try {
      await this.sending;
      event.target.reset();
    } catch (problem) {
      this.trouble.hidden = false;
      write(this.trouble, problem.message);
    }
    this.sending = null;
    this.begun();
  }

  /** What the server would refuse after a gigabyte, before it. */
  #refusal(file, name, ending) {
    if (!this.endings.includes(ending)) return t("admin.add.kind", { endings: this.endings.join(", ") });
    if (file.size > this.most) return t("admin.add.size", { most: weight(this.most) });
    if (this.models.some((model) => model.name === name && model.state !== "missing")) return t("admin.add.taken", { name });
    return null;
  }
}

const DOING = { pull: (name) => t("admin.pull.doing", { name }), add: (name) => t("admin.add.doing", { name }), check: (name) => t("admin.check.doing", { name }), remove: (name) => t("admin.remove.doing", { name }) };
const DONE = { pull: (name) => t("admin.pull.done", { name }), add: (name) => t("admin.add.done", { name }), check: (name) => t("admin.check.done", { name }), remove: (name) => t("admin.remove.done", { name }) };
const FAILED = { pull: (name) => t("admin.pull.failed", { name }), add: (name) => t("admin.add.failed", { name }), check: (name) => t("admin.check.failed", { name }), remove: (name) => t("admin.remove.failed", { name }) };

const arriving = (name, done, total) => ({ work: "add", name, phase: "receiving", open: true, done, total, said: [], problem: "" });

function licence({ licence: name, licence_url: address }) {
  return name ? linked(name, address) : t("admin.model.unlicensed");
}

/** `XMLHttpRequest`, because `fetch` does not tell how much of a file has gone out. */
function sent(file, name, ending, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/admin/models?${new URLSearchParams({ name, ending })}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => (request.status === 202 ? resolve() : reject(new Refusal(request.response?.error ?? BROKEN)));
    request.onerror = () => reject(new Refusal(BROKEN));
    request.send(file);
  });
}

const BROKEN = { code: "NO_CONNECTION", message: t("admin.add.broken"), hint: "" };
