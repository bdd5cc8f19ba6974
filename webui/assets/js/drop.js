// A saved picture, dropped on the page or chosen: its settings are shown beside those of the form, and taken over.

import { api } from "./api.js";
import { byId, make } from "./dom.js";
import { samplerLabel } from "./drawing.js";
import { input, put, valuesFor } from "./form.js";
import { beginWithAll } from "./inputs.js";
import { current } from "./starts.js";
import { model, state } from "./store.js";
import { failed, toast } from "./toast.js";

const LABELS = {
  prompt: "Prompt", negative: "Leave out", styles: "Styles", model: "Model", size: "Size", count: "Pictures",
  steps: "Steps", guidance: "Guidance", seed: "Seed", sampler: "Sampler", schedule: "Schedule", eta: "Eta",
  clip_skip: "Clip skip", rescale: "Rescale", variation: "Variation", start: "Begins with", tile: "Repeats",
  refine: "Refined", loras: "LoRAs", controls: "Control", draft: "Draft", finish: "Finishing", extras: "Extras",
};

export function startDrop() {
  const file = byId("lm-file");
  byId("lm-open-file").addEventListener("click", () => file.click());
  file.addEventListener("change", () => { if (file.files[0]) readFile(file.files[0]); file.value = ""; });
  const veil = byId("lm-drop");
  const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  // `dragleave` comes for every element that is crossed; only the one that leaves the window ends it.
  document.addEventListener("dragenter", (event) => {
    if (!carriesFile(event)) return;
    veil.firstElementChild.textContent = current() ? "Drop a picture to begin with it" : "Drop a picture to read its settings";
    veil.hidden = false;
  }, true);
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) veil.hidden = true; }, true);
  document.addEventListener("dragover", (event) => { if (carriesFile(event)) event.preventDefault(); }, true);
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carriesFile(event)) return;
    event.preventDefault();
    event.stopPropagation();
    const files = [...event.dataTransfer.files];
    if (current()) beginWithAll(files);
    else if (files[0]) readFile(files[0]);
  }, true);
}

async function readFile(file) {
  if (file.size > 20 * 1024 * 1024) { failed(new Error(`${file.name} is larger than 20 MB; drop a PNG, JPEG or WebP picture of at most 20 MB.`)); return; }
  try {
    const { request, sentences } = await api.readSettings(file);
    compare(file.name, await valuesFor(request), sentences);
  } catch (refusal) { failed(refusal); }
}

// Two values of the form are one setting for a person: the size.
const merged = ({ width, height, variation_seed, variation_strength, ...rest }) => ({
  ...rest,
  size: width && height ? [width, height] : null,
  variation: variation_seed ? `seed ${variation_seed}, strength ${variation_strength || 0.2}` : "",
});
const names = { size: ["width", "height"], variation: ["variation_seed", "variation_strength"] };
const STARTS = { image: "another picture", inpaint: "a part of another picture", outpaint: "a smaller picture", as_is: "a finished picture" };
const TILES = { x: "sideways", y: "up and down", xy: "to all sides" };

function compare(fileName, found, sentences) {
  const [now, then] = [merged(state.values), merged(found)];
  const differ = (name) => worded(name, now[name]) !== worded(name, then[name]) || plainly(now[name]) !== plainly(then[name]);
  const changes = Object.keys(LABELS).filter(differ);
  const form = make("form.lm-changes", { method: "dialog" });
  const boxes = new Map();
  form.append(make("p.lm-dim", {}, changes.length ? `${fileName} was drawn with other settings than those in the form. Take over:` : `${fileName} was drawn with exactly the settings in the form.`));
  for (const name of changes) {
    const box = make("input", { type: "checkbox", checked: true });
    boxes.set(name, box);
    form.append(make("label.lm-change", {}, box, make("span.lm-change-name", {}, LABELS[name]), make("del", {}, worded(name, now[name])), make("ins", {}, worded(name, then[name]))));
  }
  for (const sentence of sentences) form.append(make("p.lm-note", {}, sentence));
  const close = make("button.lm-button", { type: "submit", value: "close" }, changes.length ? "Cancel" : "Close");
  const apply = make("button.lm-button.lm-primary", { type: "submit", value: "apply" }, "Apply");
  form.append(make("div.lm-dialog-foot", {}, close, changes.length ? apply : null));
  form.addEventListener("submit", (event) => {
    if (event.submitter !== apply) return;
    const wanted = changes.filter((name) => boxes.get(name).checked).flatMap((name) => names[name] ?? [name]);
    put(Object.fromEntries(wanted.map((name) => [name, found[name]])));
    toast("The settings are in the form.");
    requestAnimationFrame(() => input("prompt")?.focus());
  });
  byId("lm-settings-body").replaceChildren(form);
  byId("lm-settings").showModal();
  (changes.length ? apply : close).focus();
}

// What scripts hold is JSON, which two writers may space differently; the rest is compared as it is worded.
function plainly(value) {
  if (typeof value !== "string" || !/^[[{]/.test(value)) return "";
  try { return JSON.stringify(JSON.parse(value)); } catch (words) { return ""; }
}

// What a sampler's own schedule is called, for the sampler that the form has now.
function usualSchedule() {
  const chosen = state.values.sampler && state.values.sampler !== "auto" ? state.values.sampler : model()?.defaults.sampler;
  return state.catalogue?.samplers.find((one) => one.name === chosen)?.default_schedule ?? "auto";
}

function worded(name, value) {
  const plain = ["start", "refine", "loras", "controls", "finish", "extras"].includes(name) && value ? JSON.parse(value) : null;
  if (name === "start") return STARTS[plain?.kind] ?? "the prompt alone";
  if (name === "refine") return plain ? `× ${plain.scale ?? 2}` : "no";
  if (name === "tile") return TILES[value] ?? "no";
  if (["loras", "controls", "finish"].includes(name)) return plain?.map((one) => one.name ?? one.kind).join(", ") || "none";
  if (name === "extras") return plain ? Object.keys(plain).join(", ") : "none";
  if (name === "size") return value ? value.join(" × ") : (model()?.native_size.join(" × ") ?? "auto");
  if (name === "styles") return JSON.parse(value || "[]").map((id) => state.catalogue?.styles.find((style) => style.id === id)?.name ?? id).join(", ") || "none";
  if (name === "model") return state.catalogue?.models.find((one) => one.id === value)?.title ?? value;
  if (name === "seed") return value || "a new one each time";
  if (name === "count") return String(value || 1);
  if (name === "steps" || name === "guidance") return String(value || (model()?.defaults[name] ?? "auto"));
  if (name === "schedule") return value && value !== "auto" ? value : usualSchedule();
  if (name === "sampler") return value === "auto" ? samplerLabel(model()?.defaults.sampler ?? "auto") : samplerLabel(value);
  return value || "nothing";
}
