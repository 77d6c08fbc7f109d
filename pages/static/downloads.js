// A finished picture in the format that is wanted: as it is, or converted. A small dialog, also over
// the viewer. Knows formats; how a picture is converted is told to it.

import { make, write } from "./dom.js";
import { t } from "./say.js";
import { styled } from "./sheets.js";
import { FORMATS } from "./words.js";

const QUALITY = 95;

/** `picture`: `{name, download, format, facts, convert}`, see `comparing.pictureOf`. Resolves when the
 * dialog is open. */
export async function offerDownloads(picture) {
  await styled("downloads");
  new Downloads(picture).open();
}

class Downloads {
  #gone = new AbortController();

  constructor(picture) {
    this.picture = picture;
    const { download, format, facts } = picture;
    const asIs = make("a.iu-downloads-as-is", { href: download, download: "", autofocus: true },
      make("b", {}, t("downloads.as_it_is")),
      make("span", {}, [FORMATS[format], ...(facts ?? [])].filter(Boolean).join(" · ")),
    );
    this.quality = make("input", { type: "range", min: 1, max: 100, value: QUALITY, id: "iu-quality" });
    this.said = make("output", { for: "iu-quality" }, String(QUALITY));
    this.quality.addEventListener("input", () => this.#chose());
    this.formats = Object.entries(FORMATS)
      // PNG has no quality: there is nothing to convert in one.
      .filter(([kind]) => kind !== "png" || format !== "png")
      .map(([kind, label]) => {
        const button = make("button.iu-downloads-format", { type: "button" }, label);
        button.addEventListener("click", () => this.#convert(kind, label));
        return button;
      });
    this.note = make("p.iu-downloads-note", { role: "status" });
    this.bar = make("progress", { max: 1, "aria-label": t("downloads.progress"), hidden: true });
    const close = make("button.iu-downloads-close", { type: "button", "aria-label": t("downloads.close") }, "×");
    close.addEventListener("click", () => this.dialog.close());
    this.dialog = make("dialog.iu-downloads", { "aria-label": t("downloads.title", { name: picture.name }) },
      make("div.iu-downloads-head", {}, make("h2", {}, t("downloads.heading")), close),
      asIs,
      make("fieldset", {},
        make("legend", {}, t("downloads.convert")),
        make("div.iu-downloads-formats", {}, ...this.formats),
        make("label", { for: "iu-quality" }, t("downloads.quality"), this.said),
        this.quality,
      ),
      this.bar,
      this.note,
    );
  }

  open() {
    const { signal } = this.#gone;
    this.dialog.addEventListener("close", () => this.#close(), { signal });
    // Keys are this dialog's while it is open, and not the viewer's under it.
    this.dialog.addEventListener("keydown", (event) => event.stopPropagation(), { signal });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close(), { signal });
    (document.querySelector("dialog.iu-compare[open]") ?? document.body).append(this.dialog);
    this.dialog.showModal();
  }

  #chose() {
    write(this.said, this.quality.value);
  }

  async #convert(format, label) {
    const { signal } = this.#gone;
    this.#busy(true);
    write(this.note, t("downloads.converting", { format: label }));
    try {
      const address = await this.picture.convert(format, Number(this.quality.value), {
        signal,
        onProgress: (share) => (this.bar.value = share),
      });
      if (!address) return;
      const link = make("a", { href: address, download: "" }, decodeURIComponent(address.split("/").pop()));
      this.note.replaceChildren(`${t("downloads.ready")} `, link);
      this.note.classList.remove("bad");
      this.#busy(false);
      link.focus();
      link.click();
    } catch (problem) {
      if (signal.aborted) return;
      write(this.note, problem.message);
      this.note.classList.add("bad");
      this.#busy(false);
      this.formats.find((button) => button.textContent === label)?.focus();
    }
  }

  #busy(yes) {
    this.bar.hidden = !yes;
    this.bar.removeAttribute("value");
    if (yes) this.note.classList.remove("bad");
    for (const control of [...this.formats, this.quality]) control.disabled = yes;
  }

  #close() {
    this.#gone.abort();
    this.dialog.remove();
  }
}
