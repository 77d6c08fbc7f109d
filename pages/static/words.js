// What is said about sizes, times and states, and what is refused before anything is sent. Pure:
// no document, no network, no clock.

import { t } from "./say.js";

const DAY = 86_400;

export const LIFE_HOURS = 72;
/** Of a file's whole life, the part in which it can be read. */
export const READABLE_HOURS = 48;

export const size = (width, height) => t("size", { width, height });

export const pictures = (count) => t("pictures", { count });

/** `24`, `24.2`, `0.3`, as the server says it. */
export const megapixels = (pixels) => (pixels / 1e6).toFixed(1).replace(/\.0$/, "");

export function weight(bytes) {
  if (bytes >= 1e9) return t("weight.gb", { number: (bytes / 1e9).toFixed(1) });
  if (bytes >= 1e6) return t("weight.mb", { number: (bytes / 1e6).toFixed(1) });
  return t("weight.kb", { number: Math.max(1, Math.round(bytes / 1e3)) });
}

/** `11 s`, `1 min 31 s`, `47 h 58 min`. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const rest = whole % 60 || whole < 60 ? t("span.seconds", { seconds: whole % 60 }) : "";
  if (whole < 60) return rest;
  const minutes = Math.floor(whole / 60);
  const named = minutes % 60 ? t("span.minutes", { minutes: minutes % 60 }) : "";
  if (minutes < 60) return `${named} ${rest}`.trim();
  return `${t("span.hours", { hours: Math.floor(minutes / 60) })} ${named}`.trim();
}

/** As `span`, without seconds from a minute on: for what lies far ahead. */
export const roughly = (seconds) => (seconds < 60 ? t("span.brief") : span(Math.floor(seconds / 60) * 60));

/** `today 14:02`, `yesterday 14:02`, `22 November 14:02`, in the zone of whoever looks. */
export function when(iso, now, zone = undefined) {
  const date = new Date(iso);
  const day = (moment) => moment.toLocaleDateString("en-CA", { timeZone: zone });
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
  if (day(date) === day(now)) return t("when.today", { time });
  if (day(date) === day(new Date(now - DAY * 1000))) return t("when.yesterday", { time });
  return t("when.day", { day: dayOf(iso, now, zone), time });
}

/** `22 November`, with the year where it is another one. */
export function dayOf(iso, now, zone = undefined) {
  const date = new Date(iso);
  const year = (moment) => moment.toLocaleDateString("en-GB", { year: "numeric", timeZone: zone });
  return date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: year(date) === year(now) ? undefined : "numeric",
    timeZone: zone,
  });
}

export function place(position) {
  if (!position) return t("queue.waiting");
  const early = [t("queue.next"), t("queue.second"), t("queue.third"), t("queue.fourth"), t("queue.fifth")];
  return early[position - 1] ?? t("queue.place", { place: position });
}

export const isOpen = (state) => state === "queued" || state === "running";

/** Whether anything of a job can still be read. */
export const isReadable = (job) => Object.values(job.files).some(Boolean);

export function readable(expiresAt, now) {
  const left = (new Date(expiresAt) - now) / 1000;
  return left > 0 ? t("readable.for", { span: roughly(left) }) : t("readable.over");
}

/** How much of its life of 72 hours a batch has behind it, from 0 to 1. */
export function age(expiresAt, now) {
  const begun = new Date(expiresAt) - READABLE_HOURS * 3600e3;
  return Math.min(1, Math.max(0, (now - begun) / (LIFE_HOURS * 3600e3)));
}

/** Of a running job, from 0 to 1. */
export const share = (job) => (job.progress.total ? job.progress.done / job.progress.total : 0);

/** The one sentence about a job. `now` is the server's time; so is a running job's `ends_at`, in
 * milliseconds, or null. */
export function note(job, expiresAt, now) {
  switch (job.state) {
    case "queued":
      return place(job.position);
    case "running": {
      if (job.canceling) return t("note.stopping");
      if (!job.progress.done) return t("note.starting");
      const percent = Math.floor(share(job) * 100);
      if (!job.ends_at) return t("note.share", { percent });
      return t("note.left", { percent, span: span(Math.max(1, (job.ends_at - now) / 1000)) });
    }
    case "succeeded": {
      const took = (new Date(job.finished_at) - new Date(job.started_at)) / 1000;
      const left = isReadable(job) ? readable(expiresAt, now) : t("note.deleted");
      return t("note.done", { span: span(Math.max(1, took)), left });
    }
    case "failed":
      return `${job.error.message} ${job.error.hint}`.trim();
    default:
      return t("note.canceled");
  }
}

/** What came of a batch: `done`, `2 done, 1 failed`, `1 of 3 done`. */
export function outcome(batch) {
  const count = (...states) => batch.jobs.filter((job) => states.includes(job.state)).length;
  const all = batch.jobs.length;
  const open = count("queued", "running");
  if (open === all) return count("running") ? t("outcome.running") : t("outcome.waiting");
  if (open) return t("outcome.part", { done: count("succeeded"), all });
  const said = { succeeded: t("outcome.succeeded"), failed: t("outcome.failed"), canceled: t("outcome.canceled") };
  return Object.keys(said)
    .filter((state) => count(state))
    .map((state) => (count(state) === all ? said[state] : t("outcome.count", { count: count(state), what: said[state] })))
    .join(", ");
}

/** `4×`, `3840 px wide`: what was asked for. */
export function goal(options) {
  if (options.long_side) return t("goal.long_side", { pixels: options.long_side });
  if (options.width && options.height) return t("goal.within", { size: size(options.width, options.height) });
  if (options.width) return t("goal.width", { pixels: options.width });
  if (options.height) return t("goal.height", { pixels: options.height });
  return t("goal.scale", { scale: options.scale });
}

export const FORMATS = { png: t("format.png"), jpg: t("format.jpg"), webp: t("format.webp") };

/** What a file is by its first bytes, whatever it is called; null for anything else. */
export function kindOf(bytes) {
  const text = String.fromCharCode(...bytes.slice(0, 12));
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.startsWith("\xff\xd8\xff")) return "jpg";
  if (text.startsWith("RIFF") && text.slice(8) === "WEBP") return "webp";
  return null;
}

/** The size of what `order` makes of a picture, to the pixel as `inference/scaling.py` has it; null
 * where the order says no size. `order`: `scale`, or `long_side`, or `width`, `height` or both. */
export function enlarged({ width, height }, order) {
  if (order.scale) return { width: width * order.scale, height: height * order.scale };
  if (!order.long_side && !order.width && !order.height) return null;
  const factor = order.long_side
    ? order.long_side / Math.max(width, height)
    : Math.min(order.width ? order.width / width : Infinity, order.height ? order.height / height : Infinity);
  return { width: Math.max(1, even(width * factor)), height: Math.max(1, even(height * factor)) };
}

// As Python rounds: halves to the even neighbour.
function even(number) {
  const below = Math.floor(number);
  const rest = number - below;
  return rest > 0.5 || (rest === 0.5 && below % 2) ? below + 1 : below;
}

/** The largest level of a preview that fits into one tile of 512 pixels or less. */
export function thumbnail(preview, { width, height }, most = 8) {
  if (!preview || !width || !height) return null;
  const levels = Math.ceil(Math.log2(Math.max(width, height, 1))) + 1;
  return `${preview}/tiles/${Math.min(levels - 1, most)}/0_0`;
}

/** 128 random bits. `crypto.randomUUID` is missing where the page came over plain HTTP. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
