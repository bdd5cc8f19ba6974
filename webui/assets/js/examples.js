// The empty stage: pictures of the model that fill in their prompt, what the model is, or how a picture is brought.

import { byId, make } from "./dom.js";
import { input, put } from "./form.js";
import { desk } from "./starts.js";
import { model, on, state, tell } from "./store.js";
import { openTab } from "./tabs.js";

const MOST = 12;
// What the desks say that begin with a picture, until there is one.
const BRING = {
  rework: ["Which picture should change?", "Drop it anywhere on this page or paste it. Then say what it should become."],
  inpaint: ["Which picture do you want to change or extend?", "Drop it anywhere on this page or paste it. Then paint over what should change, or pull its frame."],
  upscale: ["Which pictures should be larger?", "Drop one or many anywhere on this page, or paste one."],
};

let drawn = []; // the starter's own pictures, by prompt and seed

export async function startExamples() {
  on("shown catalogue form start", render);
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
  const key = JSON.stringify([chosen?.id, state.catalogue?.examples.length, desk.tab]);
  if (state.shown?.kind !== "examples" || !state.catalogue || box.dataset.key === key) return;
  box.dataset.key = key;
  if (BRING[desk.tab]) { box.replaceChildren(welcome(...BRING[desk.tab])); return; }
  const own = state.catalogue.examples.filter((example) => example.model === chosen?.id);
  const examples = (own.length ? own : state.catalogue.examples).slice(0, MOST);
  box.replaceChildren(
    welcome("What would you like to see?", examples.length ? "Type a prompt, or begin with one of these." : "Type a prompt and press Draw."),
    make("div.lm-examples", { role: "group", "aria-label": "Examples" }, ...examples.map((example) => exampleCard(example))),
    note(chosen),
  );
}

const welcome = (title, about) => make("div.lm-welcome", {}, make("h2", {}, title), make("p.lm-dim", {}, about));

// A picture with its prompt, which a click fills in; `then` is called after that.
export function exampleCard(example, then = () => input("prompt")?.focus({ preventScroll: false })) {
  const picture = pictureOf(example);
  const face = picture ? make("img", { src: picture, alt: "", loading: "lazy", draggable: "false" }) : null;
  const use = () => { put({ prompt: example.prompt, seed: example.seed ?? null }); then(); };
  return make("button.lm-example", { type: "button", title: "Fill in this prompt", "data-bare": !picture, onclick: use }, face, make("span", {}, example.prompt));
}

function note(chosen) {
  const words = chosen?.vocabulary ?? [];
  const about = words.length
    ? make("p", {}, `${chosen.title} is a very small model: it draws ${listed(words.filter((group) => group.example).map((group) => group.title.toLowerCase()))} at ${chosen.native_size.join(" × ")}. `, link(`See the ${chosen.known_words} words it knows`, () => tell("vocabulary")))
    : make("p", {}, chosen ? `You are drawing with ${chosen.title}.` : "There is no model yet.");
  return make("div.lm-starter-note", {}, about, make("p", {}, "For anything more, use a model of your own: ", link("Models", () => openTab("models")), " says how."));
}

const link = (text, onclick) => make("button.lm-link", { type: "button", onclick }, text);
const listed = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names.join(""));
