// Deleting a picture, and taking that back; all tabs of this browser hear of it.

import { api } from "./api.js";
import { tell } from "./store.js";
import { failed, say, toast } from "./toast.js";

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
}
