// What the page knows, in one place, and who wants to hear when it changes.

export const state = {
  engine: { state: "connecting", note: "" },
  connected: false,
  role: null,
  jobs: new Map(), // id -> job as the studio tells it, oldest first
  catalogue: null,
  values: {}, // the form's values by name
  shown: null, // what the stage shows: {kind: "job", id} | {kind: "drawing", drawing} | {kind: "examples"}
  picked: 0, // which of the shown pictures is picked
  toSkip: null, // which of the pictures that are being drawn was chosen to be skipped
};

const listeners = new Map();

export function on(names, listener) {
  for (const name of names.split(" ")) {
    if (!listeners.has(name)) listeners.set(name, new Set());
    listeners.get(name).add(listener);
  }
}

export function tell(name, detail) {
  for (const listener of listeners.get(name) ?? []) listener(detail);
}

export const RUNNING = new Set(["queued", "running"]);

export function model() {
  const models = state.catalogue?.models ?? [];
  return models.find((one) => one.id === state.values.model) ?? models[0] ?? null;
}

export const remembered = {
  get(key) {
    try { return JSON.parse(localStorage.getItem(`limner.${key}`)); } catch (unreadable) { return null; }
  },
  set(key, value) {
    try { localStorage.setItem(`limner.${key}`, JSON.stringify(value)); } catch (full) { /* a private window: nothing is kept */ }
  },
};
