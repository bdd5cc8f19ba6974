// Requests that go on from a finished picture: close to it, away from it, or larger.

import { api } from "./api.js";
import { model, state } from "./store.js";

const TURNED = { subtle: 0.12, strong: 0.4 };
const REDRAWN = { subtle: 0.35, strong: 0.65 };
const GONE_OVER = 0.4;
// How much a larger picture may differ from the first; the model's card knows how much it bears.
export const finer = (id) => (state.catalogue?.models.find((one) => one.id === id) ?? model())?.refine_strength ?? 0.35;
const SEEDS = 2 ** 32;

// Four pictures around one: its noise is turned towards other seeds. The noise of a picture that was varied itself, or
// grew from another one, says little about it, so those begin with the picture.
export function varied(picture, how) {
  const { request } = picture;
  const count = Math.min(4, state.catalogue?.max_count ?? 4);
  if (!request.variation && !request.start) {
    const seed = Math.floor(Math.random() * (SEEDS - 16));
    return [{ ...request, count, variation: { seed, strength: TURNED[how] } }, false];
  }
  return [begun(picture, count, REDRAWN[how]), false];
}

async function begun({ id, request, width, height }, count, strength) {
  const { sha } = await api.bringSaved(id);
  const { variation, seed, refine, start, finish, ...rest } = request;
  return { ...rest, size: size(width, height, request), count, start: { kind: "image", image: sha, strength } };
}

// The same picture with a second, larger pass over it. One that was changed in parts would be drawn in parts again, so
// like one that was only enlarged it is taken as it is and gone over at the larger size.
export function refined(picture, scale) {
  if (["inpaint", "outpaint", "as_is"].includes(picture.request.start?.kind)) return [enlarged(picture, scale), false];
  return [{ ...picture.request, refine: { strength: finer(picture.request.model), ...picture.request.refine, scale } }, false];
}

async function enlarged(picture, scale) {
  const grid = (side) => Math.round((side * scale) / 8) * 8;
  return { ...await begun(picture, 1, GONE_OVER), size: [grid(picture.width), grid(picture.height)] };
}

const size = (width, height, request) => (width % 8 || height % 8 ? request.size : [width, height]);
