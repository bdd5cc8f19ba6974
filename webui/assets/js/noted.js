// What plugins noted about a picture when it was saved: how near its areas are to a brand's colours, what made it.

import { api } from "./api.js";
import { make } from "./dom.js";

// Its facts stand in the file itself, so they are fetched when somebody wants to read them.
export function noted(picture) {
  const list = make("dl.lm-noted");
  const box = make("details.lm-final", {}, make("summary", {}, "What plugins noted"), list);
  box.addEventListener("toggle", async () => {
    if (!box.open || list.childElementCount) return;
    try {
      const { facts } = await api.noted(picture.id);
      list.replaceChildren(...(facts.length ? facts.map(row) : [make("div", {}, make("dd", {}, "Nothing."))]));
    } catch (refusal) {
      list.replaceChildren(make("div", {}, make("dd", {}, refusal.message)));
    }
  });
  return box;
}

function row({ plugin, name, value }) {
  const colour = /^#[0-9a-f]{6}$/.test(name) ? make("span.lm-noted-colour", { "aria-hidden": "true" }) : null;
  if (colour) colour.style.background = name;
  return make("div", {}, make("dt", {}, `${plugin} · `, colour, name.replaceAll("_", " ")), make("dd", {}, value));
}
