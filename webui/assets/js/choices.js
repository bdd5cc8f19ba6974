// Draft, standard or fine; one, two or four; a shape: words for the numbers that stand folded away.

import { byId, make, radios, setText } from "./dom.js";
import { input, number, put } from "./form.js";
import { finer } from "./variations.js";
import { model, on, remembered, state } from "./store.js";

export function startChoices() {
  on("form catalogue", render);
  ["numbers", "advanced"].forEach(fold);
  for (const [name, size] of Object.entries(STEPS)) {
    input(name).inputMode = "decimal";
    input(name).addEventListener("keydown", (event) => stepBy(event, name, size));
  }
}

const STEPS = { steps: 1, guidance: 0.5, width: 8, height: 8, seed: 1, count: 1, eta: 0.1, clip_skip: 1, rescale: 0.1, variation_seed: 1, variation_strength: 0.05 };
const PATTERNS = [
  { key: "", label: "Off", title: "The picture doesn’t repeat" },
  { key: "x", label: "↔", title: "Repeats sideways, without a seam" },
  { key: "y", label: "↕", title: "Repeats up and down, without a seam" },
  { key: "xy", label: "✢", title: "Repeats to all sides, without a seam" },
];
const LARGER = [
  { key: "", label: "Off", title: "The picture in its size" },
  { key: "1.5", label: "× 1.5", title: "A second pass, half as large again, with finer detail" },
  { key: "2", label: "× 2", title: "A second pass, twice as large, with finer detail" },
];

function fold(name) {
  const toggle = byId(`lm-${name}-toggle`);
  const open = (wish) => {
    toggle.setAttribute("aria-expanded", String(wish));
    document.body.dataset[name] = wish ? "open" : "closed";
    remembered.set(name, wish);
  };
  toggle.addEventListener("click", () => open(toggle.getAttribute("aria-expanded") !== "true"));
  on(`open-${name}`, () => open(true));
  open(remembered.get(name) === true);
}

// The boxes hold text, so that wrong numbers can be answered; arrows still count up and down.
function stepBy(event, name, size) {
  const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  const usual = { ...model()?.defaults, width: model()?.native_size[0], height: model()?.native_size[1], count: 1 };
  const now = number(name) ?? usual[name] ?? 0;
  if (!way || Number.isNaN(now) || event.ctrlKey) return;
  event.preventDefault();
  put({ [name]: Number((now + way * size).toFixed(3)) });
}

function render() {
  const chosen = model();
  const usual = chosen?.defaults.steps ?? 20;
  quality(usual);
  const count = number("count") ?? 1;
  radios(byId("lm-count"), [1, 2, 4].map((each) => ({ key: each, label: String(each), title: each === 1 ? "One picture" : `${each} pictures at once` })), count, (key) => put({ count: key }));
  shapes(chosen);
  radios(byId("lm-tile"), PATTERNS, state.values.tile ?? "", (key) => put({ tile: key }));
  radios(byId("lm-refine"), LARGER, scale(), (key) => put({ refine: key ? JSON.stringify({ strength: finer(), ...refine(), scale: Number(key) }) : "" }));
  refineBy();
  summary(chosen, usual);
}

// What makes the picture larger before it is refined; there is a choice once it is refined at all.
function refineBy() {
  const box = byId("lm-refine-by");
  const ways = state.catalogue?.refiners ?? [];
  box.hidden = !refine() || ways.length < 2;
  const key = ways.map((way) => way.name).join();
  if (box.dataset.key !== key) {
    box.dataset.key = key;
    box.replaceChildren(...ways.map((way) => make("option", { value: way.name }, way.label)));
    box.onchange = () => put({ refine: JSON.stringify({ ...refine(), upscaler: box.value }) });
  }
  box.value = refine()?.upscaler ?? "lanczos";
}

function refine() {
  try { return state.values.refine ? JSON.parse(state.values.refine) : null; } catch (broken) { return null; }
}

// Twice is the studio's usual, which a request leaves out.
const scale = () => (refine() ? String(refine().scale ?? 2) : "");

function quality(usual) {
  const own = Boolean(model()?.draft); // a few-step way of its own, which says how many steps it wants
  const drafting = own && state.values.draft === "yes";
  const steps = number("steps") ?? usual;
  const levels = [
    { key: "draft", label: "Draft", steps: own ? null : Math.max(2, Math.round(usual * 0.4)), title: "Quick and rough, to find an idea" },
    { key: "standard", label: "Standard", steps: usual, title: "The model’s own number of steps" },
    { key: "fine", label: "Fine", steps: Math.min(Math.round(usual * 1.75), state.catalogue?.max_steps ?? 150), title: "Slower and cleaner, for the final picture" },
  ];
  const now = drafting ? "draft" : levels.find((level) => level.steps === steps)?.key ?? "";
  radios(byId("lm-quality"), levels, now, (key) => put({ steps: key === "standard" ? null : levels.find((level) => level.key === key).steps, draft: own && key === "draft" ? "yes" : "" }));
}

const sizeFor = (shape, chosen) => shape.at?.[chosen?.id] ?? [shape.width, shape.height];

function shapes(chosen) {
  const all = state.catalogue?.sizes ?? [];
  const [nativeWidth, nativeHeight] = chosen?.native_size ?? [512, 512];
  const [width, height] = [number("width") ?? nativeWidth, number("height") ?? nativeHeight];
  const options = all.map((shape) => {
    const [across, down] = sizeFor(shape, chosen);
    const title = `${shape.name}, ${across} × ${down}${shape.note ? `: ${shape.note}` : ""}`;
    return { key: shape.id, label: title, title, face: face(shape, [across, down], nativeWidth * nativeHeight) };
  });
  const now = all.find((shape) => sizeFor(shape, chosen).join() === [width, height].join());
  radios(byId("lm-shapes"), options, now?.id ?? "", (key) => {
    const [across, down] = sizeFor(all.find((shape) => shape.id === key), chosen);
    put(across === nativeWidth && down === nativeHeight ? { width: null, height: null } : { width: across, height: down });
  });
  setText(byId("lm-shape-note"), `${now ? `${now.name}, ` : ""}${width} × ${height}`);
}

// The shape itself, drawn; one of fewer pixels than the model's own size is drawn smaller.
function face(shape, [across, down], own) {
  const longest = 22 * Math.min(1, Math.max(0.55, Math.sqrt((across * down) / own)));
  const [wide, high] = shape.ratio >= 1 ? [longest, longest / shape.ratio] : [longest * shape.ratio, longest];
  const mark = make("span.lm-shape", { "aria-hidden": "true" });
  mark.style.width = `${Math.max(5, wide)}px`;
  mark.style.height = `${Math.max(5, high)}px`;
  return mark;
}

function summary(chosen, usual) {
  const { sampler, seed } = state.values;
  const parts = [`${number("steps") ?? usual} steps`, `guidance ${number("guidance") ?? chosen?.defaults.guidance ?? "auto"}`];
  if (seed) parts.push(`seed ${seed}`);
  if (sampler && sampler !== "auto") parts.push(state.catalogue?.samplers.find((one) => one.name === sampler)?.label ?? sampler);
  setText(byId("lm-numbers-note"), parts.join(" · "));
  const { clip_skip, eta, rescale, variation_seed } = state.values;
  const further = [clip_skip && `clip skip ${clip_skip}`, eta && `eta ${eta}`, rescale && `rescale ${rescale}`, variation_seed && `variation ${variation_seed}`];
  setText(byId("lm-advanced-note"), further.filter(Boolean).join(" · "));
}
