// Short words at the edge of the page, and words for screen readers only.

import { byId, make } from "./dom.js";

export function toast(text, { action, onAction, failed = false, seconds = 5 } = {}) {
  const element = make("div.lm-toast", { "data-failed": failed }, make("span", {}, text));
  const close = () => element.remove();
  if (action) element.append(make("button.lm-link", { type: "button", onclick: () => { close(); onAction(); } }, action));
  // Inside an open dialog the page behind can't be clicked, so its toasts appear in the dialog.
  const host = document.querySelector("dialog[open]") ?? byId("lm-shell-bottom");
  const box = byId("lm-toasts");
  if (box.parentElement !== host) host.append(box);
  box.append(element);
  while (box.children.length > 3) box.firstChild.remove();
  let timer = setTimeout(close, seconds * 1000);
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("focusin", () => clearTimeout(timer));
  element.addEventListener("pointerleave", () => { timer = setTimeout(close, 2000); });
  return close;
}

export function failed(refusal) {
  toast(refusal.message, { failed: true, seconds: 10 });
}

export function say(text) {
  byId("lm-live").textContent = text;
}
