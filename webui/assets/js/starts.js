// Where the next picture starts: from words, from a picture, inside a mask, or beyond its borders. One field of the form
// says so; what each tab holds stays with it while another one is open.

import { inputUrl } from "./api.js";
import { put } from "./form.js";
import { on, remembered, state, tell } from "./store.js";

export const DESKS = ["create", "rework", "inpaint", "upscale"];

// The studio's own usual values (toolkit/starts.py); what equals them is left out of a request.
const USUAL = {
  image: { image: "", strength: 0.6, resize: "crop" },
  inpaint: { image: "", mask: "", strength: 1, feather: 4, area: "whole", padding: 32, fill: "original" },
  outpaint: { image: "", left: 0, top: 0, right: 0, bottom: 0, strength: 1, feather: 8, fill: "fill" },
  as_is: { image: "" },
};

export const desk = {
  tab: "create",
  rework: { picture: null, ...USUAL.image },
  inpaint: { picture: null, mode: "inpaint", inpaint: { ...USUAL.inpaint }, outpaint: { ...USUAL.outpaint } },
  upscale: { picture: null, by: "", scale: 2, exact: false, to: "", file: "" },
};

// The part of the desk that the open tab works with; null on Create.
export function current() {
  return desk.tab === "create" ? null : desk[desk.tab];
}

// The values behind the sliders of the open tab.
export function settings() {
  if (desk.tab === "rework" || desk.tab === "upscale") return desk[desk.tab];
  return desk.tab === "inpaint" ? desk.inpaint[desk.inpaint.mode] : null;
}

export function kind() {
  return { create: "text", rework: "image", inpaint: desk.inpaint.mode, upscale: "as_is" }[desk.tab];
}

function composed() {
  const now = kind();
  if (now === "text") return "";
  const values = { ...settings(), image: current().picture?.sha ?? "" };
  const names = Object.keys(USUAL[now]).filter((name) => name === "image" || (name === "mask" && now === "inpaint") || values[name] !== USUAL[now][name]);
  return JSON.stringify({ kind: now, ...Object.fromEntries(names.map((name) => [name, values[name]])) });
}

// Tells the form, and everybody who shows it, what has changed here.
export function changed() {
  const text = composed();
  const { inpaint: { picture, mode, inpaint, outpaint }, rework, upscale } = desk;
  remembered.set("desk", { rework, upscale, inpaint: { picture, mode, inpaint, outpaint } });
  if (text !== state.values.start) put({ start: text });
  tell("start");
}

export function change(values) {
  Object.assign(settings(), values);
  changed();
}

export function setPicture(picture, tab = desk.tab) {
  const part = desk[tab];
  part.picture = picture && { sha: picture.sha, width: picture.width, height: picture.height };
  if (tab === "inpaint") {
    part.inpaint.mask = "";
    Object.assign(part.outpaint, { left: 0, top: 0, right: 0, bottom: 0 });
  }
  changed();
}

export function openDesk(tab) {
  if (desk.tab === tab) return;
  desk.tab = tab;
  changed();
}

// Settings from elsewhere (a reload, “Use settings”, a dropped picture) open the tab that they belong to.
function adopt() {
  const text = state.values.start ?? "";
  if (text === composed()) return;
  let start;
  try { start = JSON.parse(text || '{"kind": "text"}'); } catch (broken) { return; }
  if (start.kind === "text" || !USUAL[start.kind]) {
    if (desk.tab !== "create") { desk.tab = "create"; tell("start"); }
    return;
  }
  desk.tab = { image: "rework", as_is: "upscale" }[start.kind] ?? "inpaint";
  if (desk.tab === "inpaint") desk.inpaint.mode = start.kind;
  const { kind: _, ...values } = start;
  Object.assign(settings(), USUAL[start.kind], values);
  if (values.image !== current().picture?.sha) take(current(), values.image);
  tell("start");
}

// The size of a picture that is only known by its name.
function take(part, sha) {
  part.picture = null;
  if (!sha) return;
  const image = new Image();
  image.onload = () => { part.picture = { sha, width: image.naturalWidth, height: image.naturalHeight }; changed(); };
  image.onerror = () => { part.lost = true; tell("start"); };
  part.lost = false;
  image.src = inputUrl(sha);
}

export function startStarts() {
  const kept = remembered.get("desk");
  if (kept?.rework && kept?.inpaint) {
    Object.assign(desk.rework, kept.rework);
    Object.assign(desk.upscale, kept.upscale);
    const { picture, mode, inpaint, outpaint } = kept.inpaint;
    Object.assign(desk.inpaint, { picture: picture ?? null, mode: mode === "outpaint" ? mode : "inpaint" });
    Object.assign(desk.inpaint.inpaint, inpaint);
    Object.assign(desk.inpaint.outpaint, outpaint);
  }
  on("form", adopt);
}
