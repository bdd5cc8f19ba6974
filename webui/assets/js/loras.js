// LoRAs: small files that give a model a look or a thing. Each is a card; one that is on has a slider for its weight.

import { byId, button, make } from "./dom.js";
import { input, put } from "./form.js";
import { slider } from "./slider.js";
import { model, on, remembered, state } from "./store.js";

const FEW = 4;
const MOST = 1.2;

export function startLoras() {
  on("form catalogue", render);
}

const all = () => state.catalogue?.loras ?? [];

function uses() {
  try { return JSON.parse(state.values.loras || "[]"); } catch (broken) { return []; }
}

const putUses = (next) => put({ loras: next.length ? JSON.stringify(next) : "" });
const weightOf = (use) => use.weight ?? 1;

function toggle(name) {
  const now = uses();
  putUses(now.some((use) => use.name === name) ? now.filter((use) => use.name !== name) : [...now, { name }]);
}

function weigh(name, weight) {
  putUses(uses().map((use) => (use.name === name ? { ...use, weight } : use)));
}

function render() {
  const place = byId("lm-loras-place");
  const names = uses().map((use) => use.name);
  const open = remembered.get("all-loras") === true;
  // One that was used elsewhere and isn't here is still shown, so that it can be taken off.
  const shown = [...all(), ...names.filter((name) => !all().some((lora) => lora.name === name)).map((name) => ({ name, title: name, description: "This LoRA is not in models/loras.", trigger: "" }))];
  const key = JSON.stringify([open, shown.map((lora) => lora.name), names]);
  if (place.dataset.key !== key) {
    place.dataset.key = key;
    place.replaceChildren(...(shown.length ? section(shown, names, open) : []));
  }
  for (const each of place.querySelectorAll(".lm-slider")) each.update();
}

function section(shown, names, open) {
  const more = make("button.lm-link", { type: "button", "aria-expanded": String(open), onclick: () => { remembered.set("all-loras", !open); render(); } }, open ? "Show fewer" : `Show all ${shown.length}`);
  const visible = shown.filter((lora, at) => open || at < FEW || names.includes(lora.name));
  return [
    make("div.lm-field-head", {}, make("h2.lm-legend", {}, "LoRAs"), shown.length > FEW ? more : null),
    make("div.lm-lora-wall", { role: "group", "aria-label": "LoRAs" }, ...visible.map((lora) => card(lora, names.includes(lora.name)))),
  ];
}

function card(lora, used) {
  const name = make("span.lm-style-name", {}, shortTitle(lora));
  const face = make("button.lm-style.lm-lora-face", { type: "button", "aria-pressed": String(used), "aria-label": `${lora.title}${lora.description ? `: ${lora.description}` : ""}`, title: [lora.description, lora.licence && `Licence: ${lora.licence}`, lora.error].filter(Boolean).join("\n"), onclick: () => toggle(lora.name) },
    lora.preview ? make("img", { src: lora.preview, alt: "", loading: "lazy", draggable: "false" }) : null, name, lora.preview ? null : make("span.lm-style-about", {}, lora.description));
  const box = make("div.lm-lora", { "data-lora": lora.name, "data-used": used }, face);
  if (!used) return box;
  box.append(slider({
    label: `Weight of ${lora.title}`, name: "Weight", min: 0, max: MOST, step: 0.05,
    value: () => weightOf(uses().find((use) => use.name === lora.name) ?? {}), shown: (weight) => weight.toFixed(2), set: (weight) => weigh(lora.name, weight),
  }));
  if (lora.trigger) box.append(words(lora.trigger));
  return box;
}

// Made for the chosen model, a LoRA need not repeat that model's name.
function shortTitle({ title, base }) {
  const own = model();
  const rest = own && base === own.id && title.startsWith(own.title) ? title.slice(own.title.length).trim() : "";
  return rest ? rest[0].toUpperCase() + rest.slice(1) : title;
}

// Words that the LoRA was trained with: a click puts them into the prompt.
function words(trigger) {
  const parts = trigger.split(",").map((part) => part.trim()).filter(Boolean);
  return make("div.lm-lora-words", {}, ...parts.map((part) => button(part, "plus", () => {
    const prompt = state.values.prompt?.trim() ?? "";
    if (!prompt.toLowerCase().includes(part.toLowerCase())) put({ prompt: prompt ? `${prompt}, ${part}` : part });
    input("prompt")?.focus();
  }, { title: "Put this word into the prompt" })));
}
