// One picture's bytes on their way to the server, with progress.

import { Refusal } from "./ask.js";

/** Where the server keeps the file until it is handed in. Throws `Refusal`, with the codes
 * `NO_CONNECTION`, `SIGNED_OUT` and `ABORTED` beside the server's own. */
export function send(file, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const refuse = (code, message, hint = "") => reject(new Refusal({ code, message, hint }));
    const request = new XMLHttpRequest();
    request.open("POST", "/gradio_api/upload");
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => refuse("NO_CONNECTION", "No connection to the server.", "Your pictures are still here: try again.");
    request.onabort = () => refuse("ABORTED", "Not sent.");
    request.onload = () => {
      if (request.status === 401) return refuse("SIGNED_OUT", "You are signed out.");
      const answer = parsed(request.responseText);
      if (request.status === 200 && typeof answer?.[0] === "string") return resolve(answer[0]);
      if (answer?.error) return refuse(answer.error.code, answer.error.message, answer.error.hint);
      refuse("NOT_TAKEN", "The server did not take this picture.", "Try again.");
    };
    signal.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("files", file, file.name);
    request.send(form);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
