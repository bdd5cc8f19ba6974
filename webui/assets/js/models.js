// The Models page: what is on the disk, what its licence lets one do, and what is in memory now.

import { api } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { put } from "./form.js";
import { on, state } from "./store.js";
import { currentTab, openTab } from "./tabs.js";

const LOOK_AGAIN = 5000;

export function startModels() {
  on("tab", (id) => { if (id === "models") load(); });
  setInterval(() => { if (currentTab() === "models" && !document.hidden) load(); }, LOOK_AGAIN);
}

let before = "";

async function load() {
  let found;
  try { found = await api.models(); } catch (refusal) { setText(byId("lm-models"), refusal.message); before = ""; return; }
  const text = JSON.stringify([found, state.values.model]);
  if (text === before) return;
  before = text;
  byId("lm-models").replaceChildren(
    make("div.lm-model-wall", {}, ...found.models.map(card)),
    ...found.kinds.filter(({ files }) => files.length).flatMap(({ title, files }) => [make("h3.lm-group", {}, title), make("ul.lm-files", {}, ...files.map(row))]),
    ...(found.problems.length ? [make("h3.lm-group", {}, "Can’t be used"), ...found.problems.map((problem) => make("p.lm-note", {}, problem))] : []),
  );
}

function size(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} KB`;
}

const fact = (name, value) => [make("dt", {}, name), make("dd", {}, value)];

function card(model) {
  const chosen = state.values.model === model.id;
  const use = make("button.lm-button", { type: "button", disabled: chosen, onclick: () => { put({ model: model.id }); openTab("create"); } }, chosen ? "In use" : "Draw with it");
  return make("article.lm-model", {},
    make("div.lm-model-head", {}, make("h3", {}, model.title), make("span.lm-warm", { "data-warm": model.warm }, model.warm ? "In memory" : "On the disk")),
    make("dl", {}, ...fact("Family", model.family), ...fact("Size", size(model.bytes)), ...fact("Licence", model.licence), ...fact("It says", model.allows)),
    use);
}

function row(file) {
  return make("li", {},
    make("div", {}, make("strong", {}, file.title), file.about ? make("p.lm-note", {}, file.about) : null),
    make("span.lm-dim", {}, `${file.licence} · ${size(file.bytes)}`));
}
