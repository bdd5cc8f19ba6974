// The words that the chosen model never learned, named under the prompt while one types.

import { api } from "./api.js";
import { byId, setText } from "./dom.js";
import { becoming } from "./expansion.js";
import { on, state } from "./store.js";

export function startWords() {
  let timer = 0;
  let asked = "";
  on("form becomes", () => {
    const { pending, prompt } = becoming();
    const { model } = state.values;
    const key = JSON.stringify([prompt, model]);
    if (pending || key === asked) return;
    asked = key;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      try {
        const answer = prompt?.trim() ? await api.words(prompt, model) : { unknown: [] };
        if (key === asked) setText(byId("lm-unknown"), answer.unknown.length ? answer.sentence : "");
      } catch (refusal) { setText(byId("lm-unknown"), ""); }
    }, 350);
  });
}
