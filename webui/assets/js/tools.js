// The row of tools above the canvas.

import { byId, icon, make, setText } from "./dom.js";
import { history } from "./canvas.js";
import { slider } from "./slider.js";
import { desk } from "./starts.js";
import { remembered } from "./store.js";

const LARGEST = 512;
let easel = null;
let row = {};

export function startTools(theEasel, act) {
  easel = theEasel;
  easel.opacity = remembered.get("mask-opacity") ?? 0.6;
  const own = {
    tool: (name) => { easel.tool = name; tools(); },
    size: (factor) => { easel.size = Math.min(LARGEST, Math.max(1, Math.round(easel.size * factor) || 1)); tools(); },
  };
  const tool = (name, label, glyph, key) => make("button.lm-quiet.lm-icon", { type: "button", "aria-label": label, title: `${label} (${key})`, "aria-pressed": "false", onclick: () => own.tool(name) }, icon(glyph));
  const once = (what, label, glyph, key) => make("button.lm-quiet.lm-icon", { type: "button", "aria-label": label, title: `${label} (${key})`, onclick: () => act(what) }, icon(glyph));
  row = {
    brush: tool("brush", "Brush", "brush", "B"), eraser: tool("eraser", "Eraser", "eraser", "E"), hand: tool("hand", "Move the picture", "hand", "H, or hold the space bar"),
    size: slider({ label: "Size", min: 0, max: 1, step: 0.01, value: () => Math.log(easel.size) / Math.log(LARGEST), shown: (part) => `${Math.round(LARGEST ** part)} px`, set: (part) => { easel.size = Math.max(1, Math.round(LARGEST ** part)); easel.ask("over"); } }),
    undo: once("undo", "Undo", "undo", "Ctrl Z"), redo: once("redo", "Redo", "redo", "Ctrl Shift Z"),
    invert: once("invert", "Invert the mask", "invert", "I"), clear: once("clear", "Clear the mask", "trash", "Del"),
    opacity: slider({ label: "Mask", min: 0.15, max: 1, step: 0.05, value: () => easel.opacity, shown: (value) => `${Math.round(value * 100)} %`, quiet: true, set: (value) => { easel.opacity = value; remembered.set("mask-opacity", value); easel.ask("over"); } }),
    out: make("button.lm-quiet.lm-icon", { type: "button", "aria-label": "Zoom out", title: "Zoom out (−)", onclick: () => easel.zoom(0.8) }, icon("minus")),
    zoom: make("button.lm-quiet.lm-zoom", { type: "button", title: "Show all of it (0)", onclick: () => easel.fit() }),
    in: make("button.lm-quiet.lm-icon", { type: "button", "aria-label": "Zoom in", title: "Zoom in (+)", onclick: () => easel.zoom(1.25) }, icon("plus")),
  };
  const bar = (...parts) => make("div.lm-tool-group", {}, ...parts);
  byId("lm-tools").replaceChildren(
    bar(row.brush, row.eraser, row.hand), bar(row.size), bar(row.undo, row.redo), bar(row.invert, row.clear), bar(row.opacity), bar(row.out, row.zoom, row.in),
  );
  easel.act = own;
}

export function tools() {
  if (!row.brush || !easel) return;
  const painting = desk.inpaint.mode === "inpaint";
  for (const name of ["brush", "eraser", "size", "undo", "redo", "invert", "clear", "opacity"]) row[name].closest(".lm-tool-group").hidden = !painting;
  for (const name of ["brush", "eraser", "hand"]) row[name].setAttribute("aria-pressed", String(easel.tool === name));
  const { undo, redo } = history();
  row.undo.disabled = !undo;
  row.redo.disabled = !redo;
  row.size.update();
  row.opacity.update();
  row.size.hidden = row.opacity.hidden = false;
  setText(row.zoom, `${Math.round(easel.view.scale * 100)} %`);
  row.zoom.setAttribute("aria-label", `Zoom ${Math.round(easel.view.scale * 100)} %: show all of it`);
  easel.ask("over");
}
