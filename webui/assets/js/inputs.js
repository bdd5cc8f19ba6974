// Pictures that people bring: chosen, dropped, pasted, or taken from what they drew.

import { api, inputUrl } from "./api.js";
import { clear, takeMany } from "./batch.js";
import { byId } from "./dom.js";
import { desk, openDesk, setPicture } from "./starts.js";
import { openTab } from "./tabs.js";
import { failed, say, toast } from "./toast.js";

const PICTURE = /^image\/(png|jpeg|webp|avif|gif|bmp|tiff)$/;

export function startInputs() {
  const file = byId("lm-start-file");
  file.addEventListener("change", () => { beginWithAll([...file.files]); file.value = ""; });
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((one) => PICTURE.test(one.type));
    if (!pasted) return;
    event.preventDefault();
    if (desk.tab === "create") openTab("rework");
    beginWith(pasted);
  });
}

// Begins with a file; where many can be taken, with all of them.
export function beginWithAll(files) {
  if (desk.tab === "upscale") clear();
  if (desk.tab === "upscale" && files.length > 1) takeMany(files);
  else if (files[0]) beginWith(files[0]);
}

// Begins the open tab's next picture with a file.
export const beginWith = (file) => bring(async () => {
  const picture = await api.bring(file, { name: file.name });
  // What is on this machine need not come back from the studio, unless it was changed on the way.
  if (!picture.notes.length && await shows(file, picture)) local.set(picture.sha, URL.createObjectURL(file));
  return picture;
}, desk.tab);

// A browser reads fewer kinds of pictures than the studio, and none that is damaged.
async function shows(file, { width, height }) {
  try {
    const bitmap = await createImageBitmap(file);
    const same = bitmap.width === width && bitmap.height === height;
    bitmap.close();
    return same;
  } catch (unreadable) { return false; }
}

const local = new Map();

// Where a brought picture is shown from.
export const sourceOf = (sha) => local.get(sha) ?? inputUrl(sha);

// Begins a tab's next picture with one that was drawn here.
export async function useIn(tab, picture) {
  openTab(tab);
  await bring(() => api.bringSaved(picture.id), tab);
  byId("lm-panel").scrollTo({ top: 0 });
}

let asked = 0;

async function bring(ask, tab) {
  const mine = ++asked;
  byId("lm-start").dataset.busy = "";
  try {
    const picture = await ask();
    if (mine !== asked) return;
    setPicture(picture, tab);
    openDesk(tab);
    say(`The picture of ${picture.width} by ${picture.height} pixels is there.`);
    for (const note of picture.notes ?? []) toast(note);
  } catch (refusal) {
    failed(refusal);
  } finally {
    if (mine === asked) delete byId("lm-start").dataset.busy;
  }
}
