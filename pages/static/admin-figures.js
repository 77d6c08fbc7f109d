// What the office's figures look like: which plot shows which numbers, and in which words.

import { Plot, drawBars, drawColumns, drawLife, drawRanges } from "./plots.js";
import { t } from "./say.js";
import { make } from "./dom.js";
import { roughly, span, weight } from "./words.js";

const ROLES = { original: "ink", result: "middle", preview: "pale", export: "hollow" };

export class Figures {
  constructor() {
    this.jobs = new Plot(t("admin.plot.jobs"), drawColumns, { kind: "wide" });
    this.speed = new Plot(t("admin.plot.speed"), drawRanges, { kind: "tall", say: (value) => t("span.seconds", { seconds: value }) });
    this.failures = new Plot(t("admin.plot.failures"), drawBars);
    this.storage = new Plot(t("admin.plot.storage"), drawLife, { kind: "wide", say: weightOf });
    this.deletions = new Plot(t("admin.plot.deletions"), drawColumns, { kind: "wide" });
    this.visits = new Plot(t("admin.plot.visits"), drawColumns);
    const plots = [this.jobs, this.speed, this.failures, this.visits, this.storage, this.deletions];
    this.elements = [make("div.plots", {}, ...plots.map((plot) => plot.element))];
  }

  show(answer) {
    const days = answer.days.map(shortDay);
    this.jobs.show(jobs(answer.jobs, days));
    this.speed.show(speeds(answer.speeds, answer.sizes));
    this.failures.show(failures(answer.failures));
    this.storage.show(storage(answer.storage));
    this.deletions.show(deletions(answer.deletions, days));
    this.visits.show(visits(answer.signed_in, days));
  }
}

const shortDay = (iso) => new Date(iso).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

const sum = (values) => values.reduce((all, each) => all + each, 0);

const roleName = { original: () => t("admin.role.original"), result: () => t("admin.role.result"), preview: () => t("admin.role.preview"), export: () => t("admin.role.export") };

function jobs({ submitted, succeeded, failed, canceled }, days) {
  const heads = [t("admin.day"), t("admin.jobs.submitted"), t("admin.jobs.succeeded"), t("admin.jobs.canceled"), t("admin.jobs.failed")];
  const sums = { submitted: sum(submitted), succeeded: sum(succeeded), failed: sum(failed), canceled: sum(canceled) };
  return {
    about: sums.submitted + sums.succeeded + sums.failed + sums.canceled ? t("admin.jobs.about", sums) : t("admin.jobs.none"),
    empty: !(sums.submitted + sums.succeeded + sums.failed + sums.canceled),
    days,
    line: submitted,
    series: [
      { look: "good", values: succeeded },
      { look: "hollow", values: canceled },
      { look: "bad", values: failed, below: true },
    ],
    legend: [["line", heads[1]], ["good", heads[2]], ["hollow", heads[3]], ["bad", heads[4]]],
    reading: days.map((day, n) => t("admin.jobs.day", { day, submitted: submitted[n], succeeded: succeeded[n], canceled: canceled[n], failed: failed[n] })),
    table: [heads, ...days.map((day, n) => [day, submitted[n], succeeded[n], canceled[n], failed[n]].map(String))],
  };
}

function sizeName(size, sizes) {
  if (size === 0) return t("admin.size.below", { to: sizes[0] });
  if (size === sizes.length) return t("admin.size.above", { from: sizes[size - 1] });
  return t("admin.size.between", { from: sizes[size - 1], to: sizes[size] });
}

const seconds = (value) => (value >= 9.95 ? span(value) : t("span.seconds", { seconds: Number(value.toPrecision(2)) }));

function speeds(all, sizes) {
  const models = [...new Set(all.map(({ model }) => model))];
  const row = (each) => ({ name: sizeName(each.size, sizes), from: Math.max(each.median, 0.001), to: Math.max(each.p90, 0.001), say: seconds(each.median) });
  return {
    about: all.length ? t("admin.speed.about", { count: sum(all.map(({ pictures }) => pictures)) }) : t("admin.speed.none"),
    empty: !all.length,
    groups: models.map((name) => ({ name, rows: all.filter(({ model }) => model === name).map(row) })),
    legend: [["dot", t("admin.speed.median")], ["stop", t("admin.speed.p90")]],
    table: [
      [t("admin.speed.model"), t("admin.speed.size"), t("admin.speed.pictures"), t("admin.speed.median"), t("admin.speed.p90")],
      ...all.map((each) => [each.model, sizeName(each.size, sizes), String(each.pictures), seconds(each.median), seconds(each.p90)]),
    ],
  };
}

function failures(all) {
  const number = sum(all.map(({ count }) => count));
  return {
    about: number ? t("admin.failures.about", { count: number }) : t("admin.failures.none"),
    empty: !number,
    look: "bad",
    rows: all.map(({ code, count }) => ({ name: code, value: count, say: String(count) })),
    table: [[t("admin.failures.code"), t("admin.failures.count")], ...all.map(({ code, count }) => [code, String(count)])],
  };
}

function storage({ ages, stored, holds, oldest_s }) {
  const edges = [0, ...ages, 78];
  const at = (role, age) => stored.find((each) => each.role === role && each.age === age)?.size ?? 0;
  const held = sum(stored.filter(({ age }) => age === null).map(({ size }) => size));
  const all = sum(stored.map(({ size }) => size));
  const names = edges.slice(1).map((to, place) => (place === ages.length ? t("admin.storage.over", { hours: ages.at(-1) }) : t("admin.storage.span", { from: edges[place], to })));
  const about = [t("admin.storage.about", { weight: weight(all) })];
  if (oldest_s !== null) about.push(t("admin.storage.oldest", { span: roughly(oldest_s) }));
  if (held || holds) about.push(t("admin.storage.held", { weight: weight(held) }));
  return {
    about: all ? about.join(" ") : t("admin.storage.none"),
    empty: !all,
    spans: names.map((name, age) => ({ name, from: edges[age], to: edges[age + 1], parts: Object.entries(ROLES).map(([role, look]) => ({ look, value: at(role, age) })) })),
    marks: [
      [0, t("admin.storage.begin"), t("admin.storage.begin")],
      [48, t("admin.storage.48"), t("admin.storage.48.short")],
      [72, t("admin.storage.72"), t("admin.storage.72.short")],
    ],
    end: edges.at(-1),
    legend: Object.entries(ROLES).map(([role, look]) => [look, roleName[role]()]),
    reading: names.map((name, age) => t("admin.storage.reading", { name, weight: weight(sum(Object.keys(ROLES).map((role) => at(role, age)))) })),
    table: [
      [t("admin.storage.age"), ...Object.keys(ROLES).map((role) => roleName[role]())],
      ...names.map((name, age) => [name, ...Object.keys(ROLES).map((role) => weightOf(at(role, age)))]),
      [t("admin.storage.holds"), ...Object.keys(ROLES).map((role) => weightOf(at(role, null)))],
    ],
  };
}

const weightOf = (bytes) => (bytes ? weight(bytes) : "–");

function deletions(byRole, days) {
  const roles = Object.keys(ROLES);
  const all = days.map((_, n) => sum(roles.map((role) => byRole[role][n])));
  return {
    about: sum(all) ? t("admin.deletions.about", { count: sum(all) }) : t("admin.deletions.none"),
    empty: !sum(all),
    days,
    series: roles.map((role) => ({ look: ROLES[role], values: byRole[role] })),
    legend: roles.map((role) => [ROLES[role], roleName[role]()]),
    reading: days.map((day, n) => t("admin.deletions.day", { day, count: all[n] })),
    table: [[t("admin.day"), ...roles.map((role) => roleName[role]())], ...days.map((day, n) => [day, ...roles.map((role) => String(byRole[role][n]))])],
  };
}

function visits(values, days) {
  return {
    about: sum(values) ? t("admin.visits.about", { count: sum(values) }) : t("admin.visits.none"),
    empty: !sum(values),
    days,
    series: [{ look: "middle", values }],
    reading: days.map((day, n) => t("admin.visits.day", { day, count: values[n] })),
    table: [[t("admin.day"), t("admin.visits")], ...days.map((day, n) => [day, String(values[n])])],
  };
}
