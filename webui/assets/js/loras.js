// LoRAs: small files that give a model a look or a thing. Each is a card; one that is on has a slider for its weight.

import { byId, button, make } from "./dom.js";
import { input, put, putStyles, styles } from "./form.js";
import { slider } from "./slider.js";
import { model, on, remembered, state } from "./store.js";
import { toast } from "./toast.js";

const FEW = 4;
const MOST = 1.2;

export function startLoras() {
  on("form catalogue", render);
}

// What the chosen model can't use comes last, and says what it was made for.
export const misfit = (card) => card.misfits?.[model()?.id] ?? "";
export const fittingFirst = (cards) => [...cards.filter((card) => !misfit(card)), ...cards.filter((card) => misfit(card))];
export const unfit = (card, title) => toast(`${title} is made for ${misfit(card)}: choose a model of that kind for it.`);

const all = () => state.catalogue?.loras ?? [];

function uses() {
  try { return JSON.parse(state.values.loras || "[]"); } catch (broken) { return []; }
}

const putUses = (next) => put({ loras: next.length ? JSON.stringify(next) : "" });
const weightOf = (use) => use.weight ?? 1;

function toggle(lora) {
  const now = uses();
  if (now.some((use) => use.name === lora.name)) putUses(now.filter((use) => use.name !== lora.name));
  else if (misfit(lora)) unfit(lora, lora.title);
  else {
    if (throughStyle(lora)) putStyles(styles().filter((id) => id !== lora.style));
    putUses([...now, { name: lora.name, ...((lora.weight ?? 1) === 1 ? {} : { weight: lora.weight }) }]);
  }
}

// A style that brings a LoRA takes the place of its card: once is enough.
export function giveWay(style) {
  const brought = all().filter((lora) => lora.style === style).map((lora) => lora.name);
  if (uses().some((use) => brought.includes(use.name))) putUses(uses().filter((use) => !brought.includes(use.name)));
}

function weigh(name, weight) {
  putUses(uses().map((use) => (use.name === name ? { ...use, weight } : use)));
}

function render() {
  const place = byId("lm-loras-place");
  const names = uses().map((use) => use.name);
  const open = remembered.get("all-loras") === true;
  // One that was used elsewhere and isn't here is still shown, so that it can be taken off.
  const lost = names.filter((name) => !all().some((lora) => lora.name === name));
  const shown = [...fittingFirst(all()), ...lost.map((name) => ({ name, title: name, description: "This LoRA is not in models/loras.", trigger: "" }))];
  const key = JSON.stringify([open, model()?.id, shown.map((lora) => lora.name), names, shown.map((lora) => throughStyle(lora))]);
  if (place.dataset.key !== key) {
    place.dataset.key = key;
    place.replaceChildren(...(shown.length ? section(shown, names, open) : []));
  }
  for (const each of place.querySelectorAll(".lm-slider")) each.update();
}

// The style in use that brings this LoRA already, if one does.
const throughStyle = (lora) => (lora.style && styles().includes(lora.style) ? state.catalogue.styles.find((style) => style.id === lora.style)?.name ?? "" : "");

// Those that are style cards need not be here a second time, unless somebody wants to weigh them.
function section(shown, names, open) {
  const few = shown.filter((lora) => !lora.style && !misfit(lora)).slice(0, FEW);
  const visible = shown.filter((lora) => open || few.includes(lora) || names.includes(lora.name));
  const more = make("button.lm-link", { type: "button", "aria-expanded": String(open), onclick: () => { remembered.set("all-loras", !open); render(); } }, open ? "Show fewer" : `Show all ${shown.length}`);
  const looks = shown.some((lora) => lora.style) && !open ? make("p.lm-note", {}, "Looks among them are style cards above; here they have a weight.") : null;
  return [
    make("div.lm-field-head", {}, make("h2.lm-legend", {}, "LoRAs"), open || visible.length < shown.length ? more : null),
    visible.length ? make("div.lm-lora-wall", { role: "group", "aria-label": "LoRAs" }, ...visible.map((lora) => card(lora, names.includes(lora.name)))) : looks,
  ].filter(Boolean);
}

function card(lora, used) {
  const other = misfit(lora);
  const about = [lora.description, other && `Made for ${other}`, lora.licence && `Licence: ${lora.licence}`, lora.error].filter(Boolean).join("\n");
  const name = make("span.lm-style-name", {}, shortTitle(lora.title));
  const face = make("button.lm-style.lm-lora-face", { type: "button", "aria-pressed": String(used), "data-unfit": Boolean(other), "aria-label": [lora.title, other ? `made for ${other}` : lora.description].filter(Boolean).join(": "), title: about, onclick: () => toggle(lora) },
    lora.preview ? make("img", { src: lora.preview, alt: "", loading: "lazy", draggable: "false" }) : null, name,
    other ? make("span.lm-style-about", {}, `Made for ${other}`) : lora.preview ? null : make("span.lm-style-about", {}, lora.description));
  const box = make("div.lm-lora", { "data-lora": lora.name, "data-used": used, "data-misfit": Boolean(other) }, face);
  if (throughStyle(lora)) box.append(make("p.lm-note", {}, `The style ${shortTitle(throughStyle(lora))} uses it. Chosen here instead, it has a weight.`));
  if (!used) return box;
  box.append(slider({
    label: `Weight of ${lora.title}`, name: "Weight", min: 0, max: MOST, step: 0.05,
    value: () => weightOf(uses().find((use) => use.name === lora.name) ?? {}), shown: (weight) => weight.toFixed(2), set: (weight) => weigh(lora.name, weight),
  }));
  if (lora.trigger) box.append(words(lora.trigger));
  const facts = [baseOf(lora), lora.licence && lora.licence !== "unknown" ? lora.licence : ""].filter(Boolean);
  if (facts.length) box.append(make("p.lm-note", {}, facts.join(" · ")));
  return box;
}

// Where the chosen model is known, what is made for it need not repeat its name.
export function shortTitle(title) {
  const rest = model() && title.startsWith(`${model().title} `) ? title.slice(model().title.length).trim() : "";
  return rest ? rest[0].toUpperCase() + rest.slice(1) : title;
}

const baseOf = ({ base }) => (base ? `For ${state.catalogue.models.find((one) => one.id === base)?.title ?? base}` : "");

// Words that the LoRA was trained with: a click puts them into the prompt.
function words(trigger) {
  const parts = trigger.split(",").map((part) => part.trim()).filter(Boolean);
  return make("div.lm-lora-words", {}, ...parts.map((part) => button(part, "plus", () => {
    const prompt = state.values.prompt?.trim() ?? "";
    if (!prompt.toLowerCase().includes(part.toLowerCase())) put({ prompt: prompt ? `${prompt}, ${part}` : part });
    input("prompt")?.focus();
  }, { title: "Put this word into the prompt" })));
}
