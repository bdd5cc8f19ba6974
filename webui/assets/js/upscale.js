// Upscale: a picture as it is, made larger by a finishing step; nothing is drawn anew.

import { make, radios } from "./dom.js";
import { beforeDrawing, put } from "./form.js";
import { change, desk } from "./starts.js";
import { on, state } from "./store.js";

const SCALES = [1.5, 2, 3, 4];
const FIRST = "lanczos";

// The finishing steps that enlarge are those that ask by how much.
const upscalers = () => (state.catalogue?.finish ?? []).filter((step) => step.form.some((param) => param.name === "scale"));
const chosen = () => upscalers().find((one) => one.name === desk.upscale.by) ?? upscalers().find((one) => one.name === FIRST) ?? upscalers()[0];
const steps = (text) => { try { return JSON.parse(text || "[]"); } catch (broken) { return []; } };

export function startUpscale() {
  beforeDrawing.push((values) => (desk.tab === "upscale" ? { finish: JSON.stringify([own(), ...steps(values.finish)].filter(Boolean)) } : null));
  on("start", takeOver);
}

function own() {
  const by = chosen();
  if (!by) return null;
  const usual = by.form.find((param) => param.name === "scale").default;
  return { name: by.name, ...(Number(usual) === desk.upscale.scale ? {} : { options: { scale: desk.upscale.scale } }) };
}

// The settings of an enlarged picture name its step among the others; here it has a place of its own.
function takeOver() {
  if (desk.tab !== "upscale") return;
  const [first, ...rest] = steps(state.values.finish);
  if (!upscalers().some((one) => one.name === first?.name)) return;
  Object.assign(desk.upscale, { by: first.name, scale: Number(first.options?.scale ?? 2) });
  put({ finish: rest.length ? JSON.stringify(rest) : "" });
}

export function enlarging() {
  if (!upscalers().length) return [make("p.lm-note", {}, "No active plugin enlarges pictures: switch “Upscalers” on under Plugins.")];
  const group = make("div.lm-segments", { role: "radiogroup", "aria-label": "How large" });
  const note = make("p.lm-note");
  const size = make("div.lm-control", {}, make("span.lm-legend", { "aria-hidden": "true" }, "How large"), group, note);
  size.update = () => {
    radios(group, SCALES.map((scale) => ({ key: scale, label: `× ${scale}`, title: `${scale} times as wide and high` })), desk.upscale.scale, (scale) => change({ scale }));
    const { width, height } = desk.upscale.picture ?? {};
    note.textContent = width ? `${width} × ${height} becomes ${Math.round(width * desk.upscale.scale)} × ${Math.round(height * desk.upscale.scale)}` : "";
  };
  const ways = make("div.lm-segments", { role: "radiogroup", "aria-label": "How it is enlarged" });
  const way = make("div.lm-control", {}, make("span.lm-legend", { "aria-hidden": "true" }, "By"), ways);
  way.update = () => radios(ways, upscalers().map((one) => ({ key: one.name, label: one.label.replace(/^Enlarge \((.*)\)$/, "$1").replace(/^Enlarge by /, ""), title: one.help || one.label })), chosen().name, (by) => change({ by }));
  return [size, way];
}
