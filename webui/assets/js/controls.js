// Control: a picture whose lines, depth or pose the drawing follows. Each unit is a card with its picture and a weight.

import { api } from "./api.js";
import { byId, button, make } from "./dom.js";
import { put } from "./form.js";
import { sourceOf } from "./inputs.js";
import { slider } from "./slider.js";
import { model, on, state } from "./store.js";
import { failed } from "./toast.js";

const MOST = 4; // units that a request may have
let wanted = ""; // the kind that a picture is being chosen for

export function startControls() {
  on("form catalogue", render);
}

// Kinds for which there is a ControlNet that fits the chosen model.
const kinds = () => (state.catalogue?.controls ?? []).filter((kind) => kind.fits.includes(model()?.id));

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
    place.replaceChildren(...(kinds().length || now.length ? section(now) : []));
  }
  for (const each of place.querySelectorAll(".lm-slider")) each.update();
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
  const label = state.catalogue?.controls.find((kind) => kind.name === unit.kind)?.label ?? unit.kind;
  const ready = make("input", { type: "checkbox", checked: unit.preprocessor === "none", onchange: () => change(at, { preprocessor: ready.checked ? "none" : "auto" }) });
  return make("div.lm-unit", {},
    make("img", { src: sourceOf(unit.image), alt: `The picture whose ${label.toLowerCase()} are followed`, draggable: "false" }),
    make("div", {},
      make("div.lm-field-head", {}, make("strong", {}, label), button("Remove", "close", () => putUnits(units().filter((_, index) => index !== at)), { "aria-label": `Remove ${label}` })),
      slider({ label: `Weight of ${label}`, name: "How closely", min: 0, max: 2, step: 0.05, value: () => units()[at]?.weight ?? 1, shown: (weight) => weight.toFixed(2), set: (weight) => change(at, { weight }) }),
      make("label.lm-tick", { title: "Lines, a depth map or a pose that was drawn already: it is used as it is" }, ready, "This is a control picture already")));
}
