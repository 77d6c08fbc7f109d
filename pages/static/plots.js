// Plots: columns by day, columns along a life, bars, and ranges. Drawn as SVG as wide as there is
// room, so that words keep their size. Each says in a sentence what it shows, and has the same as a
// table below. Knows numbers and labels, nothing of what they count.

import { make, write } from "./dom.js";
import { t } from "./say.js";

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 44;
const TOP = 10;
const BOTTOM = 24;
let numbered = 0;

/** A figure that is redrawn for what `show(data)` is given, and whenever its width changes. */
export class Plot {
  /** `draw(surface, data, width, say, tell)` draws, and returns the plot's height. `say` names a
   * value of an axis; `tell(words)` takes the place of the sentence, until `tell(null)`. */
  constructor(title, draw, { kind = "", say = String } = {}) {
    const id = `plot-${++numbered}`;
    this.draw = draw;
    this.say = say;
    this.about = make("p.about", { id: `${id}-about` });
    this.canvas = make("div.canvas");
    this.legend = make("ul.legend");
    this.table = make("table");
    this.more = make("details.astable", {}, make("summary", {}, t("admin.plot.table")), make("div.scroll", { tabindex: 0, role: "region", "aria-label": title }, this.table));
    this.labels = { role: "img", "aria-labelledby": id, "aria-describedby": `${id}-about` };
    this.element = make(`figure.plot${kind && `.${kind}`}`, {}, make("h3", { id }, title), this.about, this.canvas, this.legend, this.more);
    new ResizeObserver(() => this.#redraw()).observe(this.canvas);
  }

  /** `data.about`: the sentence. `data.empty`: there is nothing to draw, and the sentence says so.
   * `data.legend`: `[look, words]` pairs. `data.table`: rows of texts, the first one the heads. */
  show(data) {
    if (JSON.stringify(data) === this.shown) return;
    this.shown = JSON.stringify(data);
    this.data = data;
    write(this.about, data.about);
    this.canvas.hidden = this.more.hidden = Boolean(data.empty);
    this.legend.replaceChildren(...(data.empty ? [] : (data.legend ?? [])).map(([look, words]) => make("li", {}, swatch(look), words)));
    const [heads, ...rows] = data.table ?? [[]];
    this.table.replaceChildren(
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...rows.map(([head, ...cells]) => make("tr", {}, make("th", { scope: "row" }, head), ...cells.map((cell) => make("td", {}, cell))))),
    );
    this.width = 0;
    this.#redraw();
  }

  #redraw() {
    const width = Math.round(this.canvas.clientWidth);
    if (!width || !this.data || this.data.empty || width === this.width) return;
    this.width = width;
    const surface = node("svg", this.labels);
    const height = this.draw(surface, this.data, width, this.say, (words) => write(this.about, words ?? this.data.about));
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) surface.setAttribute(name, value);
    this.canvas.replaceChildren(surface);
  }
}

/** One column a day. `data.days`: their names, `data.series`: `[{name, look, values, below}]`, stacked
 * upwards, or downwards where `below`; `data.line`: values with a stroke at each. */
export function drawColumns(surface, { days, series, line, reading }, width, say, tell) {
  const height = 200;
  const sum = (below, day) => series.filter((each) => Boolean(each.below) === below).reduce((all, each) => all + each.values[day], 0);
  const most = (of) => Math.max(0, ...days.map((_, day) => of(day)));
  const up = Math.max(most((day) => sum(false, day)), line ? Math.max(...line) : 0);
  const down = most((day) => sum(true, day));
  const step = niceStep(up + down, 4, true);
  const top = Math.max(step, Math.ceil(up / step) * step);
  const bottom = down;
  const y = (value) => TOP + ((top - value) / (top + bottom)) * (height - TOP - BOTTOM);
  const room = (width - LEFT) / days.length;
  const x = (day) => LEFT + day * room;
  rules(surface, -Math.floor(down / step) * step, top, step, y, width, (value) => say(Math.abs(value)));
  const gap = room > 12 ? 3 : 1;
  days.forEach((name, day) => {
    const column = node("g", { class: "column" });
    const at = { false: 0, true: 0 };
    for (const { look, values, below } of series) {
      if (!values[day]) continue;
      const from = at[Boolean(below)];
      at[Boolean(below)] = from + values[day];
      const [a, b] = below ? [-from, -from - values[day]] : [from + values[day], from];
      column.append(box(look, x(day) + gap / 2, y(a), room - gap, y(b) - y(a)));
    }
    const whole = node("rect", { class: "reach", x: x(day), y: 0, width: room, height: height - BOTTOM });
    column.addEventListener("pointerenter", () => tell(reading[day]));
    column.prepend(whole);
    if (line?.[day]) column.append(node("line", { class: "line", x1: x(day) + gap / 2, x2: x(day) + room - gap / 2, y1: y(line[day]), y2: y(line[day]) }));
    surface.append(column);
  });
  surface.append(node("line", { class: "zero", x1: LEFT, x2: width, y1: y(0), y2: y(0) }));
  surface.addEventListener("pointerleave", () => tell(null));
  const every = Math.ceil(58 / room);
  for (let day = days.length - 1; day >= 0; day -= every) {
    surface.append(word(days[day], x(day) + room / 2, height - 7, day === days.length - 1 && room < 40 ? "end" : "middle"));
  }
  return height;
}

/** Columns along a line from 0 to the end of a life. `data.spans`: `[{from, to, name, parts: [{look,
 * value}]}]`, `data.marks`: `[at, words]`, `data.end`: where the line ends. */
export function drawLife(surface, { spans, marks, end, reading }, width, say, tell) {
  const height = 220;
  const base = height - 40;
  const most = Math.max(...spans.map((span) => total(span.parts)), 1);
  const step = niceStep(most, 3);
  const top = Math.ceil(most / step) * step;
  const left = LEFT + 20;
  const y = (value) => TOP + 14 + ((top - value) / top) * (base - TOP - 14);
  const x = (at) => left + (at / end) * (width - left);
  rules(surface, 0, top, step, y, width, say, left);
  for (const [place, { from, to, parts }] of spans.entries()) {
    const column = node("g", { class: "column" });
    const reach = node("rect", { class: "reach", x: x(from), y: 0, width: x(to) - x(from), height: base });
    column.addEventListener("pointerenter", () => tell(reading[place]));
    column.append(reach);
    let at = 0;
    for (const { look, value } of parts) {
      if (value) column.append(box(look, x(from) + 1.5, y(at + value), x(to) - x(from) - 3, y(at) - y(at + value)));
      at += value;
    }
    surface.append(column);
  }
  surface.addEventListener("pointerleave", () => tell(null));
  surface.append(node("rect", { class: "life", x: left, y: base, width: width - left, height: 5, rx: 2.5 }));
  for (const [at, words, short] of marks) {
    surface.append(node("line", { class: "mark", x1: x(at), x2: x(at), y1: TOP + 14, y2: base + 9 }));
    surface.append(word(width < 520 ? short : words, x(at), height - 12, at === 0 ? "start" : at > end * 0.8 ? "end" : "middle"));
  }
  return height;
}

/** A bar for each of `data.rows`: `[{name, value, say}]`. */
export function drawBars(surface, { rows, look }, width) {
  const most = Math.max(...rows.map((row) => row.value));
  rows.forEach(({ name, value, say }, place) => {
    const y = place * 40;
    surface.append(word(name, 0, y + 14, "start", "name"));
    surface.append(box(look, 0, y + 21, Math.max(3, (value / most) * (width - 56)), 10));
    surface.append(word(say, Math.max(3, (value / most) * (width - 56)) + 8, y + 30, "start", "value"));
  });
  return rows.length * 40;
}

/** From a dot to a stroke, on an axis that multiplies. `data.groups`: `[{name, rows: [{name, from,
 * to, say}]}]`. */
export function drawRanges(surface, { groups }, width, say) {
  const left = Math.min(132, width * 0.32);
  const values = groups.flatMap(({ rows }) => rows.flatMap(({ from, to }) => [from, to]));
  const low = Math.floor(Math.log10(Math.min(...values)) - 0.05);
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values)) + 0.05));
  const x = (value) => left + ((Math.log10(value) - low) / (high - low)) * (width - left - 16);
  const height = groups.reduce((sum, { rows }) => sum + 30 + rows.length * 24, 0) + BOTTOM;
  for (let power = low; power <= high; power++) {
    const at = x(10 ** power);
    surface.append(node("line", { class: "rule", x1: at, x2: at, y1: 0, y2: height - BOTTOM }));
    surface.append(word(say(10 ** power), at, height - 7, power === high ? "end" : "middle"));
  }
  let y = 0;
  for (const { name, rows } of groups) {
    surface.append(word(name, 0, y + 18, "start", "name halo"));
    y += 30;
    for (const row of rows) {
      surface.append(word(row.name, 0, y + 12, "start"));
      surface.append(node("line", { class: "range", x1: x(row.from), x2: Math.max(x(row.to), x(row.from) + 0.1), y1: y + 8, y2: y + 8 }));
      surface.append(node("line", { class: "stop", x1: x(row.to), x2: x(row.to), y1: y + 2, y2: y + 14 }));
      surface.append(node("circle", { class: "dot", cx: x(row.from), cy: y + 8, r: 5 }));
      const fits = x(row.to) + 70 < width;
      surface.append(word(row.say, fits ? x(row.to) + 9 : x(row.from) - 10, y + 12, fits ? "start" : "end", "value halo"));
      y += 24;
    }
  }
  return height;
}

const total = (parts) => parts.reduce((sum, { value }) => sum + value, 0);

/** 1, 2 or 5 times a power of ten, so that `most` takes about `count` steps. */
export function niceStep(most, count, whole = false) {
  const rough = Math.max(most, 1e-9) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  return whole ? Math.max(1, step) : step;
}

function rules(surface, from, to, step, y, width, say, left = LEFT) {
  for (let value = from; value <= to + step / 2; value += step) {
    surface.append(node("line", { class: "rule", x1: left, x2: width, y1: y(value), y2: y(value) }));
    surface.append(word(say(value), left - 8, y(value) + 4, "end"));
  }
}

const box = (look, x, y, width, height) =>
  node("rect", { class: `box ${look}`, x, y, width: Math.max(width, 1), height: Math.max(height, 1) });

/** What a look looks like, beside its words in a legend. */
function swatch(look) {
  const surface = node("svg", { width: 14, height: 14, "aria-hidden": "true" });
  const shapes = {
    line: ["line", { class: "line", x1: 0, x2: 14, y1: 7, y2: 7 }],
    dot: ["circle", { class: "dot", cx: 7, cy: 7, r: 5 }],
    stop: ["line", { class: "stop", x1: 7, x2: 7, y1: 1, y2: 13 }],
  };
  surface.append(look in shapes ? node(...shapes[look]) : box(look, 1, 1, 12, 12));
  return surface;
}

function word(text, x, y, anchor = "middle", kind = "") {
  const element = node("text", { class: kind, x, y, "text-anchor": anchor });
  element.textContent = text;
  return element;
}

function node(name, attributes = {}) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
