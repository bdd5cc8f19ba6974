// Pointers and keys on the canvas: painting, moving, pinching, pulling the frame.

import { byId } from "./dom.js";
import { pulled } from "./frame.js";
import { desk } from "./starts.js";

const typing = (element) => element?.matches?.("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=button], [type=range])");

export function listen(easel, act) {
  const { box } = easel;
  const fingers = new Map();
  let doing = null; // {kind: "paint" | "pan" | "pull" | "pinch", …}
  let space = false;

  box.addEventListener("pointerdown", (event) => {
    if (!easel.picture || (event.button !== 0 && event.button !== 1)) return;
    event.preventDefault();
    box.focus({ preventScroll: true });
    box.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      if (doing?.kind === "paint") act("forget");
      doing = { kind: "pinch", ...pinch(fingers) };
    } else if (fingers.size === 1) doing = first(event);
  });

  function first(event) {
    const side = easel.sideUnder(event);
    if (side && event.button === 0 && !space) return { kind: "pull", side };
    if (event.button === 1 || space || easel.tool === "hand" || easel.sides) return { kind: "pan", x: event.clientX, y: event.clientY };
    act("begin", easel.at(event));
    return { kind: "paint" };
  }

  box.addEventListener("pointermove", (event) => {
    if (!easel.picture) return;
    const side = doing ? doing.side : easel.sideUnder(event);
    easel.pointer = event.pointerType === "touch" && !doing ? null : { ...easel.at(event), side };
    box.style.cursor = side ? (side === "left" || side === "right" ? "ew-resize" : "ns-resize") : doing?.kind === "pan" ? "grabbing" : easel.tool === "hand" || easel.sides || space ? "grab" : "none";
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
    if (doing?.kind === "paint") {
      const between = event.getCoalescedEvents?.() ?? [];
      for (const each of between.length ? between : [event]) act("to", easel.at(each));
    } else if (doing?.kind === "pan") {
      easel.pan(event.clientX - doing.x, event.clientY - doing.y);
      Object.assign(doing, { x: event.clientX, y: event.clientY });
    } else if (doing?.kind === "pull") {
      const out = pulled(doing.side, easel.at(event), easel.picture);
      easel.fitted = false;
      if (out !== desk.inpaint.outpaint[doing.side]) act("extend", { [doing.side]: out });
    } else if (doing?.kind === "pinch" && fingers.size === 2) {
      const now = pinch(fingers);
      easel.pan(now.x - doing.x, now.y - doing.y);
      const corner = box.getBoundingClientRect();
      easel.zoom(now.apart / doing.apart, now.x - corner.left, now.y - corner.top);
      Object.assign(doing, now);
    }
    easel.ask("over");
  });

  const up = (event) => {
    fingers.delete(event.pointerId);
    if (doing?.kind === "paint") act("end");
    if (doing?.kind !== "pinch" || fingers.size === 0) doing = null;
    if (event.pointerType === "touch") easel.pointer = null;
    easel.ask("over");
  };
  box.addEventListener("pointerup", up);
  box.addEventListener("pointercancel", up);
  box.addEventListener("pointerleave", () => { if (!doing) { easel.pointer = null; easel.ask("over"); } });

  // Zoomed in, the wheel moves the picture; with Ctrl, or pinched on a trackpad, it zooms. Else the page scrolls.
  box.addEventListener("wheel", (event) => {
    if (!easel.picture || (easel.fitted && !event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    const corner = box.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) easel.zoom(1.0015 ** -event.deltaY, event.clientX - corner.left, event.clientY - corner.top);
    else easel.pan(-event.deltaX, -event.deltaY);
  }, { passive: false });

  document.addEventListener("keydown", (event) => {
    if (byId("lm-canvas").hidden || document.querySelector("dialog[open]") || typing(event.target)) return;
    if (event.key === " " && event.target === box) { space = true; event.preventDefault(); return; }
    if (pressed(event, easel, act)) event.preventDefault();
  });
  document.addEventListener("keyup", (event) => { if (event.key === " ") space = false; });
}

function pinch(fingers) {
  const [one, other] = [...fingers.values()];
  return { x: (one.clientX + other.clientX) / 2, y: (one.clientY + other.clientY) / 2, apart: Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY)) };
}

// Returns whether the key meant something here.
function pressed(event, easel, act) {
  const control = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (control && key === "z") { act(event.shiftKey ? "redo" : "undo"); return true; }
  if (control && key === "y") { act("redo"); return true; }
  if (control || event.altKey) return false;
  const meant = {
    b: () => act("tool", "brush"), e: () => act("tool", "eraser"), h: () => act("tool", "hand"),
    "[": () => act("size", 1 / 1.25), "]": () => act("size", 1.25), i: () => act("invert"),
    "+": () => easel.zoom(1.25), "=": () => easel.zoom(1.25), "-": () => easel.zoom(0.8), 0: () => easel.fit(),
  }[key];
  if (meant) { meant(); return true; }
  if (event.target !== easel.box) return false;
  if (key === "delete" || key === "backspace") { act("clear"); return true; }
  return byKeys(event, easel, act);
}

// Painting without a pointer: arrows move the brush, Enter puts it down.
function byKeys(event, easel, act) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!easel.picture || easel.sides || (!way && event.key !== "Enter")) return false;
  const now = easel.pointer ?? { x: easel.picture.width / 2, y: easel.picture.height / 2 };
  if (event.key === "Enter") { act("begin", now); act("end"); easel.pointer = now; return true; }
  const far = Math.max(1, easel.size / 2);
  const clamped = (value, most) => Math.min(most, Math.max(0, value));
  const next = { x: clamped(now.x + way[0] * far, easel.picture.width), y: clamped(now.y + way[1] * far, easel.picture.height) };
  if (event.shiftKey) { act("begin", now); act("to", next); act("end"); }
  easel.pointer = next;
  easel.ask("over");
  return true;
}
