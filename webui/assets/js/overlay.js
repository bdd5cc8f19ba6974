// What a ControlNet will follow, shown over the picture that it is made from, before anything is drawn.

import { api } from "./api.js";
import { make } from "./dom.js";
import { number } from "./form.js";
import { sourceOf } from "./inputs.js";
import { desk, kind } from "./starts.js";
import { model, remembered } from "./store.js";

const WAIT = 250; // milliseconds that a slider must rest
const KEPT = 24; // pictures that need not be asked for again
const made = new Map(); // question -> address of its picture

const FITS = { crop: "cover", fill: "contain", stretch: "fill" };

// The size that will be drawn, by the rules of toolkit/beginning.py.
function drawnSize() {
  const picture = kind() === "text" ? null : desk[desk.tab].picture;
  if (picture && desk.tab === "inpaint") {
    const { left = 0, top = 0, right = 0, bottom = 0 } = desk.inpaint.mode === "outpaint" ? desk.inpaint.outpaint : {};
    return [picture.width + left + right, picture.height + top + bottom];
  }
  const [width, height] = model()?.native_size ?? [512, 512];
  const asked = [number("width"), number("height")];
  if (asked[0] || asked[1] || desk.tab !== "rework" || !picture) return [asked[0] ?? width, asked[1] ?? height];
  const share = (picture.width * picture.height) / (width * height);
  const scale = share >= 0.25 && share <= 2.25 ? 1 : share ** -0.5;
  const step = model()?.size_multiple ?? 8;
  return [picture.width, picture.height].map((side) => Math.max(step, Math.round((side * scale) / step) * step));
}

// `unit()` gives the unit as it is now, `label` the word for what is taken from its picture.
export function overlay(unit, label) {
  const under = make("img", { src: sourceOf(unit().image), alt: "The picture that is followed", draggable: "false" });
  const over = make("img.lm-overlay-made", { alt: "", draggable: "false" });
  const note = make("p.lm-overlay-note", { role: "status" });
  const fade = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: remembered.get("overlay") ?? 0.75, "aria-label": `How much of the ${label.toLowerCase()} is shown over the picture` });
  const box = make("div.lm-overlay", {},
    make("div.lm-overlay-stage", {}, under, over),
    make("div.lm-slider.lm-overlay-bar", {}, make("span", { "aria-hidden": "true" }, "Picture"), fade, make("span", { "aria-hidden": "true" }, label)), note);
  const shade = () => { box.style.setProperty("--shown", fade.value); fade.style.setProperty("--part", fade.value); fade.setAttribute("aria-valuetext", `${Math.round(100 * fade.value)} percent`); };
  fade.addEventListener("input", () => { remembered.set("overlay", Number(fade.value)); shade(); });
  shade();

  let asked = "";
  let timer = 0;
  let pending = null;
  const tell = (state, text = "") => { box.dataset.state = state; note.textContent = text; };
  const show = (url) => { over.src = url; over.alt = `${label}, as they are followed`; tell("ready"); };

  async function fetchIt(question) {
    pending = new AbortController();
    const { signal } = pending;
    try {
      const url = URL.createObjectURL(await api.control(question, signal));
      remember(question, url);
      if (!signal.aborted) show(url);
    } catch (refusal) {
      if (!signal.aborted) tell("failed", refusal.message);
    }
  }

  box.stop = () => { clearTimeout(timer); pending?.abort(); };
  box.update = () => {
    const { kind: of, image, preprocessor = "none", options, resize = "crop" } = unit() ?? {};
    const size = drawnSize();
    const question = preprocessor === "none" ? "" : JSON.stringify({ unit: { kind: of, image, preprocessor, resize, ...(options ? { options } : {}) }, model: model()?.id, size });
    box.style.setProperty("--ratio", size[0] / size[1]);
    under.style.objectFit = FITS[resize];
    if (question === asked && box.dataset.state) return;
    asked = question;
    box.stop();
    if (!question) { tell("plain"); return; }
    if (made.has(question)) { show(made.get(question)); return; }
    tell("busy");
    timer = setTimeout(() => fetchIt(question), WAIT);
  };
  return box;
}

function remember(question, url) {
  made.set(question, url);
  while (made.size > KEPT) {
    const [[oldest, address]] = made;
    made.delete(oldest);
    URL.revokeObjectURL(address);
  }
}
