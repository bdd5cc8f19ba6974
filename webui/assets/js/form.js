// The bridge to the form's inputs, which are Gradio's: their values come in here, and only here are they set.

import { byId, make } from "./dom.js";
import { remembered, state, tell } from "./store.js";
import { failed } from "./toast.js";

const NAMES = [
  "prompt", "negative", "styles", "model", "width", "height", "count", "steps", "guidance", "seed", "sampler", "schedule",
  "eta", "clip_skip", "rescale", "variation_seed", "variation_strength", "start", "tile", "refine", "loras", "controls",
  "draft", "finish", "extras",
];
// Only scripts set these, so what stands here is always newer than what Gradio has (webui/form.py names the same).
const HIDDEN = ["styles", "start", "tile", "refine", "loras", "controls", "draft", "finish", "extras"];
const INPUT_OF = {
  prompt: "prompt", negative: "negative", model: "model", size: "width", count: "count", seed: "seed",
  "sampling.steps": "steps", "sampling.guidance": "guidance", "sampling.sampler": "sampler", "sampling.schedule": "schedule",
  "sampling.eta": "eta", "sampling.clip_skip": "clip_skip", "sampling.rescale": "rescale",
  "variation.seed": "variation_seed", "variation.strength": "variation_strength",
};
// Where an error about something chosen elsewhere is shown, by the first word of its field.
const PLACE_OF = { start: "lm-start", loras: "lm-loras-place", controls: "lm-controls-place", finish: "lm-finishing-place" };

// Functions that are awaited before a request goes out, each given the values; what they return is asked for instead.
export const beforeDrawing = [];

let restored = false;
let start = {}; // the values of a fresh page

const withHidden = (values) => ({ ...values, ...Object.fromEntries(HIDDEN.map((name) => [name, state.values[name] ?? ""])) });
const named = (values) => Object.fromEntries(NAMES.map((name, at) => [name, values[at]]));

// ---- called by Gradio's events (webui/create_tab.py)

export const bridge = {
  restore(values) {
    start = named(values);
    const kept = remembered.get("form") ?? {};
    state.values = { ...start, ...Object.fromEntries(Object.entries(kept).filter(([name, value]) => name in start && typeof value === "string")) };
    restored = true;
    tell("form");
    return NAMES.map((name) => state.values[name]);
  },
  changed(values) {
    if (!restored) return;
    const next = withHidden(named(values));
    const names = NAMES.filter((name) => next[name] !== state.values[name]);
    state.values = next;
    remembered.set("form", next);
    names.forEach((name) => clearError(name));
    tell("form");
  },
  values: () => NAMES.map((name) => state.values[name]),
  async asking(values) {
    let next = withHidden(named(values));
    const own = [];
    for (const wait of beforeDrawing) own.push(await wait(next));
    next = Object.assign(withHidden(next), ...own.filter(Boolean));
    // What begins inside of a picture has its size, and neither repeats nor grows.
    if (/"kind": ?"(inpaint|outpaint)"/.test(next.start)) next = { ...next, width: "", height: "", tile: "", refine: "" };
    return NAMES.map((name) => next[name]);
  },
  wish: () => wishes.text,
  filled(answer) { wishes.done?.(answer); },
  answered(answer) {
    if (answer?.id) { clearErrors(); tell("asked", answer.id); } else if (answer) showError(answer);
  },
};

const wishes = { text: "", done: null };

// The form values that ask for `request`; the studio's form.py works them out.
export function valuesFor(request) {
  return new Promise((resolve, reject) => {
    wishes.text = JSON.stringify(request);
    wishes.done = (answer) => (answer?.values ? resolve(answer.values) : reject(new Error(answer?.error ?? "These settings can’t be read.")));
    byId("lm-fill").click();
  });
}

export function put(changes) {
  changes = Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, value === null ? "" : String(value)]));
  state.values = { ...state.values, ...changes };
  Object.keys(changes).forEach((name) => clearError(name));
  remembered.set("form", state.values);
  if (Object.keys(changes).some((name) => !HIDDEN.includes(name))) byId("lm-put").click();
  tell("form");
}

export async function putRequest(request, { seed = true } = {}) {
  try {
    const values = await valuesFor(request);
    if (!seed) values.seed = "";
    put(values);
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
}

// A number box as a number; null when it is empty, for then the model decides.
export function number(name) {
  const text = String(state.values[name] ?? "").trim().replace(",", ".");
  return text === "" ? null : Number(text);
}

export const styles = () => { try { return JSON.parse(state.values.styles || "[]"); } catch (broken) { return []; } };
export const putStyles = (ids) => put({ styles: JSON.stringify(ids) });
export const input = (name) => byId(`lm-f-${name}`)?.querySelector("textarea, input");
export const draw = () => byId("lm-draw").click();

// ---- errors at their field

export function showError({ field, error }) {
  clearErrors();
  const name = INPUT_OF[field];
  const elsewhere = byId(PLACE_OF[field?.split(".")[0]]);
  if (elsewhere && !elsewhere.hidden && elsewhere.childElementCount) {
    elsewhere.append(make("p.lm-error", { role: "alert", id: `lm-error-${elsewhere.id}` }, error));
    elsewhere.scrollIntoView({ block: "nearest" });
    return;
  }
  const block = name && byId(`lm-f-${name}`);
  if (!block) {
    const place = byId("lm-form-error");
    place.textContent = error;
    place.hidden = false;
    byId("lm-shell-prompt").scrollIntoView({ block: "nearest" });
    return;
  }
  for (const fold of ["numbers", "advanced"]) if (byId(`lm-${fold}`).contains(block)) tell(`open-${fold}`);
  block.querySelector(".lm-error")?.remove();
  block.append(make("p.lm-error", { role: "alert", id: `lm-error-${name}` }, error));
  const element = input(name);
  element?.setAttribute("aria-invalid", "true");
  element?.setAttribute("aria-describedby", `lm-error-${name}`);
  element?.focus();
  block.scrollIntoView({ block: "nearest" });
}

function clearError(name) {
  const shown = name === "height" ? "width" : name;
  byId(`lm-error-${shown}`)?.remove();
  input(shown)?.removeAttribute("aria-invalid");
  byId(`lm-error-${PLACE_OF[name]}`)?.remove();
  if (name === "prompt" || name === "styles") byId("lm-form-error").hidden = true;
}

function clearErrors() {
  NAMES.forEach(clearError);
  Object.values(PLACE_OF).forEach((id) => byId(`lm-error-${id}`)?.remove());
}
