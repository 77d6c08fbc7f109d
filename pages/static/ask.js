// Questions to the server through Gradio: one after the other, each with its own answer.
// `pages/asking.py` is the other side.

export class Refusal extends Error {
  constructor({ code, message, hint }) {
    super(`${message} ${hint}`.trim());
    this.code = code;
  }
}

/** `ask(act, what)` gives the answer, or throws `Refusal`. */
export function asker({ props, trigger, watch, event }) {
  let number = 0;
  let last = Promise.resolve();
  let settle = () => {};
  watch("answer", () => settle(props.answer));

  async function put(act, what, patience) {
    const ask = ++number;
    const answer = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Refusal(SILENCE)), patience * 1000);
      settle = (heard) => {
        if (heard?.ask !== ask) return;
        clearTimeout(timer);
        resolve(heard);
      };
      props.value = { ask, act, what };
      trigger(event);
    });
    if (answer.error) throw new Refusal(answer.error);
    return answer.ok;
  }

  return (act, what = {}, patience = 30) => {
    const mine = last.then(() => put(act, what, patience));
    last = mine.catch(() => {});
    return mine;
  };
}

const SILENCE = {
  code: "NO_ANSWER",
  message: "No answer from the server.",
  hint: "Try again: nothing is done twice.",
};
