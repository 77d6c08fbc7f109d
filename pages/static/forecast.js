// How long pictures will take, from rates that were measured on the server's machine. Pure.
//
// A forecast is `{rates: {model: {pixels, measured}}, ahead, workers}`, see `tasks/estimates.py`.

import { isComplete } from "./order.js";
import { enlarged, isOpen, share } from "./words.js";

export const PATIENCE = 120; // seconds: who has not chosen a model does not wait longer
const EACH = 1; // second: reading, writing, the queue

/** Pixels that go into the network, in all passes: as `inference/scaling.py` plans them. */
export function takenIn(facts, order, networkScale) {
  const to = enlarged(facts, order);
  const pixels = facts.width * facts.height;
  if (!to || networkScale < 2) return pixels;
  let sum = 0;
  let factor = 1;
  do {
    sum += pixels * factor ** 2;
    factor *= networkScale;
  } while (factor * facts.width < to.width || factor * facts.height < to.height);
  return sum;
}

/** `{seconds, measured}` of one worker for these pictures (`{width, height}`), null where nothing is
 * known. */
export function effort(pictures, order, model, forecast) {
  const rate = forecast?.rates?.[model?.name];
  if (!rate || !isComplete(order)) return null;
  const sum = pictures.reduce((so_far, facts) => so_far + takenIn(facts, order, model.scale), 0);
  return { seconds: sum / rate.pixels + pictures.length * EACH, measured: rate.measured };
}

/** The model for who has not chosen: `{name, why, seconds}`. The best of those that suit any picture
 * and are done with these within two minutes, else the fastest of them. `why` is "best", "fastest", or
 * null where nothing is known: then it is `usual`, or any that is installed. */
export function suggested(pictures, order, models, forecast, usual) {
  const installed = Object.values(models).filter((model) => model.installed);
  const ranked = installed
    .filter((model) => model.rank !== null && model.rank !== undefined)
    .sort((one, other) => one.rank - other.rank)
    .map((model) => ({ model, spent: effort(pictures, order, model, forecast) }));
  const known = ranked.filter(({ spent }) => spent);
  // The best of all may be the one about which nothing is known; then nothing is claimed.
  if (!pictures.length || !known.length || !ranked[0].spent) {
    const name = models[usual]?.installed ? usual : (ranked[0]?.model.name ?? installed[0]?.name ?? null);
    return { name, why: null, seconds: null };
  }
  const workers = forecast.workers ?? 1;
  const parallel = Math.min(workers, pictures.length);
  const timed = known.map(({ model, spent }) => ({ name: model.name, seconds: spent.seconds / parallel }));
  const soon = timed.find(({ seconds }) => seconds < PATIENCE);
  if (soon) return { ...soon, why: "best" };
  return { ...timed.sort((one, other) => one.seconds - other.seconds)[0], why: "fastest" };
}

/** How far a batch is, from 0 to 1: by pixels, what failed or was canceled left out. */
export function shareOf(jobs) {
  let all = 0;
  let done = 0;
  for (const job of jobs) {
    if (job.state === "failed" || job.state === "canceled") continue;
    const weight = (job.input.width ?? 1) * (job.input.height ?? 1);
    all += weight;
    done += weight * (job.state === "succeeded" ? 1 : job.state === "running" ? share(job) : 0);
  }
  return all ? done / all : 0;
}

/** Seconds until a batch is done, null where that is not known: nothing was measured, or others come
 * first. `now`: the server's time; `ends_at` of running jobs as `live.js` keeps it. */
export function secondsLeft(batch, models, forecast, now) {
  const open = batch.jobs.filter((job) => isOpen(job.state));
  const waiting = open.filter((job) => job.state === "queued");
  let sum = 0;
  for (const job of open) {
    if (job.state === "running") {
      if (!job.ends_at) return null;
      sum += Math.max(0, (job.ends_at - now) / 1000);
      continue;
    }
    const spent = effort([job.input], batch.options, models[batch.options.model], forecast);
    if (!spent || !job.position || job.position > waiting.length) return null;
    sum += spent.seconds;
  }
  const parallel = Math.min(forecast?.workers ?? 1, Math.max(1, open.length));
  return open.length ? sum / parallel : null;
}
