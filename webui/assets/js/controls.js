// Control: a picture whose lines, depth or pose the drawing follows. Each unit is a card with its picture, what is taken
// from it laid over it, and how closely it is followed.

import { api } from "./api.js";
import { byId, button, make, radios } from "./dom.js";
import { put } from "./form.js";
import { optionsForm } from "./options.js";
import { overlay } from "./overlay.js";
import { slider } from "./slider.js";
import { model, on, remembered, state } from "./store.js";
import { failed } from "./toast.js";

const MOST = 4; // units that a request may have
const RESIZES = [
  { key: "crop", label: "Crop", title: "Covers the drawing; what is over is cut off" },
  { key: "fill", label: "Fit", title: "All of it is in the drawing; the edges are drawn out" },
  { key: "stretch", label: "Stretch", title: "Pulled to the drawing’s shape" },
];
let wanted = ""; // the kind that a picture is being chosen for

export function startControls() {
  on("form catalogue", render);
}

// Kinds for which there is a ControlNet that fits the chosen model.
const kinds = () => (state.catalogue?.controls ?? []).filter((kind) => kind.fits.includes(model()?.id));
const preprocessors = () => state.catalogue?.preprocessors ?? [];

function units() {
  try { return JSON.parse(state.values.controls || "[]"); } catch (broken) { return []; }
}

const putUnits = (next) => put({ controls: next.length ? JSON.stringify(next) : "" });
const change = (at, values) => putUnits(units().map((unit, index) => (index === at ? { ...unit, ...values } : unit)));

function render() {
  const place = byId("lm-controls-place");
  const now = units();
  const key = JSON.stringify([kinds().map((kind) => kind.name), now.map(({ kind, image, preprocessor }) => [kind, image, preprocessor])]);
  if (place.dataset.key !== key) {
    place.dataset.key = key;
    for (const each of place.querySelectorAll(".lm-overlay")) each.stop();
    place.replaceChildren(...(kinds().length || now.length ? section(now) : []));
  }
  for (const each of place.querySelectorAll(".lm-slider, .lm-overlay, .lm-live")) each.update?.();
}

function section(now) {
  const file = make("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "Choose the picture to follow" });
  file.addEventListener("change", () => { if (file.files[0]) add(file.files[0]); file.value = ""; });
  const choose = (kind) => { wanted = kind.name; file.click(); };
  return [
    make("div.lm-field-head", {}, make("h2.lm-legend", {}, "Follow a picture")),
    ...now.map(card),
    now.length < MOST ? make("div.lm-control-kinds", { role: "group", "aria-label": "What to follow" }, ...kinds().map((kind) => button(kind.label, "plus", () => choose(kind), { title: kind.help || `Choose a picture and follow its ${kind.label.toLowerCase()}` }))) : null,
    file,
  ].filter(Boolean);
}

async function add(file) {
  try {
    const { sha } = await api.bring(file, { name: file.name });
    putUnits([...units(), { kind: wanted, image: sha, preprocessor: "auto" }]);
  } catch (refusal) { failed(refusal); }
}

function card(unit, at) {
  const kind = state.catalogue?.controls.find((one) => one.name === unit.kind);
  const label = kind?.label ?? unit.kind;
  return make("div.lm-unit", { role: "group", "aria-label": label },
    make("div.lm-field-head", {}, make("strong", {}, label), button("Remove", "close", () => putUnits(units().filter((_, index) => index !== at)), { "aria-label": `Remove ${label}` })),
    overlay(() => units()[at], label),
    slider({ label: `Weight of ${label}`, name: "How closely", min: 0, max: 2, step: 0.05, value: () => units()[at]?.weight ?? 1, shown: (weight) => weight.toFixed(2), set: (weight) => change(at, { weight }) }),
    more(unit, at, kind, label));
}

// What few need: another preprocessor, its options, how the picture comes to the drawing's shape, and for which steps.
function more(unit, at, kind, label) {
  const usual = preprocessors().find((one) => one.name === kind?.preprocessor);
  const chosen = preprocessors().find((one) => one.name === (unit.preprocessor === "auto" ? kind?.preprocessor : unit.preprocessor));
  const option = (value, text) => make("option", { value, selected: (unit.preprocessor ?? "none") === value }, text);
  const by = make("select.lm-input", { "aria-label": `How the ${label.toLowerCase()} are found`, onchange: () => change(at, { preprocessor: by.value, options: undefined }) },
    option("auto", usual ? `${usual.label} (usual)` : "As usual"), ...preprocessors().filter((one) => one !== usual || unit.preprocessor === one.name).map((one) => option(one.name, one.label)),
    option("none", "Nothing: it is a control picture already"));
  // A card that is made anew right after the click has to know of it already, which is before `toggle` is told.
  const box = make("details.lm-unit-more", { open: remembered.get("unit-more") === true },
    make("summary.lm-legend", { onclick: () => remembered.set("unit-more", !box.open) }, "How it is followed"),
    make("label.lm-option", {}, make("span.lm-legend", {}, "Found by"), by),
    chosen?.form.length ? optionsForm(chosen.form, unit.options ?? {}, (options) => change(at, { options: Object.keys(options).length ? options : undefined })) : null,
    resizing(at), part(at, "start", "From", label), part(at, "end", "Until", label));
  return box;
}

function resizing(at) {
  const group = make("div.lm-segments", { role: "radiogroup", "aria-label": "How the picture comes to the drawing’s shape" });
  const box = make("div.lm-live", {}, make("span.lm-legend", { "aria-hidden": "true" }, "Shape"), group);
  box.update = () => radios(group, RESIZES, units()[at]?.resize ?? "crop", (resize) => change(at, { resize: resize === "crop" ? undefined : resize }));
  return box;
}

// The part of the steps in which the unit steers; its beginning stays before its end.
function part(at, name, words, label) {
  const ends = () => ({ start: 0, end: 1, ...units()[at] });
  const held = (value) => (name === "start" ? Math.min(value, ends().end - 0.05) : Math.max(value, ends().start + 0.05));
  return slider({
    label: `${words} which part of the steps ${label} are followed`, name: words, min: 0, max: 1, step: 0.05, value: () => ends()[name],
    shown: (value) => `${Math.round(100 * value)} %`, set: (value) => change(at, { [name]: Number(held(value).toFixed(2)) }),
  });
}
