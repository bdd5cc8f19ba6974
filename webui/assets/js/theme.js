// Dark or light: as the system has it, unless somebody chose.

import { byId } from "./dom.js";

const WISHES = ["auto", "dark", "light"];
const LABELS = { auto: "Colours: as the system", dark: "Colours: dark", light: "Colours: light" };
const system = matchMedia("(prefers-color-scheme: dark)");

function wish() {
  try { return localStorage.getItem("limner.theme") ?? "auto"; } catch (blocked) { return "auto"; }
}

function show(wanted) {
  const dark = wanted === "dark" || (wanted === "auto" && system.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.body.classList.toggle("dark", dark);
  const button = byId("lm-theme");
  button.setAttribute("aria-label", LABELS[wanted]);
  button.title = LABELS[wanted];
}

export function startTheme() {
  let now = wish();
  show(now);
  byId("lm-theme").addEventListener("click", () => {
    now = WISHES[(WISHES.indexOf(now) + 1) % WISHES.length];
    try { localStorage.setItem("limner.theme", now); } catch (blocked) { /* kept for this visit only */ }
    show(now);
  });
  system.addEventListener("change", () => show(now));
}
