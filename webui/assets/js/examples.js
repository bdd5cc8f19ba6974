// The empty page: pictures of the starter that fill in their prompt, and what the starter is.

import { byId, make } from "./dom.js";
import { draw, input, put } from "./form.js";
import { model, on, state } from "./store.js";

let drawn = []; // the starter's own pictures, by prompt and seed

export async function startExamples() {
  on("shown catalogue form", render);
  try {
    drawn = await (await fetch(new URL("../examples/index.json", import.meta.url))).json();
  } catch (none) { /* without pictures the prompts still serve */ }
  byId("lm-empty").dataset.key = "";
  render();
}

function pictureOf({ picture, prompt, seed }) {
  const own = drawn.find((one) => one.prompt === prompt && one.seed === seed);
  return picture ?? (own ? new URL(`../examples/${own.file}`, import.meta.url).href : null);
}

function render() {
  const box = byId("lm-empty");
  const chosen = model();
  const key = JSON.stringify([chosen?.id, state.catalogue?.examples.length]);
  if (state.shown?.kind !== "examples" || !state.catalogue || box.dataset.key === key) return;
  box.dataset.key = key;
  const own = state.catalogue.examples.filter((example) => example.model === chosen?.id);
  const examples = (own.length ? own : state.catalogue.examples).slice(0, 12);
  box.replaceChildren(
    make("div.lm-welcome", {}, make("h2", {}, "What would you like to see?"), make("p.lm-dim", {}, examples.length ? "Type a prompt, or begin with one of these." : "Type a prompt and press Draw.")),
    make("div.lm-examples", { role: "group", "aria-label": "Examples" }, ...examples.map(card)),
    note(chosen),
  );
}

function card(example) {
  const picture = pictureOf(example);
  const face = picture
    ? make("img", { src: picture, alt: "", loading: "lazy", draggable: "false" })
    : make("span.lm-example-face", { "aria-hidden": "true" });
  return make("button.lm-example", { type: "button", title: "Fill in this prompt", onclick: () => use(example) }, face, make("span", {}, example.prompt));
}

function use(example) {
  put({ prompt: example.prompt, seed: example.seed ?? null });
  input("prompt")?.focus({ preventScroll: false });
}

function note(chosen) {
  const starter = !chosen || chosen.id === "limner-starter";
  const about = starter
    ? `You are drawing with the starter, a very small model that ships with Limner: it draws simple things at 256 × 256 within seconds, on any computer, and knows only ${chosen?.known_words.length || "a few"} words.`
    : `You are drawing with ${chosen.title}.`;
  const bigger = "For anything more, put a model folder in the diffusers format (Stable Diffusion 1.5 or a relative of it) into models/checkpoints and reload this page; it appears under Model.";
  return make("div.lm-starter-note", {}, make("p", {}, about), make("p", {}, bigger));
}
