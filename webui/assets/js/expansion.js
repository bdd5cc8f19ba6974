// What plugins make of the prompt (wildcards, say), shown before it is drawn; what is shown is what is drawn.

import { api } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { beforeDrawing, styles } from "./form.js";
import { on, state, tell } from "./store.js";
import { styled } from "./styles.js";

const WAIT = 350;

let timer = 0;
let asked = "";
let rolled = null; // the seed of the shown words, while the seed's own box is empty
let shown = null; // the values that the shown words belong to

let pending = false;
let becomes = null; // the shown words

const PARTS = ["prompt", "negative", "styles", "seed", "count", "extras"];
const keyOf = (values) => JSON.stringify(PARTS.map((name) => values[name] ?? ""));

// What will be drawn instead of what is typed, for whoever judges words; pending while that is being asked.
export const becoming = () => ({ pending, prompt: becomes ?? state.values.prompt });

export function startExpansion() {
  on("form catalogue", look);
  on("asked", () => { if (rolled !== null) roll(); });
  byId("lm-becomes-other").addEventListener("click", roll);
  beforeDrawing.push(chosen);
}

// The seed of the shown words; who draws before they could be shown has them chosen, and shown, first.
async function chosen(values) {
  if (!state.catalogue?.rewrites || !values.prompt?.trim()) return null;
  const key = keyOf(values);
  if (pending || key !== asked) {
    clearTimeout(timer);
    asked = key;
    await expand(key, values);
    pending = false;
    tell("becomes");
  }
  return rolled !== null && shown === key ? { seed: String(rolled) } : null;
}

function roll() {
  rolled = null;
  asked = "";
  look();
}

function look() {
  const key = keyOf(state.values);
  if (!state.catalogue || key === asked) return;
  asked = key;
  clearTimeout(timer);
  if (!state.catalogue.rewrites || !state.values.prompt?.trim()) { pending = false; show(null); return; }
  pending = true;
  timer = setTimeout(async () => {
    await expand(key);
    if (key !== asked) return;
    pending = false;
    tell("becomes");
  }, WAIT);
}

async function expand(key, values = state.values) {
  const typed = String(values.seed ?? "").trim();
  if (typed && !/^\d+$/.test(typed)) { show(null, values); return; }
  try {
    const answer = await api.expansion(requestOf(values, typed || rolled));
    if (key !== asked) return;
    show(answer.rewritten ? answer : null, values);
    rolled = answer.rewritten && !typed ? answer.seed : null;
    shown = key;
  } catch (refusal) {
    // Other fields answer for themselves when the picture is asked for.
    if (key === asked) show(refusal.field === "prompt" || refusal.field === "negative" ? { error: refusal.message } : null, values);
  }
}

function requestOf(values, seed) {
  const request = { prompt: values.prompt, negative: values.negative ?? "", styles: styles(), count: Number(values.count) || 1 };
  if (seed !== null && seed !== "") request.seed = Number(seed);
  try { request.extras = JSON.parse(values.extras || "{}"); } catch (broken) { /* the studio says so when it is asked to draw */ }
  return request;
}

function show(answer, values = state.values) {
  const box = byId("lm-becomes");
  box.hidden = !answer;
  becomes = answer?.prompt ?? null;
  if (!answer?.prompt) { rolled = null; shown = null; }
  if (!answer) return;
  byId("lm-becomes-other").hidden = Boolean(answer.error) || Boolean(String(values.seed ?? "").trim());
  box.querySelector(".lm-legend").hidden = Boolean(answer.error);
  const text = byId("lm-becomes-text");
  if (answer.error) { setText(text, answer.error); return; }
  const [prompt, negative] = styled(values.prompt, values.negative ?? "", styles());
  const parts = marked(prompt, answer.prompt);
  if (answer.negative !== negative) parts.push(" · leave out: ", ...marked(negative, answer.negative));
  text.replaceChildren(...parts);
}

// The new text with the words marked that weren't typed as they stand there.
function marked(typed, text) {
  let plain = typed.replace(/__[\w./*-]+?__/g, " ");
  for (let before = null; before !== plain;) [before, plain] = [plain, plain.replace(/\{[^{}]*\}/g, " ")];
  const words = plain.split(/\s+/).filter(Boolean);
  return text.split(/(\s+)/).filter(Boolean).map((part) => {
    if (/^\s+$/.test(part)) return part;
    if (part === words[0]) { words.shift(); return part; }
    return make("mark", {}, part);
  });
}
