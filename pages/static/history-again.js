// Pictures once more, otherwise: a small dialog with what matters most.

import { field } from "./history-sift.js";
import { make, write } from "./dom.js";
import { live } from "./live.js";
import { t } from "./say.js";
import { FORMATS, goal, newKey, pictures, when } from "./words.js";

const LONG_SIDE = "long_side";
const AS_BEFORE = "";

/** The answer of `ask(settings, key)` once it has one; null when nothing is to be run.
 * `choices`: `{scales, formats}`; the dialog is put into `place`. */
export function askSettings({ batch, models, choices, place, ask }) {
  const { options, jobs } = batch;
  const model = select("again-model", Object.values(models).filter((each) => each.installed).map((each) => [each.name, each.label]), options.model);
  const size = select("again-size", sizes(options, choices.scales), chosen(options));
  const side = make("input", { type: "number", id: "again-side", min: 1, max: 100000, step: 1, inputmode: "numeric", required: true });
  side.value = options.long_side ?? 4000;
  const format = select("again-format", [["same", t("again.same")], ...choices.formats.map((each) => [each, FORMATS[each]])], options.output_format ?? "same");
  const quality = make("input", { type: "number", id: "again-quality", min: 1, max: 100, step: 1, inputmode: "numeric", required: true });
  quality.value = options.quality ?? 95;
  const count = jobs.filter((job) => job.files.original).length;
  const trouble = make("p.trouble", { role: "alert", hidden: true });
  const run = make("button.act.strong", { type: "submit" }, t("again.run", { pictures: pictures(count) }));
  const close = make("button.act", { type: "button" }, t("again.close"));
  const title = make("h2", { id: "again-title" }, t("again.title", { pictures: pictures(count) }));
  const sideField = field(t("again.long_side"), side);
  const qualityField = field(t("again.quality"), quality);
  const form = make(
    "form",
    {},
    title,
    make("p", {}, t("again.until", { moment: when(batch.expires_at, live.now) })),
    make("div.fields", {}, field(t("again.model"), model), field(t("again.size"), size), sideField, field(t("again.format"), format), qualityField),
    trouble,
    make("div.acts", {}, run, close),
  );
  const dialog = make("dialog.again", { "aria-labelledby": "again-title" }, form);
  let key = newKey();

  function arrange() {
    sideField.hidden = side.disabled = size.value !== LONG_SIDE;
    qualityField.hidden = quality.disabled = format.value === "png";
  }

  form.addEventListener("input", () => {
    key = newKey(); // another wish, and not the same one repeated
    arrange();
  });
  arrange();
  place.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    let answer = null;
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      run.disabled = true;
      try {
        answer = await ask(settings(), key);
        dialog.close();
      } catch (problem) {
        trouble.hidden = false;
        write(trouble, problem.message);
      }
      run.disabled = false;
    });
  });

  function settings() {
    const scale = Number(size.value) || null;
    return {
      model: model.value,
      scale,
      long_side: size.value === LONG_SIDE ? Number(side.value) : null,
      format: format.value,
      quality: Number(quality.value),
    };
  }
}

/** Scales and the long side; a target that is neither can be kept. */
function sizes(options, scales) {
  const offered = scales.map((scale) => [String(scale), t("goal.scale", { scale })]);
  offered.push([LONG_SIDE, t("again.by_side")]);
  if (chosen(options) === AS_BEFORE) offered.unshift([AS_BEFORE, t("again.as_before", { goal: goal(options) })]);
  return offered;
}

function chosen(options) {
  if (options.long_side) return LONG_SIDE;
  return options.scale ? String(options.scale) : AS_BEFORE;
}

function select(id, offered, value) {
  const element = make("select", { id }, ...offered.map(([each, label]) => make("option", { value: each }, label)));
  element.value = value;
  if (element.selectedIndex < 0) element.selectedIndex = 0;
  return element;
}
