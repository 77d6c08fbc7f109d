// Fields of the rail: native inputs with labels, so that keyboards and screen readers know them.
//
// Each is `{element, show(value, …)}` and calls `onChange(value)` when somebody changes it.

import { make, set, write } from "./dom.js";

/** Radio buttons side by side. `options`: `[words, value]`. */
export function segments({ legend, name, columns, options, onChange }) {
  const inputs = options.map(([words, value]) => {
    const input = make("input", { type: "radio", name, value: String(value), onchange: () => onChange(value) });
    return { input, value, element: make("label", {}, input, make("span", {}, words)) };
  });
  const row = make("div.segments", { style: `--columns: ${columns}` }, ...inputs.map(({ element }) => element));
  return {
    element: make("fieldset.choice", { id: name }, make("legend", {}, legend), row),
    show(chosen) {
      for (const { input, value } of inputs) input.checked = value === chosen;
    },
  };
}

/** On or off. */
export function toggle({ label, hint, onChange }) {
  const input = make("input", { type: "checkbox", role: "switch", onchange: () => onChange(input.checked) });
  const told = make("small", {}, hint ?? "");
  told.hidden = !hint;
  return {
    element: make("label.toggle", {}, input, make("span.words", {}, label, told)),
    input,
    show(value, words = hint) {
      input.checked = value;
      write(told, words ?? "");
      told.hidden = !words;
    },
  };
}

/** A strength on a line. `say(value)` is what is read beside it. */
export function slider({ label, hint, low, high, step, say, onChange }) {
  const told = make("span"); // no <output>: the label would be its, and not the slider's
  const input = make("input", {
    type: "range",
    "aria-label": label,
    min: low,
    max: high,
    step,
    oninput: () => write(told, say(Number(input.value))),
    onchange: () => onChange(Number(input.value)),
  });
  const head = make("span.head", {}, make("span", {}, label), told);
  const element = make("label.slider", {}, head, input, hint ? make("small", {}, hint) : null);
  return {
    element,
    show(value) {
      if (document.activeElement !== input) input.value = String(value);
      set(input, { "aria-valuetext": say(value) });
      write(told, say(value));
    },
  };
}

/** A whole number of pixels; `onChange(null)` while what stands there is none. */
export function pixels({ label, most, onChange }) {
  const input = make("input", {
    type: "number",
    min: 1,
    max: most,
    step: 1,
    inputmode: "numeric",
    oninput: () => onChange(read()),
  });
  function read() {
    const number = Number(input.value);
    const good = Number.isInteger(number) && number >= 1 && number <= most;
    set(input, { "aria-invalid": good ? null : "true" });
    return good ? number : null;
  }
  return {
    element: make("label.pixels", {}, make("span", {}, label), input),
    show(value) {
      // What somebody is typing stays as it is.
      if (document.activeElement !== input && value) {
        input.value = String(value);
        read();
      }
    },
    read,
    set(value) {
      input.value = String(value);
      return read();
    },
  };
}

/** One of some, each explained by a line. `options`: `[words, value, hint]`. */
export function menu({ label, options, onChange }) {
  const select = make("select", { onchange: () => choose(options[select.selectedIndex][1]) });
  select.append(...options.map(([words], index) => make("option", { value: index }, words)));
  const hint = make("small");
  function choose(value) {
    tell(value);
    onChange(value);
  }
  function tell(value) {
    const words = options.find(([, each]) => each === value)?.[2] ?? "";
    write(hint, words);
    hint.hidden = !words;
  }
  return {
    element: make("label.menu", {}, make("span", {}, label), select, hint),
    show(value) {
      select.selectedIndex = options.findIndex(([, each]) => each === value);
      tell(value);
    },
  };
}
