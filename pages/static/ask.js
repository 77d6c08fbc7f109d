// Questions to the server: `pages/asking.py` is the other side.

export class Refusal extends Error {
  constructor({ code, message, hint }) {
    super(`${message} ${hint}`.trim());
    this.code = code;
  }
}

/** `ask(act, what)` gives the answer, or throws `Refusal`: with the server's codes, `NO_CONNECTION`,
 * `SIGNED_OUT` or `NO_ANSWER`. `patience` is in seconds. */
export function asker({ event }) {
  return async (act, what = {}, patience = 30) => {
    const body = JSON.stringify({ fn_index: event, data: [{ act, what }] });
    const answer = await called(body, patience);
    if (answer.error) throw new Refusal(answer.error);
    return answer.ok;
  };
}

async function called(body, patience) {
  let response;
  try {
    response = await fetch("/gradio_api/run/predict", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body,
      signal: AbortSignal.timeout(patience * 1000),
    });
  } catch (problem) {
    throw new Refusal(problem.name === "TimeoutError" ? SILENCE : NO_CONNECTION);
  }
  if (response.status === 401) throw new Refusal(SIGNED_OUT);
  try {
    const { data, error } = await response.json();
    if (response.ok) return data[0];
    if (error?.message) return { error };
  } catch {
    // Not our server's words: what stands in front of it is in trouble.
  }
  throw new Refusal(SILENCE);
}

export const NO_CONNECTION = {
  code: "NO_CONNECTION",
  message: "No connection to the server.",
  hint: "Nothing is lost: try again.",
};
export const SIGNED_OUT = {
  code: "SIGNED_OUT",
  message: "You are signed out.",
  hint: "Sign in again in another tab, then try again here.",
};
const SILENCE = {
  code: "NO_ANSWER",
  message: "No answer from the server.",
  hint: "Try again: nothing is done twice.",
};
