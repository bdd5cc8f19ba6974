// Before and after: two pictures over each other, with a line between them that can be moved.

import { api, inputUrl, pictureUrl } from "./api.js";
import { icon, make } from "./dom.js";

// What a picture was made from, if it was made from one: {url, frame} with the frame's sides in parts of the result.
export function before(picture) {
  const start = picture?.request.start;
  const { width, height } = picture ?? {};
  if (!start?.image || !width || !height) return null;
  const [left, top] = start.kind === "outpaint" ? [start.left ?? 0, start.top ?? 0] : [0, 0];
  const [right, bottom] = start.kind === "outpaint" ? [start.right ?? 0, start.bottom ?? 0] : [0, 0];
  const fit = { crop: "cover", fill: "contain", stretch: "fill" }[start.kind === "image" ? start.resize ?? "crop" : start.kind === "as_is" ? "crop" : "stretch"];
  return { url: inputUrl(start.image), fit, inset: [top / height, right / width, bottom / height, left / width] };
}

// `small` leaves out the words; the slider itself is a range input, so keys and screen readers can use it too.
export function compared(picture, alt) {
  const was = before(picture);
  const box = make("div.lm-compare");
  const old = make("img.lm-compare-before", { src: was.url, alt: "", draggable: "false" });
  const holder = make("div.lm-compare-old", { "aria-hidden": "true" }, old);
  const slide = make("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": "Before and after: how much of the picture is shown as it was" });
  const move = () => {
    box.style.setProperty("--at", `${slide.value}%`);
    slide.setAttribute("aria-valuetext", `${Math.round(slide.value)} percent before`);
  };
  old.style.objectFit = was.fit;
  old.style.inset = was.inset.map((part) => `${(100 * part).toFixed(3)}%`).join(" ");
  old.style.width = `${100 * (1 - was.inset[1] - was.inset[3])}%`;
  old.style.height = `${100 * (1 - was.inset[0] - was.inset[2])}%`;
  old.onerror = () => { box.dataset.lost = ""; };
  slide.addEventListener("input", move);
  box.style.setProperty("--ratio", picture.width / picture.height);
  box.append(make("img.lm-compare-after", { src: pictureUrl(picture.id), alt, draggable: "false" }), holder, make("span.lm-compare-line", { "aria-hidden": "true" }), slide,
    make("span.lm-compare-word", { "aria-hidden": "true" }, "Before"), make("span.lm-compare-word.lm-compare-word-after", { "aria-hidden": "true" }, "After"));
  move();
  return box;
}

// ---- nothing outside the mask changed: counted by the studio on the saved file

const found = new Map();

export const masked = (picture) => ["inpaint", "outpaint"].includes(picture?.request.start?.kind);

export function proof(picture) {
  const box = make("span.lm-proof", { role: "status" });
  if (!found.has(picture.id)) found.set(picture.id, api.outside(picture.id).catch(() => ({ state: "unknown", why: "It could not be checked." })));
  found.get(picture.id).then((answer) => tell(box, picture, answer));
  return box;
}

function tell(box, picture, { state, pixels, changed, recorded, sha256, why }) {
  const where = picture.request.start.kind === "outpaint" ? "of the picture it began with" : "outside the mask";
  box.dataset.state = state;
  const count = (number) => number.toLocaleString("en-GB");
  if (state === "same") {
    box.append(icon("check"), make("span", {}, `Nothing ${where} changed`));
    box.title = `Checked on the saved file: all ${count(pixels)} pixels are the same, byte for byte.${recorded ? ` The file says so too (SHA-256 ${sha256.slice(0, 12)}…).` : ""}`;
  } else if (state === "changed") {
    box.append(icon("alert"), make("span", {}, `${count(changed)} pixels ${where} changed`));
  } else {
    box.append(make("span", {}, why));
  }
}

// ---- a picture that repeats, three by three

export function repeated(picture) {
  const tile = picture.request.tile ?? "";
  const [across, down] = [tile.includes("x") ? 3 : 1, tile.includes("y") ? 3 : 1];
  const box = make("div.lm-repeat", { role: "img", "aria-label": `The picture beside itself, ${across} by ${down}` });
  for (let at = 0; at < across * down; at++) box.append(make("img", { src: pictureUrl(picture.id), alt: "", draggable: "false" }));
  box.style.setProperty("--across", across);
  box.style.setProperty("--ratio", (across * picture.width) / (down * picture.height));
  return box;
}
