// What the stage shows, as one shape: a job of now, or pictures of earlier that were drawn together.

import { state } from "./store.js";

export function shownDrawing() {
  const shown = state.shown;
  if (shown?.kind === "job") return ofJob(state.jobs.get(shown.id)) ?? shown.last ?? null;
  if (shown?.kind === "drawing") return shown.drawing;
  return null;
}

function ofJob(job) {
  if (!job) return null;
  // Of a job that is done only what was drawn is left to see: pictures may have been skipped.
  const count = job.state === "finished" && job.images.length ? job.images.length : job.request.count ?? 1;
  const drawing = { ...job, count, live: job.state === "queued" || job.state === "running" };
  state.shown.last = drawing; // the studio forgets ended jobs after some minutes; the page need not
  return drawing;
}

export function ofPictures(pictures) {
  const sorted = [...pictures].sort((one, other) => (one.request.seed ?? 0) - (other.request.seed ?? 0));
  return { id: sorted[0].job, state: "finished", live: false, images: sorted, count: sorted.length, request: sorted[0].request, seconds: {}, previews: [], skipped: [] };
}

export const promptOf = (request) => request.written?.prompt || request.prompt || "";

export function sizeOf(request, images = []) {
  const [width, height] = images[0]?.width ? [images[0].width, images[0].height] : request.size ?? [1, 1];
  return { width, height };
}

// A finished picture knows its own size, which a second pass or the picture it began with makes another than asked for.
export function factsOf(request, picture = null) {
  const sampling = request.sampling ?? {};
  const { width, height } = picture?.width ? picture : sizeOf(request);
  const facts = [request.size || picture?.width ? `${width} × ${height}` : null];
  if (sampling.steps) facts.push(`${sampling.steps} steps`);
  if (sampling.guidance) facts.push(`guidance ${sampling.guidance}`);
  if (sampling.sampler && sampling.sampler !== "auto") facts.push(samplerLabel(sampling.sampler));
  if (request.seed !== undefined) facts.push(`seed ${request.seed}`);
  if (request.variation) facts.push(`varied by ${Math.round(100 * (request.variation.strength ?? 0.2))} %`);
  return facts.filter(Boolean);
}

export function samplerLabel(name) {
  return state.catalogue?.samplers.find((one) => one.name === name)?.label ?? name;
}

export function duration(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
