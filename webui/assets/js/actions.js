// What can be done with one picture; the same rows of buttons stand under the stage and in the large view.

import { api, exportUrl, fetchFile, pictureUrl } from "./api.js";
import { before } from "./compare.js";
import { button, icon, make } from "./dom.js";
import { promptOf } from "./drawing.js";
import { put, putRequest } from "./form.js";
import { useIn } from "./inputs.js";
import { remove } from "./removal.js";
import { state, tell } from "./store.js";
import { failed, toast } from "./toast.js";
import { refined, varied } from "./variations.js";

// `onUse` is called when the page goes on with the picture elsewhere, so that a large view can close; `see` shows it
// another way, "compare" or "repeat".
export function actionsFor(picture, { onGone, onUse, see } = {}) {
  const go = (action) => () => { onUse?.(); action(); };
  const group = (label, ...buttons) => make("div.lm-act", { role: "group", "aria-label": label }, make("span.lm-act-name", { "aria-hidden": "true" }, label), ...buttons);
  const small = (label, name, title, onclick) => make("button.lm-quiet", { type: "button", "aria-label": name, title, onclick }, label);
  const download = make(
    "a.lm-quiet", { href: `${pictureUrl(picture.id)}?download=1`, download: "", title: "Save the picture’s own file" },
    icon("download"), make("span", {}, "Download"),
  );
  return [
    make("div.lm-acts", {},
      group("Vary",
        small("Subtle", "Vary subtle", "Four pictures close to this one", go(() => ask(varied(picture, "subtle")))),
        small("Strong", "Vary strong", "Four pictures that go their own way from this one", go(() => ask(varied(picture, "strong"))))),
      group("Refine",
        small("× 1.5", "Refine × 1.5", "The same picture half as large again, with finer detail", go(() => ask(refined(picture, 1.5)))),
        small("× 2", "Refine × 2", "The same picture twice as large, with finer detail", go(() => ask(refined(picture, 2))))),
      group("Use in",
        small("Rework", "Use in Rework", "Begin the next picture with this one", go(() => useIn("rework", picture))),
        small("Inpaint", "Use in Inpaint", "Change a part of it, or extend it", go(() => useIn("inpaint", picture))),
        small("Upscale", "Use in Upscale", "Make it larger", go(() => useIn("upscale", picture)))),
      ...looks(picture, see, group, small),
      ...saves(picture, group)),
    make("div.lm-acts.lm-acts-quiet", {},
      button("Draw again", "again", () => ask([picture.request, true]), { title: "Draw this very picture again" }),
      button("New seed", "dice", () => ask([{ ...picture.request, seed: undefined }, false]), { title: "The same settings, another picture" }),
      button("Use settings", "sliders", () => useSettings(picture), { title: "Put all of its settings into the form" }),
      button("Use seed", "seed", () => useSeed(picture), { title: "Put its seed into the form" }),
      button("Copy prompt", "copy", () => copy(promptOf(picture.request)), { title: "Copy what was typed" }),
      download,
      button("Delete", "trash", () => remove(picture, onGone), { title: "Delete, with a chance to undo" })),
  ];
}

function looks(picture, see, group, small) {
  const ways = [];
  if (before(picture)) ways.push(small("Before and after", "See before and after", "Beside the picture it was made from", () => see("compare")));
  if (picture.request.tile) ways.push(small("3 × 3", "See it repeat", "The picture beside itself, to look for seams", () => see("repeat")));
  return ways.length ? [group("See", ...ways)] : [];
}

// Files that plugins make of a picture. They come through a script, so that a refusal is a sentence and not a file.
function saves(picture, group) {
  const known = state.catalogue?.exports ?? [];
  const one = (kind) => {
    const made = make("button.lm-quiet", { type: "button", title: kind.help || `Save the picture as ${kind.label}`, "aria-label": `Save as ${kind.label}`, onclick: async () => {
      made.setAttribute("aria-busy", "true");
      made.disabled = true;
      try { save(await fetchFile(exportUrl(picture.id, kind.name))); } catch (refusal) { failed(refusal); }
      made.disabled = false;
      made.removeAttribute("aria-busy");
    } }, kind.label);
    return made;
  };
  return known.length ? [group("Save as", ...known.map(one))] : [];
}

function save({ name, blob }) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function ask([request, exact]) {
  try {
    const { id } = await api.draw(await request, exact);
    tell("asked", id);
  } catch (refusal) { failed(refusal); }
}

async function useSettings(picture) {
  if (await putRequest(picture.request)) toast("Its settings are in the form.");
}

function useSeed(picture) {
  put({ seed: picture.request.seed });
  toast(`Seed ${picture.request.seed} is in the form; empty its box for new pictures.`);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (refused) { // no permission, or a page that isn't on localhost or https
    const box = make("textarea", { readonly: true, class: "lm-hidden" });
    box.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  toast("The prompt is copied.");
}
