// What can be done with one picture; the same row of buttons stands under the stage and in the large view.

import { api, pictureUrl } from "./api.js";
import { button, icon, make } from "./dom.js";
import { promptOf } from "./drawing.js";
import { put, putRequest } from "./form.js";
import { state, tell } from "./store.js";
import { failed, say, toast } from "./toast.js";

export function actionsFor(picture, { onGone } = {}) {
  const download = make(
    "a.lm-quiet", { href: `${pictureUrl(picture.id)}?download=1`, download: "", title: "Save the picture’s own file" },
    icon("download"), make("span", {}, "Download"),
  );
  return [
    button("Draw again", "again", () => redraw(picture.request, true), { title: "Draw this very picture again" }),
    button("New seed", "dice", () => redraw({ ...picture.request, seed: undefined }, false), { title: "The same settings, another picture" }),
    button("Use settings", "sliders", () => useSettings(picture), { title: "Put all of its settings into the form" }),
    button("Use seed", "seed", () => useSeed(picture), { title: "Put its seed into the form" }),
    button("Copy prompt", "copy", () => copy(promptOf(picture.request)), { title: "Copy what was typed" }),
    download,
    button("Delete", "trash", () => remove(picture, onGone), { title: "Delete, with a chance to undo" }),
  ];
}

async function redraw(request, exact) {
  try {
    const { id } = await api.draw(request, exact);
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

const bus = "BroadcastChannel" in window ? new BroadcastChannel("limner") : null;

export async function remove(picture, onGone) {
  try {
    await api.remove(picture.id);
  } catch (refusal) { failed(refusal); return; }
  gone({ id: picture.id, gone: true });
  onGone?.();
  say("The picture is deleted.");
  toast("The picture is deleted.", {
    action: "Undo",
    seconds: 10,
    onAction: async () => {
      try {
        await api.restore(picture.id);
        gone({ id: picture.id, gone: false });
        say("The picture is back.");
      } catch (refusal) { failed(refusal); }
    },
  });
}

function gone(change) {
  bus?.postMessage(change);
  tell("gone", change);
}

if (bus) bus.onmessage = (event) => tell("gone", event.data);

export const deleted = new Set();
export function trackDeleted(on) {
  on("gone", ({ id, gone: away }) => { if (away) deleted.add(id); else deleted.delete(id); });
  return state;
}
