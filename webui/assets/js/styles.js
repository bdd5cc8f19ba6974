// Style cards, the chips of those in use, and the prompt as it will be with them.

import { byId, icon, make, setText } from "./dom.js";
import { putStyles, styles } from "./form.js";
import { on, remembered, state } from "./store.js";

const FEW = 6;

export function startStyles() {
  on("form catalogue", render);
  const more = byId("lm-styles-more");
  more.addEventListener("click", () => { remembered.set("all-styles", more.getAttribute("aria-expanded") !== "true"); render(); });
}

const all = () => state.catalogue?.styles ?? [];
const styleOf = (id) => all().find((style) => style.id === id) ?? { id, name: id, prompt: "", negative: "", description: "" };

function toggle(id) {
  const now = styles();
  putStyles(now.includes(id) ? now.filter((other) => other !== id) : [...now, id]);
}

function render() {
  const now = styles();
  cards(now);
  chips(now);
  final(now);
  const problems = state.catalogue?.problems ?? [];
  byId("lm-style-problems").hidden = problems.length === 0;
  setText(byId("lm-style-problems"), problems.join(" "));
}

function cards(now) {
  const box = byId("lm-styles");
  const open = remembered.get("all-styles") === true;
  const more = byId("lm-styles-more");
  more.hidden = all().length <= FEW;
  more.setAttribute("aria-expanded", String(open));
  setText(more, open ? "Show fewer" : `Show all ${all().length}`);
  const key = JSON.stringify([open, all().map((style) => style.id)]);
  if (box.dataset.key !== key) {
    box.dataset.key = key;
    box.replaceChildren(...(open ? grouped() : [wall("Styles", all().slice(0, FEW))]));
  }
  for (const card of box.querySelectorAll("[data-style]")) card.setAttribute("aria-pressed", String(now.includes(card.dataset.style)));
}

function grouped() {
  const groups = Map.groupBy ? Map.groupBy(all(), (style) => style.group) : group(all());
  return [...groups].flatMap(([name, members]) => [make("h3.lm-group", {}, name), wall(name, members)]);
}

function group(list) {
  const groups = new Map();
  for (const style of list) groups.set(style.group, [...(groups.get(style.group) ?? []), style]);
  return groups;
}

function wall(name, members) {
  return make("div.lm-style-wall", { role: "group", "aria-label": name }, ...members.map(card));
}

function card(style) {
  const name = make("span.lm-style-name", {}, style.name);
  const about = make("span.lm-style-about", {}, style.description);
  const faces = style.preview ? [make("img", { src: style.preview, alt: "", loading: "lazy", draggable: "false" }), name] : [name, about];
  return make("button.lm-style", { type: "button", "data-style": style.id, "aria-pressed": "false", title: style.description, onclick: () => toggle(style.id) }, ...faces);
}

function chips(now) {
  const box = byId("lm-chips");
  box.hidden = now.length === 0;
  if (box.dataset.key === JSON.stringify([now, all().length])) return;
  box.dataset.key = JSON.stringify([now, all().length]);
  box.replaceChildren(...now.map((id) => {
    const style = styleOf(id);
    const off = make("button.lm-chip", { type: "button", title: `Take off: ${style.description}`, "aria-label": `Take off the style ${style.name}`, onclick: () => { toggle(id); byId("lm-chips").querySelector("button")?.focus(); } }, make("span", {}, style.name), icon("close"));
    return make("span", { role: "listitem" }, off);
  }));
}

// The same rule as toolkit/styles.py: the first style innermost, its words where it says {prompt}, else after the prompt.
export function styled(prompt, negative, ids) {
  for (const style of ids.map(styleOf)) {
    prompt = style.prompt.includes("{prompt}") ? style.prompt.replaceAll("{prompt}", () => prompt) : joined(prompt, style.prompt);
    negative = joined(negative, style.negative);
  }
  return [prompt, negative];
}

const joined = (first, second) => [first.trim().replace(/,+$/, ""), second.trim()].filter(Boolean).join(", ");

function final(now) {
  const box = byId("lm-final");
  box.hidden = now.length === 0;
  const [prompt, negative] = styled(state.values.prompt ?? "", state.values.negative ?? "", now);
  setText(byId("lm-final-text"), prompt);
  setText(byId("lm-final-negative"), negative ? `Leave out: ${negative}` : "");
}
