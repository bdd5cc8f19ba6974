// What is asked about a start picture, in words: how much changes, where it is drawn, how its edge fades in.

import { many } from "./batch.js";
import { byId, make, radios } from "./dom.js";
import { number, put } from "./form.js";
import { slider } from "./slider.js";
import { change, current, desk, settings } from "./starts.js";
import { enlarging } from "./upscale.js";
import { model } from "./store.js";

const LEVELS = [
  { key: "low", label: "Low", strength: 0.35, upTo: 0.45, title: "Keeps shapes and colours, changes details" },
  { key: "middle", label: "Middle", strength: 0.6, upTo: 0.7, title: "Keeps the composition, redraws things" },
  { key: "high", label: "High", strength: 0.85, upTo: 1, title: "Keeps little but a hint of the picture" },
];
const FITS = [
  { key: "crop", label: "Crop", title: "Fills the shape and cuts off what stands over" },
  { key: "fill", label: "Fit", title: "Shows all of it, with its blurred edges around" },
  { key: "stretch", label: "Stretch", title: "Pulls it to the shape" },
];
const AREAS = [
  { key: "whole", label: "Whole picture", title: "The model sees all of the picture while it draws" },
  { key: "masked", label: "Only around it", title: "The model draws the part in its full size: more detail in small things" },
];
const FILLS = [
  { key: "original", label: "The picture", title: "Begins with what is there" },
  { key: "fill", label: "Its colours", title: "Begins with colours that run in from around" },
  { key: "noise", label: "Noise", title: "Begins with coloured noise" },
  { key: "nothing", label: "Nothing", title: "Begins with an empty place" },
];

const level = (strength) => LEVELS.find((one) => strength <= one.upTo) ?? LEVELS.at(-1);

export function controls() {
  const box = byId("lm-start-more");
  const part = current();
  const several = desk.tab === "upscale" && many();
  const shape = part?.picture || several ? [desk.tab, desk.inpaint.mode, several || part.picture.sha, !several && differs()] : [];
  if (box.dataset.key !== JSON.stringify(shape)) {
    box.dataset.key = JSON.stringify(shape);
    box.replaceChildren(...(shape.length ? parts() : []));
  }
  for (const each of box.querySelectorAll(".lm-control")) each.update?.();
}

function parts() {
  if (desk.tab === "rework") return [strength(), ...(differs() ? [choice("Where the shape differs", "resize", FITS), ownShape()] : [])];
  if (desk.tab === "upscale") return enlarging();
  if (desk.inpaint.mode === "outpaint") return [sides(), edge(), more(strength(), choice("Begins with", "fill", FILLS))];
  const padding = slider({ label: "Surroundings it sees", min: 0, max: 256, step: 8, value: () => settings().padding, shown: (value) => `${value} px`, set: (value) => change({ padding: value }), wanted: () => settings().area === "masked" });
  return [edge(), choice("Draws in", "area", AREAS), padding, more(strength(), choice("Begins with", "fill", FILLS))];
}

function strength() {
  const levels = make("div.lm-segments", { role: "radiogroup", "aria-label": "How much changes, in words" });
  const note = make("p.lm-note");
  const fine = slider({ label: "How much changes", min: 0.05, max: 1, step: 0.05, value: () => settings().strength, shown: (value) => value.toFixed(2), set: (value) => change({ strength: value }) });
  const box = make("div.lm-control", {}, fine, levels, note);
  box.update = () => {
    const now = level(settings().strength);
    fine.update();
    radios(levels, LEVELS, now.key, (key) => change({ strength: LEVELS.find((one) => one.key === key).strength }));
    note.textContent = settings().strength === 1 ? "Draws it completely anew" : now.title;
  };
  return box;
}

function edge() {
  return slider({ label: "Soft edge", min: 0, max: 64, step: 1, value: () => settings().feather, shown: (value) => (value ? `${value} px inwards` : "Hard"), set: (value) => change({ feather: value }) });
}

function choice(label, name, options) {
  const group = make("div.lm-segments", { role: "radiogroup", "aria-label": label });
  const box = make("div.lm-control", {}, make("span.lm-legend", { "aria-hidden": "true" }, label), group);
  box.update = () => radios(group, options, settings()[name], (key) => change({ [name]: key }));
  return box;
}

function more(...inside) {
  return make("details.lm-more", {}, make("summary", {}, "More"), ...inside);
}

// ---- how far each side is pulled out

function sides() {
  const boxes = ["top", "left", "right", "bottom"].map((side) => {
    const input = make("input", { type: "number", min: 0, max: 2048, step: 8, inputmode: "numeric", "aria-label": `Pixels to add ${{ top: "above", left: "on the left", right: "on the right", bottom: "below" }[side]}` });
    input.addEventListener("change", () => change({ [side]: Math.min(2048, Math.max(0, Math.round((Number(input.value) || 0) / 8) * 8)) }));
    input.dataset.side = side;
    return input;
  });
  const middle = make("button.lm-sides-all", { type: "button", title: "A quarter more on every side", onclick: quarter }, "+ ¼");
  const box = make("div.lm-control", {}, make("span.lm-legend", {}, "Pixels to add"), make("div.lm-sides", { role: "group", "aria-label": "Pixels to add on each side" }, ...boxes.slice(0, 2), middle, ...boxes.slice(2)),
    make("p.lm-note", {}, "Or pull the sides of the frame in the picture."));
  box.update = () => { for (const input of boxes) if (document.activeElement !== input) input.value = settings()[input.dataset.side]; };
  return box;
}

function quarter() {
  const { width, height } = current().picture;
  const of = (length) => Math.max(8, Math.round(length / 32) * 8);
  change({ left: of(width), right: of(width), top: of(height), bottom: of(height) });
}

// ---- the picture's own shape

// The size at which the model draws a picture of this shape (toolkit/resizing.py says the same).
function ownSize({ width, height }) {
  const chosen = model();
  const [across, down] = chosen?.native_size ?? [512, 512];
  const share = (width * height) / (across * down);
  const scale = share >= 0.25 && share <= 2.25 ? 1 : share ** -0.5;
  const grid = chosen?.size_multiple ?? 8;
  const snap = (side) => Math.max(grid * 8, Math.round((side * scale) / grid) * grid);
  return [snap(width), snap(height)];
}

function differs() {
  const picture = current()?.picture;
  if (!picture || desk.tab !== "rework") return false;
  const usual = model()?.native_size ?? [512, 512];
  const [width, height] = [number("width") ?? usual[0], number("height") ?? usual[1]];
  return Math.abs((width * picture.height) / (height * picture.width) - 1) > 0.02;
}

function ownShape() {
  return make("button.lm-link", { type: "button", onclick: takeShape }, "Take the picture’s own shape");
}

export function takeShape() {
  const [width, height] = ownSize(current().picture);
  put({ width, height });
}
