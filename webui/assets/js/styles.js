// Style cards, the chips of those in use, and the prompt as it will be with them.

import { byId, icon, make, setText } from "./dom.js";
import { putStyles, styles } from "./form.js";
import { fittingFirst, giveWay, misfit, shortTitle, unfit } from "./loras.js";
import { model, on, remembered, state } from "./store.js";

const FEW = 9;

export function startStyles() {
  on("form catalogue", render);
  const more = byId("lm-styles-more");
  more.addEventListener("click", () => { remembered.set("all-styles", more.getAttribute("aria-expanded") !== "true"); render(); });
}

const seen = (styles) => [...styles.filter((style) => style.preview), ...styles.filter((style) => !style.preview)];
const all = () => fittingFirst(seen(state.catalogue?.styles ?? []));
const styleOf = (id) => all().find((style) => style.id === id) ?? { id, name: id, prompt: "", negative: "", description: "" };

function toggle(id) {
  const now = styles();
  if (now.includes(id)) putStyles(now.filter((other) => other !== id));
  else if (misfit(styleOf(id))) unfit(styleOf(id), styleOf(id).name);
  else {
    giveWay(id);
    putStyles([...now, id]);
  }
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
  const key = JSON.stringify([open, model()?.id, all().map((style) => style.id)]);
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
  const other = misfit(style);
  const name = make("span.lm-style-name", {}, shortTitle(style.name));
  const mark = style.prompt.includes("<lora:") ? make("span.lm-style-mark", { "aria-hidden": "true" }, "LoRA") : null;
  const about = make("span.lm-style-about", {}, other ? `Made for ${other}` : style.description);
  const faces = style.preview ? [make("img", { src: style.preview, alt: "", loading: "lazy", draggable: "false" }), name, mark] : [name, about, mark];
  return make("button.lm-style", { type: "button", "data-style": style.id, "aria-pressed": "false", "data-unfit": Boolean(other), title: other ? `Made for ${other}` : style.description, onclick: () => toggle(style.id) }, ...faces);
}

function chips(now) {
  const box = byId("lm-chips");
  box.hidden = now.length === 0;
  if (box.dataset.key === JSON.stringify([now, all().length])) return;
  box.dataset.key = JSON.stringify([now, all().length]);
  box.replaceChildren(...now.map((id) => {
    const style = styleOf(id);
    const off = make("button.lm-chip", { type: "button", title: `Take off: ${style.description}`, "aria-label": `Take off the style ${shortTitle(style.name)}`, onclick: () => { toggle(id); byId("lm-chips").querySelector("button")?.focus(); } }, make("span", {}, shortTitle(style.name)), icon("close"));
    return make("span", { role: "listitem" }, off);
  }));
}

// A style may bring LoRAs, as tags: they are told by name and weight.
function apart(prompt) {
  const brought = [];
  const words = prompt.replace(/\s*<lora:([^<>:]+):?([^<>]*)>/gi, (tag, name, weight) => { brought.push(`${state.catalogue?.loras.find((lora) => lora.name === name)?.title ?? name} ${weight || 1}`); return ""; });
  return brought.length ? `${words} (with ${brought.join(", ")})` : words;
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
  setText(byId("lm-final-text"), apart(prompt));
  setText(byId("lm-final-negative"), negative ? `Leave out: ${negative}` : "");
}
