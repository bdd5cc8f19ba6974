// The canvas of Inpaint & extend: the picture, its mask and the tools; what is painted is sent to the studio as it is.

import { api, inputUrl } from "./api.js";
import { byId, radios, setText } from "./dom.js";
import { Easel } from "./easel.js";
import { beforeDrawing } from "./form.js";
import { listen } from "./hand.js";
import { sourceOf } from "./inputs.js";
import { Mask } from "./mask.js";
import { change, desk } from "./starts.js";
import { on, state } from "./store.js";
import { failed, say } from "./toast.js";
import { startTools, tools } from "./tools.js";

const SENT_AFTER = 600; // milliseconds without a stroke

let easel = null;
let mask = null;
let shown = ""; // the picture on the easel
let seen = "canvas"; // what the tab shows: "canvas" or "stage"
let sending = null;
let timer = 0;

export const inpainting = () => document.body.dataset.tab === "inpaint" && Boolean(desk.inpaint.picture);

export function startCanvas() {
  easel = new Easel(byId("lm-easel"), heard);
  listen(easel, act);
  startTools(easel, act);
  on("start tab", render);
  on("start", () => { if (easel.sides) { easel.sides = desk.inpaint.outpaint; if (easel.fitted) easel.fit(); else easel.draw(); } });
  on("asked", () => look("stage"));
  on("shown", () => { if (state.shown?.kind === "drawing") look("stage"); });
  beforeDrawing.push(async () => { clearTimeout(timer); if (timer) await send(); await sending; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => easel.draw());
}

function look(what) {
  seen = what;
  render();
}

function render() {
  const here = document.body.dataset.tab === "inpaint";
  const picture = desk.inpaint.picture;
  const canvas = here && seen === "canvas" && Boolean(picture);
  byId("lm-view-bar").hidden = !here || !picture;
  byId("lm-canvas").hidden = byId("lm-tools").hidden = !canvas;
  document.body.dataset.view = here ? (picture ? seen : "stage") : "stage";
  radios(byId("lm-view"), [{ key: "canvas", label: "Canvas", title: "Paint and extend" }, { key: "stage", label: "Result", title: "What was drawn" }], seen, look);
  if (here && picture?.sha !== shown) load(picture);
  if (!canvas) return;
  const sides = desk.inpaint.mode === "outpaint" ? desk.inpaint.outpaint : null;
  const turned = Boolean(sides) !== Boolean(easel.sides);
  easel.sides = sides;
  if (turned) easel.fit();
  easel.draw();
  tools();
  note();
}

async function load(picture) {
  shown = picture?.sha ?? "";
  seen = picture ? "canvas" : seen;
  if (!picture) { easel.clear(); mask = null; return; }
  const [wanted, kept] = [shown, desk.inpaint.inpaint.mask];
  try {
    const image = await decoded(sourceOf(picture.sha));
    const next = new Mask(image.width, image.height);
    if (kept) next.load(await decoded(inputUrl(kept)));
    if (wanted !== shown) return; // another one was chosen meanwhile
    mask = next;
    easel.size = Math.max(8, Math.round(Math.min(image.width, image.height) / 10));
    await easel.show(image, mask);
  } catch (unreadable) {
    if (wanted !== shown) return;
    failed(new Error("The picture or its mask is no longer kept by the studio; choose the picture again."));
    if (kept) { change({ mask: "" }); shown = ""; }
  }
  render();
}

async function decoded(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(url);
  return createImageBitmap(await response.blob());
}

// ---- what hand, keys and buttons ask for

const acts = {
  begin: ({ x, y }) => mask?.begin(x, y, easel.size, easel.tool === "eraser"),
  to: ({ x, y }) => mask?.to(x, y),
  end: () => { if (mask?.end()) painted(); },
  forget: () => mask?.forget(),
  undo: () => { if (mask?.undo()) painted("Undone."); },
  redo: () => { if (mask?.redo()) painted("Done again."); },
  invert: () => { if (mask?.invert()) painted("The mask is inverted."); },
  clear: () => { if (mask?.clear()) painted("The mask is empty."); },
  extend: (sides) => change(sides),
};

function act(what, detail) {
  const done = (acts[what] ?? easel.act[what])?.(detail);
  easel.ask("over");
  return done;
}

export const history = () => ({ undo: mask?.canUndo ?? false, redo: mask?.canRedo ?? false });

function heard(what) {
  if (what === "view") tools();
}

function painted(words) {
  if (words) say(words);
  clearTimeout(timer);
  timer = setTimeout(() => { timer = 0; send(); }, SENT_AFTER);
  tools();
  note();
}

// The studio keeps the mask, so that it outlives this page; its name is part of the form from then on.
function send() {
  timer = 0;
  const [mine, picture] = [mask, shown];
  sending = (async () => {
    try {
      const sha = mine.empty ? "" : (await api.bring(await mine.blob(), { kind: "mask", name: "The mask" })).sha;
      if (picture === shown && desk.inpaint.inpaint.mask !== sha) Object.assign(desk.inpaint.inpaint, { mask: sha });
      if (picture === shown) change({});
    } catch (refusal) { failed(refusal); }
  })();
  return sending;
}

function note() {
  const box = byId("lm-easel-note");
  if (desk.inpaint.mode === "outpaint") {
    const { left, top, right, bottom } = desk.inpaint.outpaint;
    const { width, height } = desk.inpaint.picture;
    setText(box, left + top + right + bottom ? `The picture will be ${width + left + right} × ${height + top + bottom}. What is there stays as it is.` : "Pull a side of the dashed frame outwards.");
  } else {
    const share = mask ? mask.share : 0;
    setText(box, share ? `${share < 0.01 ? "Under 1" : Math.round(share * 100)} % of the picture will be drawn anew; the rest stays as it is.` : "Paint over what should change, and describe in the prompt what should be there.");
  }
}
