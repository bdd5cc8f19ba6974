// The keys that people of this field have in their fingers. No plain key is taken while somebody types.

import { byId, make } from "./dom.js";
import { draw, input } from "./form.js";
import { skip, stop, toStop } from "./jobs.js";
import { pick } from "./stage.js";
import { weigh } from "./weights.js";

const LIST = [
  [["Ctrl", "↵"], "Draw"],
  [["Esc"], "Stop the drawing on the stage"],
  [["S"], "Skip one of the pictures that are being drawn"],
  [["Ctrl", "↑"], "Give the word under the cursor more weight"],
  [["Ctrl", "↓"], "Give it less weight"],
  [["1", "–", "4"], "Pick a picture; once more shows it large"],
  [["←", "→"], "Go through pictures"],
  [["Del"], "Delete the chosen recent picture"],
  [["/"], "Go to the prompt"],
  [["Shift", "?"], "This list"],
  [["B", "E", "H"], "On the canvas: brush, eraser, move the picture"],
  [["[", "]"], "On the canvas: a smaller or larger brush"],
  [["I", "Del"], "On the canvas: invert the mask, clear it"],
  [["Ctrl", "Z"], "On the canvas: undo; with Shift, redo"],
  [["+", "−", "0"], "On the canvas: closer, further away, all of it"],
];

const typing = (element) => element?.matches?.("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=button], [type=range])");

export function startKeys() {
  document.addEventListener("keydown", pressed);
  byId("lm-keys-open").addEventListener("click", openList);
  byId("lm-keys-list").replaceChildren(...LIST.flatMap(([keys, what]) => [
    make("dt", {}, ...keys.map((key) => (key === "–" ? make("span", {}, "–") : make("kbd", {}, key)))),
    make("dd", {}, what),
  ]));
  for (const close of document.querySelectorAll("[data-close]")) close.addEventListener("click", () => close.closest("dialog").close());
}

function openList() {
  const dialog = byId("lm-keys");
  if (dialog.open) dialog.close(); else dialog.showModal();
}

function pressed(event) {
  if (event.isComposing) return;
  const control = event.ctrlKey || event.metaKey;
  const dialog = document.querySelector("dialog[open]");
  if (control && event.key === "Enter" && !dialog) { event.preventDefault(); draw(); return; }
  if (control && (event.key === "ArrowUp" || event.key === "ArrowDown")) { weighIn(event); return; }
  if (control || event.altKey) return;
  if (event.key === "?" && !typing(event.target)) { event.preventDefault(); openList(); return; }
  if (dialog) return;
  // A list that is open closes on Esc; only the next Esc stops the drawing.
  if (event.key === "Escape" && !event.defaultPrevented && event.target.getAttribute?.("aria-expanded") !== "true" && toStop()) { stop(); return; }
  if (typing(event.target)) return;
  if (/^[1-4]$/.test(event.key) && pick(Number(event.key) - 1)) event.preventDefault();
  if (event.key === "s") skip();
  if (event.key === "/") { event.preventDefault(); input("prompt").focus(); }
}

function weighIn(event) {
  const box = event.target;
  if (box !== input("prompt") && box !== input("negative")) return;
  event.preventDefault();
  const change = weigh(box.value, box.selectionStart, box.selectionEnd, event.key === "ArrowUp");
  if (!change) return;
  box.setSelectionRange(change.from, change.to);
  // This keeps the browser's undo; the other way is for browsers without it.
  if (!document.execCommand("insertText", false, change.text)) {
    box.setRangeText(change.text, change.from, change.to, "end");
    box.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
  box.setSelectionRange(change.start, change.end);
}
