// The card of the picture that the next one begins with, and what is asked about it.

import { api, thumbUrl } from "./api.js";
import { button, byId, icon, make, radios } from "./dom.js";
import { promptOf } from "./drawing.js";
import { batchCard, many } from "./batch.js";
import { sourceOf, useIn } from "./inputs.js";
import { controls } from "./strength.js";
import { changed, current, desk, setPicture } from "./starts.js";
import { on } from "./store.js";

const TITLES = { rework: "Begin with", inpaint: "Picture", upscale: "Pictures" };
const WANTED = { rework: "A picture to begin with", inpaint: "A picture to change or extend", upscale: "Pictures to make larger" };
const MODES = [
  { key: "inpaint", label: "Change a part", title: "Paint over what should be drawn anew" },
  { key: "outpaint", label: "Extend", title: "Continue the picture beyond its borders" },
];

export function startBegin() {
  on("start catalogue gone", render);
  on("batch", () => byId("lm-start-picture").querySelector(".lm-batch")?.update());
  on("form", () => { if (current()) controls(); });
  on("job-state", ({ job }) => { if (job.state === "finished") offers.stale = true; });
}

function render() {
  const part = current();
  byId("lm-start").hidden = !part;
  byId("lm-shape-field").hidden = desk.tab === "inpaint";
  for (const id of ["lm-tile", "lm-refine"]) byId(id).closest("fieldset").hidden = desk.tab === "inpaint";
  if (!part) { document.body.classList.remove("lm-several"); return; }
  byId("lm-start-title").textContent = TITLES[desk.tab];
  byId("lm-inpaint-mode").hidden = desk.tab !== "inpaint" || !part.picture;
  radios(byId("lm-inpaint-mode"), MODES, desk.inpaint.mode, (key) => { desk.inpaint.mode = key; changed(); });
  card(part);
  controls();
}

function card(part) {
  const box = byId("lm-start-picture");
  const several = desk.tab === "upscale" && many();
  document.body.classList.toggle("lm-several", several);
  if (several) {
    if (box.firstElementChild?.className !== "lm-batch" || box.dataset.key !== "several") box.replaceChildren(batchCard());
    box.dataset.key = "several";
    return;
  }
  const key = JSON.stringify([desk.tab, part.picture?.sha, part.lost]);
  if (box.dataset.key === key && !(offers.stale && !part.picture)) return;
  box.dataset.key = key;
  box.replaceChildren(part.picture ? shown(part.picture) : empty(part.lost));
  if (!part.picture) offers(box.querySelector(".lm-offers"));
}

const choose = () => { byId("lm-start-file").multiple = desk.tab === "upscale"; byId("lm-start-file").click(); };

function shown({ sha, width, height }) {
  return make("div.lm-begin", {},
    make("img", { src: sourceOf(sha), alt: "The picture to begin with", draggable: "false" }),
    make("div.lm-begin-side", {},
      make("span.lm-begin-size", {}, `${width} × ${height}`),
      make("div.lm-begin-tools", {},
        button("Another", "image", choose, { title: "Choose another picture; dropping or pasting one works too" }),
        button("Remove", "close", () => { setPicture(null); byId("lm-start-picture").querySelector("button")?.focus(); }))));
}

function empty(lost) {
  return make("div.lm-begin-empty", {},
    make("button.lm-begin-drop", { type: "button", onclick: choose }, icon("image"), make("span.lm-begin-what", {}, WANTED[desk.tab]),
      make("span.lm-dim", {}, lost ? "The one from before is no longer kept. Choose it again." : desk.tab === "upscale" ? "Drop one or many anywhere, paste one, or click to choose" : "Drop it anywhere, paste it, or click to choose")),
    make("div.lm-offers", { role: "group", "aria-label": "Your latest pictures", hidden: true }));
}

// The latest of one's own pictures, to begin with one of them.
async function offers(box) {
  offers.stale = false;
  try {
    const { pictures } = await api.pictures("", null);
    const few = pictures.slice(0, 6);
    box.hidden = few.length === 0;
    box.replaceChildren(...few.map((picture) => make("button", { type: "button", title: promptOf(picture.request), "aria-label": `Begin with: ${promptOf(picture.request)}`, onclick: () => useIn(desk.tab, picture) },
      make("img", { src: thumbUrl(picture.id), alt: "", draggable: "false" }))));
  } catch (refusal) { box.hidden = true; }
}
