// Upscale: a picture as it is, made larger by a finishing step; nothing is drawn anew.

import { make, radios } from "./dom.js";
import { beforeDrawing, put } from "./form.js";
import { change, desk } from "./starts.js";
import { on, state } from "./store.js";

const SCALES = [1.5, 2, 3, 4];
const MODEL = "upscale"; // the bundled step that runs a model's file
const PLAIN = "lanczos";
const SIZE = /^\s*([1-9]\d{0,5})\s*(?:[x×]\s*([1-9]\d{0,5}))?\s*$/i;

// The finishing steps that enlarge are those that ask by how much.
const upscalers = () => (state.catalogue?.finish ?? []).filter((step) => step.form.some((param) => param.name === "scale"));
const files = () => state.catalogue?.upscalers ?? [];
const named = (name) => upscalers().find((one) => one.name === name);
const chosen = () => named(desk.upscale.by) ?? (files().length ? named(MODEL) : null) ?? named(PLAIN) ?? upscalers()[0];
const takes = (name) => chosen()?.form.some((param) => param.name === name);
const steps = (text) => { try { return JSON.parse(text || "[]"); } catch (broken) { return []; } };

export function startUpscale() {
  beforeDrawing.push((values) => (desk.tab === "upscale" ? { finish: JSON.stringify(wantedSteps(values.finish)) } : null));
  on("start", takeOver);
}

// What is done to each picture: the step that enlarges, then the others of the form.
export const wantedSteps = (finish) => [own(), ...steps(finish)].filter(Boolean);

function own() {
  const by = chosen();
  if (!by) return null;
  const { scale, to, file, exact } = desk.upscale;
  const usual = by.form.find((param) => param.name === "scale").default;
  const options = { ...(Number(usual) === scale ? {} : { scale }), ...(exact && to.trim() && takes("to") ? { to: to.trim() } : {}), ...(file && takes("file") ? { file } : {}) };
  return { name: by.name, ...(Object.keys(options).length ? { options } : {}) };
}

// The settings of an enlarged picture name its step among the others; here it has a place of its own.
function takeOver() {
  if (desk.tab !== "upscale") return;
  const [first, ...rest] = steps(state.values.finish);
  if (!upscalers().some((one) => one.name === first?.name)) return;
  const { scale = 2, to = "", file = "" } = first.options ?? {};
  Object.assign(desk.upscale, { by: first.name, scale: Number(scale), to, file, exact: Boolean(to) });
  put({ finish: rest.length ? JSON.stringify(rest) : "" });
}

export function enlarging() {
  if (!upscalers().length) return [make("p.lm-note", {}, "No active plugin enlarges pictures: switch “Upscalers” on under Plugins.")];
  return [size(), way(), model()];
}

function size() {
  const group = make("div.lm-segments", { role: "radiogroup", "aria-label": "How large" });
  const note = make("p.lm-note");
  const text = make("input.lm-input", { type: "text", placeholder: "3000 or 3000 × 2000", inputmode: "text", "aria-label": "Exact size in pixels: the longest side, or width × height", oninput: () => change({ to: text.value }) });
  const box = make("div.lm-control", {}, make("span.lm-legend", { "aria-hidden": "true" }, "How large"), group, text, note);
  box.update = () => {
    const { scale, exact, to, picture } = desk.upscale;
    const options = [...SCALES.map((each) => ({ key: each, label: `× ${each}`, title: `${each} times as wide and high` })), ...(takes("to") ? [{ key: "exact", label: "Size", title: "Exactly as many pixels as you say" }] : [])];
    radios(group, options, exact && takes("to") ? "exact" : scale, (key) => change(key === "exact" ? { exact: true } : { exact: false, scale: key }));
    text.hidden = !(exact && takes("to"));
    if (document.activeElement !== text) text.value = to;
    note.textContent = told(picture, exact && takes("to"), to, scale);
  };
  return box;
}

function told(picture, exact, to, scale) {
  const [, first, second] = SIZE.exec(to) ?? [];
  if (exact && !first) return "Write the longest side, 3000, or width and height, 3000 × 2000.";
  if (!picture) return exact ? (second ? `Each becomes ${first} × ${second}` : `The longest side becomes ${first}`) : `Each becomes ${scale} times as wide and high`;
  const { width, height } = picture;
  const factor = exact ? first / Math.max(width, height) : scale;
  const [across, down] = exact && second ? [Number(first), Number(second)] : [Math.round(width * factor), Math.round(height * factor)];
  const cut = Math.abs(Math.log((across / down) * (height / width))) > 0.01 ? "; what stands over is cut off equally on both sides" : "";
  return `${width} × ${height} becomes ${across} × ${down}${cut}`;
}

// “Enlarge by a model” is “A model” where one chooses what enlarges.
function shortly(label) {
  const rest = label.replace(/^Enlarge \((.*)\)$/, "$1").replace(/^Enlarge by /, "");
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

function way() {
  const ways = make("div.lm-segments", { role: "radiogroup", "aria-label": "How it is enlarged" });
  const box = make("div.lm-control", {}, make("span.lm-legend", { "aria-hidden": "true" }, "By"), ways);
  box.update = () => radios(ways, upscalers().map((one) => ({ key: one.name, label: shortly(one.label), title: one.help || one.label })), chosen().name, (by) => change({ by }));
  return box;
}

function model() {
  const list = make("select.lm-input", { onchange: () => change({ file: list.value }) },
    make("option", { value: "" }, "The best one for the size"), ...files().map((file) => make("option", { value: file.name }, file.title)));
  const box = make("label.lm-control", {}, make("span.lm-legend", {}, "Model"), list);
  box.update = () => { box.hidden = !takes("file") || !files().length; list.value = files().some((file) => file.name === desk.upscale.file) ? desk.upscale.file : ""; };
  return box;
}
