// From batches to the viewer and to downloads: which pictures there are, and what can be had of each.

import { ask, ended } from "./ahead.js";
import { Refusal } from "./ask.js";
import { live } from "./live.js";
import { t } from "./say.js";
import { share, size, weight } from "./words.js";

/** Compare before and after of this job; the others of its batch are a key away. */
export async function compare(batch, job) {
  const { openCompare } = await import("./viewer.js");
  // A button lives longer than what it was made with: others may have been finished since.
  const { jobs } = live.batches.get(batch.id) ?? batch;
  const able = jobs.filter(({ files }) => files.original_preview && files.preview);
  openCompare({ pictures: able.map(pictureOf), at: Math.max(0, able.findIndex(({ id }) => id === job.id)) });
}

/** The action that offers a finished picture in every format; none where there is no result. */
export function downloads(batch, job) {
  if (!job.files.result) return [];
  const run = async () => {
    const { offerDownloads } = await import("./downloads.js");
    offerDownloads(pictureOf(job));
  };
  return [{ label: t("downloads.open"), run }];
}

/** A job's picture as the viewer and the downloads want it. */
export function pictureOf(job) {
  const { original_preview: before, preview: after, result: download } = job.files;
  return {
    name: job.name,
    before,
    after,
    download,
    format: download?.split(".").pop(),
    facts: [job.output.width && size(job.output.width, job.output.height), job.output.bytes && weight(job.output.bytes)],
    convert: (format, quality, hooks) => convert(job, format, quality, hooks),
  };
}

/** The address of the result in another format. `onProgress(share)`, `share` from 0 to 1. Throws
 * `Refusal`; gives null when `signal` came first. */
async function convert(job, format, quality, { onProgress, signal }) {
  const { batch } = await ask("convert", { job: job.id, format, quality });
  const done = await ended(batch, ({ jobs: [one] }) => onProgress(share(one)), signal);
  if (!done) return null;
  const [made] = done.jobs;
  if (made.error) throw new Refusal(made.error);
  if (!made.files.result) throw new Refusal({ code: "GONE", message: t("downloads.gone"), hint: "" });
  return made.files.result;
}
