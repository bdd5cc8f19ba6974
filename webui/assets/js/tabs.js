// The tabs: three share the desk and differ in where a picture starts, the others have a page of their own.

import { byId, make, setText } from "./dom.js";
import { desk, DESKS, openDesk } from "./starts.js";
import { on, state, tell } from "./store.js";

const LABELS = { create: "Create", rework: "Rework", inpaint: "Inpaint & extend", upscale: "Upscale" };
let page = null; // the open tab that has a page of its own

export const currentTab = () => page ?? desk.tab;

export function openTab(id) {
  const other = id !== currentTab();
  page = DESKS.includes(id) ? null : id;
  if (!page) openDesk(id);
  render();
  tell("tab", id);
  if (!other) return;
  scrollTo({ top: 0 });
  byId("lm-panel").scrollTo({ top: 0 });
}

function tabs() {
  return [...DESKS.map((id) => ({ id, title: LABELS[id] })), ...(state.catalogue?.tabs ?? []).filter((tab) => byId(`lm-page-${tab.id}`))];
}

export function startTabs() {
  on("start catalogue", render);
  on("asked", () => { if (page) openTab(desk.tab); });
  byId("lm-tabs").addEventListener("keydown", move);
  let wanted = location.hash.slice(1); // the tabs with a page of their own arrive with the catalogue
  on("catalogue", () => { if (!DESKS.includes(wanted) && tabs().some((tab) => tab.id === wanted)) openTab(wanted); wanted = ""; });
  addEventListener("hashchange", () => { const id = location.hash.slice(1); if (id !== currentTab() && tabs().some((tab) => tab.id === id)) openTab(id); });
}

// A page of its own is Gradio's column of that name; the desk's three tabs are panels of one desk.
const panelOf = (id) => (DESKS.includes(id) ? "lm-desk" : `lm-page-${id}`);

function render() {
  const [box, now] = [byId("lm-tabs"), currentTab()];
  const key = tabs().map((tab) => tab.id).join();
  if (box.dataset.key !== key) {
    box.dataset.key = key;
    box.replaceChildren(...tabs().map(({ id, title }) => make("button.lm-tab", { type: "button", role: "tab", id: `lm-tab-${id}`, "aria-controls": panelOf(id), onclick: () => openTab(id) }, title)));
  }
  for (const tab of box.children) {
    const on = tab.id === `lm-tab-${now}`;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
  }
  document.body.dataset.tab = now;
  setText(byId("lm-draw"), now === "upscale" ? "Upscale" : "Draw");
  document.body.dataset.page = page ? "own" : "desk";
  for (const panel of document.querySelectorAll(".lm-page-tab, #lm-desk")) {
    const on = panel.id === panelOf(now);
    panel.classList.toggle("lm-shown", on);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `lm-tab-${on ? now : panel.id === "lm-desk" ? desk.tab : panel.id.slice("lm-page-".length)}`);
  }
  if (!state.catalogue) return; // the address may name a tab that is still to come
  const hash = now === "create" ? "" : `#${now}`;
  if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname + location.search);
}

function move(event) {
  const all = [...byId("lm-tabs").children];
  const at = all.indexOf(event.target.closest("button"));
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (next === undefined || at < 0) return;
  event.preventDefault();
  const tab = all[(next + all.length) % all.length];
  tab.click();
  byId(tab.id).focus();
}
