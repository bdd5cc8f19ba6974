// One picture as large as the window allows; arrow keys go on to its neighbours.

import { actionsFor } from "./actions.js";
import { pictureUrl } from "./api.js";
import { before, compared, masked, proof, repeated } from "./compare.js";
import { byId, icon, make } from "./dom.js";
import { factsOf, promptOf } from "./drawing.js";

let pictures = [];
let at = 0;
let wantMore = null; // gives further pictures when the last one is reached
let mode = ""; // "compare" with what it was made from, "repeat" beside itself, or the picture alone

export function openLightbox(list, start, { more = null, mode: wanted = "" } = {}) {
  [pictures, at, wantMore, mode] = [[...list], start, more, wanted];
  const dialog = byId("lm-lightbox");
  draw(dialog);
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(".lm-light-close").focus();
}

export function startLightbox() {
  const dialog = byId("lm-lightbox");
  dialog.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (way && event.target.type !== "range") { event.preventDefault(); go(way); }
  });
  dialog.addEventListener("click", (event) => { if (event.target.dataset.backdrop !== undefined || event.target === dialog) dialog.close(); });
}

async function go(way) {
  if (at + way >= pictures.length && wantMore) pictures = (await wantMore()) ?? pictures;
  if (!pictures[at + way]) return;
  at += way;
  draw(byId("lm-lightbox"));
}

function draw(dialog) {
  const picture = pictures[at];
  const prompt = promptOf(picture.request);
  const held = dialog.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const image = face(picture, prompt);
  image.style.setProperty("--own-width", `${picture.width ?? 512}px`);
  const away = () => {
    pictures.splice(at, 1);
    if (!pictures.length) { dialog.close(); return; }
    at = Math.min(at, pictures.length - 1);
    draw(dialog);
  };
  const see = (wanted) => { mode = mode === wanted ? "" : wanted; draw(dialog); };
  dialog.replaceChildren(
    make("button.lm-quiet.lm-icon.lm-light-close", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close")),
    make("div.lm-light-stage", { "data-backdrop": true }, step(-1, "left", "Previous picture"), image, step(1, "right", "Next picture")),
    make("div.lm-light-under", {},
      make("p.lm-caption-prompt", {}, prompt),
      make("p.lm-facts", {}, factsOf(picture.request, picture).join("  ·  "), pictures.length > 1 ? `  ·  ${at + 1} of ${pictures.length}` : ""),
      masked(picture) ? proof(picture) : null,
      make("div.lm-actions", { role: "toolbar", "aria-label": "What to do with this picture" }, ...actionsFor(picture, { onGone: away, onUse: () => dialog.close(), see }))),
  );
  dialog.setAttribute("aria-label", `Picture in full size: ${prompt}`);
  if (held) [...dialog.querySelectorAll("button")].find((one) => one.getAttribute("aria-label") === held)?.focus();
}

function face(picture, prompt) {
  if (mode === "compare" && before(picture)) return compared(picture, prompt);
  if (mode === "repeat" && picture.request.tile) return repeated(picture);
  return make("img", { src: pictureUrl(picture.id), alt: prompt });
}

function step(way, glyph, label) {
  const there = pictures[at + way] || (way > 0 && wantMore);
  return make("button.lm-quiet.lm-icon.lm-light-step", { type: "button", "aria-label": label, disabled: !there, onclick: () => go(way) }, icon(glyph));
}
