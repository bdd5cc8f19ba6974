// The words that a small model knows, in groups; a click adds one to the prompt.

import { byId, make, setText } from "./dom.js";
import { exampleCard } from "./examples.js";
import { input, put } from "./form.js";
import { model, on, state } from "./store.js";

export function startVocabulary() {
  const open = make("button#lm-words-open.lm-link", { type: "button", "aria-haspopup": "dialog", hidden: true, onclick: openVocabulary }, "Words it knows");
  byId("lm-f-prompt").append(open);
  byId("lm-words-empty").addEventListener("click", () => put({ prompt: "" }));
  byId("lm-words-done").addEventListener("click", close);
  on("vocabulary", openVocabulary);
  on("catalogue form", () => {
    open.hidden = !model()?.vocabulary?.length;
    byId("lm-words-empty").hidden = !state.values.prompt;
    setText(byId("lm-words-prompt"), state.values.prompt || "The prompt is empty.");
  });
}

function openVocabulary() {
  const chosen = model();
  if (!chosen?.vocabulary?.length) return;
  setText(byId("lm-words-title"), `What ${chosen.title} knows`);
  byId("lm-words-groups").replaceChildren(...chosen.vocabulary.map(group));
  byId("lm-words").showModal();
}

const close = () => { byId("lm-words").close(); input("prompt")?.focus(); };

function group({ title, words, example }) {
  const chips = words.map(([shown, phrase]) => make("button.lm-word", { type: "button", "aria-label": `Add “${phrase}” to the prompt`, onclick: () => add(phrase) }, shown));
  return make("section.lm-word-group", { "aria-label": title },
    make("h3.lm-group", {}, title),
    make("div.lm-word-row", {}, make("div.lm-word-chips", {}, ...chips), example ? exampleCard(example, close) : null));
}

function add(phrase) {
  const prompt = String(state.values.prompt ?? "").trimEnd();
  put({ prompt: prompt ? `${prompt} ${phrase}` : phrase });
}
