// The Models page: what is on the disk, what its licence lets one do, what fits this machine, and what is in memory now.

import { api } from "./api.js";
import { byId, button, make, setText } from "./dom.js";
import { put } from "./form.js";
import { on, state, tell } from "./store.js";
import { currentTab, openTab } from "./tabs.js";
import { failed, toast } from "./toast.js";

const LOOK_AGAIN = 5000;
const DEVICES = { cuda: "a graphics card", mps: "Apple’s graphics", cpu: "the processor" };
const KEPT_FREE = 0.2; // of the memory for models, which pictures need while they are drawn

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
  const typed = byId("lm-models").querySelector(".lm-folder-new input")?.value ?? "";
  const focused = document.activeElement?.closest(".lm-folder-new");
  byId("lm-models").replaceChildren(
    machine(found.machine),
    make("div.lm-model-wall", {}, ...found.models.map((model) => card(model, found.machine))),
    ...found.kinds.filter(({ files }) => files.length).flatMap(({ title, files }) => [make("h3.lm-group", {}, title), make("ul.lm-files", {}, ...files.map(row))]),
    ...(found.problems.length ? [make("h3.lm-group", {}, "Can’t be used"), ...found.problems.map((problem) => make("p.lm-note", {}, problem))] : []),
    ...(found.folders ? folders(found.folders, typed) : []),
  );
  if (focused) byId("lm-models").querySelector(".lm-folder-new input")?.focus();
}

function size(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${Math.round(bytes / 1e6)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} KB`;
}

// One line: what draws here, and how much room models have.
function machine({ device, dtype, budget, used }) {
  if (!budget) return make("p.lm-machine.lm-dim", {}, "What fits this machine is said here as soon as the engine has started.");
  return make("p.lm-machine", {}, `This machine draws on ${DEVICES[device] ?? device} in ${dtype}, with ${size(budget)} for models`, used ? `, of which ${size(used)} are in use.` : ".");
}

// Whether a model fits in words: [state, sentence].
function fit(needs, budget, device) {
  if (!needs) return ["", "unknown"];
  if (!budget) return ["", `about ${size(needs)}`];
  if (needs > budget && device === "cuda") return ["tight", `about ${size(needs)}: more than the graphics card holds; it draws slowly, with the computer’s memory`];
  if (needs > budget) return ["no", `about ${size(needs)}: more than this machine has for models`];
  return needs > budget * (1 - KEPT_FREE) ? ["tight", `about ${size(needs)}: fits, with little left for large pictures`] : ["yes", `about ${size(needs)}: fits`];
}

const fact = (name, value) => [make("dt", {}, name), typeof value === "string" ? make("dd", {}, value) : value];

function card(model, { budget, device }) {
  const chosen = state.values.model === model.id;
  const [fits, words] = fit(model.needs, budget, device);
  const use = make("button.lm-button", { type: "button", disabled: chosen, onclick: () => { put({ model: model.id }); openTab("create"); } }, chosen ? "In use" : "Draw with it");
  return make("article.lm-model", { "data-fits": fits },
    make("div.lm-model-head", {}, make("h3", {}, model.title), make("span.lm-warm", { "data-warm": model.warm }, model.warm ? "In memory" : "On the disk")),
    make("dl", {}, ...fact("Family", model.family), ...fact("Size", size(model.bytes)), ...fact("Memory", make("dd.lm-fits", {}, words)), ...fact("Licence", model.licence), ...fact("It says", model.allows)),
    use);
}

function row(file) {
  return make("li", {},
    make("div", {}, make("strong", {}, file.title), file.about ? make("p.lm-note", {}, file.about) : null),
    make("span.lm-dim", {}, `${file.licence} · ${size(file.bytes)}`));
}

// Folders that are used where they are; only the owner's answer holds them.
function folders(known, typed) {
  const path = make("input.lm-input", { type: "text", value: typed, spellcheck: "false", autocomplete: "off", placeholder: "/home/me/stable-diffusion-webui", "aria-label": "A folder of A1111, ComfyUI or your own, as it is called on this computer" });
  const form = make("form.lm-folder-new", { onsubmit: (event) => { event.preventDefault(); add(path); } }, path, make("button.lm-button", { type: "submit" }, "Add a folder"));
  return [make("h3.lm-group", {}, "Folders"), make("p.lm-note", {}, "Give the folder of A1111, ComfyUI or your own models: they are used where they are, nothing is copied."), form,
    ...(known.length ? [make("ul.lm-files", {}, ...known.map((folder) => make("li", {}, make("code", {}, folder), button("No longer use", "close", () => remove(folder), { "aria-label": `No longer use ${folder}`, title: "Its files stay where they are" }))))] : [])];
}

async function add(path) {
  try {
    const { folder, counts } = await api.modelFolder({ folder: path.value });
    path.value = "";
    const found = Object.entries(counts).map(([kind, count]) => `${kind}: ${count}`).join(", ");
    toast(`${folder} is used from now on. ${found ? `It holds ${found}.` : "There are no models in it yet."}`, { seconds: 8 });
    await again();
  } catch (refusal) { failed(refusal); path.focus(); }
}

async function remove(folder) {
  try {
    await api.modelFolder({ folder, remove: true });
    toast(`${folder} is no longer used; its files are untouched.`);
    await again();
  } catch (refusal) { failed(refusal); }
}

// What there is to choose from has changed.
async function again() {
  await load();
  state.catalogue = await api.catalogue();
  tell("catalogue");
}
