// The stage: the drawing that is being watched, from the first preview to the finished pictures.

import { actionsFor } from "./actions.js";
import { api, pictureUrl } from "./api.js";
import { before, compared, masked, proof } from "./compare.js";
import { button, byId, icon, make, setText } from "./dom.js";
import { duration, factsOf, ofPictures, promptOf, shownDrawing, sizeOf } from "./drawing.js";
import { openLightbox } from "./lightbox.js";
import { noted } from "./noted.js";
import { deleted } from "./removal.js";
import { on, RUNNING, state, tell } from "./store.js";
import { failed, say } from "./toast.js";

export function show(shown) {
  state.shown = shown;
  state.picked = 0;
  state.toSkip = null;
  tell("shown");
}

export const showJob = (id) => show({ kind: "job", id });
export const showPictures = (pictures) => show({ kind: "drawing", drawing: ofPictures(pictures) });

const mine = new Set(); // the jobs that were asked for on this page

export function startStage() {
  on("shown jobs catalogue gone form", render);
  on("job-state", announce);
  on("job-state", ({ job }) => { if (job.state === "running" && mine.has(job.id) && !shownDrawing()?.live) showJob(job.id); });
  on("asked", (id) => {
    mine.add(id);
    if (shownDrawing()?.live) return; // it waits in the queue, and comes to the stage when its turn comes
    showJob(id);
    if (matchMedia("(max-width: 899px)").matches) byId("lm-stage").scrollIntoView({ behavior: motion(), block: "start" });
  });
  setInterval(() => { if (shownDrawing()?.live) status(shownDrawing()); }, 1000);
}

export const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

// Which drawing a page that was just opened shows: what runs, else what was drawn last, else the examples.
export async function showFirst() {
  const jobs = [...state.jobs.values()];
  const running = jobs.filter((job) => RUNNING.has(job.state));
  const first = running.find((job) => job.state === "running") ?? running[0];
  if (first) { showJob(first.id); return; }
  try {
    const { pictures } = await api.pictures("", null);
    if (state.shown) return; // somebody pressed Draw in the meantime
    const together = pictures.filter((picture) => picture.job === pictures[0].job);
    if (together.length) showPictures(together); else show({ kind: "examples" });
  } catch (refusal) { show({ kind: "examples" }); }
}

// ---- drawing it

function render() {
  if (!state.shown) return;
  const drawing = shownDrawing();
  const stage = byId("lm-stage");
  stage.dataset.mode = drawing ? drawing.state : "examples";
  byId("lm-empty").hidden = Boolean(drawing);
  byId("lm-body").hidden = byId("lm-under").hidden = !drawing;
  if (!drawing) return;
  grid(drawing);
  status(drawing);
  under(drawing);
}

function grid(drawing) {
  const box = byId("lm-grid");
  const { width, height } = sizeOf(drawing.request, drawing.images);
  box.dataset.count = drawing.count;
  box.style.setProperty("--ratio", width / height);
  box.classList.toggle("lm-wide-tiles", width / height > 1.9);
  if (comparison(box, drawing)) return;
  if (box.dataset.of !== drawing.id || box.children.length !== drawing.count) {
    box.dataset.of = drawing.id;
    box.replaceChildren(...Array.from({ length: drawing.count }, (_, at) => tile(at)));
  }
  [...box.children].forEach((element, at) => fillTile(element, drawing, at));
}

// A single picture that was made from another one is shown with it.
function comparison(box, drawing) {
  const [picture] = drawing.images;
  if (drawing.count !== 1 || !picture || deleted.has(picture.id) || !before(picture)) return false;
  const key = `${drawing.id} compared`;
  box.style.setProperty("--ratio", picture.width / picture.height);
  if (box.dataset.of !== key) {
    box.dataset.of = key;
    box.replaceChildren(make("div.lm-tile.lm-tile-compare", { "data-state": "finished" }, compared(picture, promptOf(drawing.request))));
  }
  return true;
}

function tile(at) {
  const element = make("button.lm-tile", { type: "button" }, make("span.lm-tile-number", { "aria-hidden": "true" }, String(at + 1)));
  element.addEventListener("click", () => {
    if (shownDrawing()?.live) { choose(at); return; }
    if (state.picked === at && shownDrawing()?.images[at]) enlarge(at); else pick(at);
  });
  element.addEventListener("dblclick", () => enlarge(at));
  return element;
}

// Of several pictures that are being drawn, one can be chosen, and skipped.
function choose(at) {
  const drawing = shownDrawing();
  if (drawing.count < 2 || drawing.skipped.includes(at)) return;
  state.toSkip = state.toSkip === at ? null : at;
  tell("shown");
}

function fillTile(element, drawing, at) {
  const picture = drawing.images[at];
  const prompt = promptOf(drawing.request);
  const away = picture && deleted.has(picture.id);
  const skipped = !picture && drawing.skipped?.includes(at);
  const wanted = away || skipped ? null : picture ? pictureUrl(picture.id) : drawing.previews[at] ?? null;
  const stopped = !drawing.live && !picture;
  element.dataset.state = away ? "gone" : picture ? "finished" : skipped ? "skipped" : stopped ? "stopped" : wanted ? "preview" : "waiting";
  const chosen = drawing.live ? state.toSkip === at && !skipped : state.picked === at && Boolean(picture) && !away;
  element.setAttribute("aria-pressed", String(chosen));
  const what = picture ? "" : skipped ? ", skipped" : drawing.live ? ", being drawn" : ", not finished";
  element.setAttribute("aria-label", away ? `Picture ${at + 1}, deleted` : `Picture ${at + 1} of ${drawing.count}${what}: ${prompt}`);
  swap(element, wanted, picture ? prompt : "", drawing);
}

// A finished picture takes the place of its preview only once it is loaded, so nothing flickers.
function swap(element, url, alt) {
  const shown = element.querySelector("img");
  if (!url) { shown?.remove(); element.dataset.url = ""; return; }
  if (element.dataset.url === url) return;
  element.dataset.url = url;
  if (url.startsWith("data:") && shown) { shown.src = url; return; }
  const image = make("img", { alt, decoding: "async", draggable: "false" });
  image.onload = () => { if (element.dataset.url === url) { element.querySelector("img")?.remove(); element.prepend(image); } };
  image.onerror = () => { if (element.dataset.url === url) element.dataset.state = "missing"; };
  image.src = url;
}

function status(drawing) {
  const bar = byId("lm-progress");
  bar.hidden = !drawing.live;
  const part = drawing.steps ? drawing.step / drawing.steps : 0;
  bar.setAttribute("aria-valuenow", String(Math.round(part * 100)));
  bar.classList.toggle("lm-unsure", drawing.phase !== "denoising");
  byId("lm-progress-bar").style.transform = `scaleX(${part})`;
  setText(byId("lm-status-text"), statusText(drawing));
  const left = drawing.live ? drawing.eta_s : null;
  setText(byId("lm-status-left"), left !== null && left !== undefined ? `about ${duration(Math.max(1, left))} left` : "");
  byId("lm-under").dataset.state = drawing.state;
}

const PHASES = { loading: "Loading the model", encoding: "Reading the prompt", decoding: "Finishing the pictures", saving: "Saving" };

function statusText(drawing) {
  if (drawing.state === "queued") {
    if (drawing.place > 0) return `Waiting: ${drawing.place} before this one`;
    return state.engine.state === "ready" ? "Next in line" : "Waiting for the engine";
  }
  if (drawing.state === "running") {
    if (drawing.phase === "denoising") return `Step ${drawing.step} of ${drawing.steps}`;
    return PHASES[drawing.phase] ?? "Starting";
  }
  if (drawing.state === "cancelled") return "Stopped. Nothing was saved.";
  if (drawing.state === "interrupted") return "The studio was closed while this was drawn.";
  if (drawing.state === "failed") return "This didn’t work.";
  const total = drawing.seconds?.total; // of all phases, without the wait before them
  return total ? `Drawn in ${duration(total)}` : "";
}

function under(drawing) {
  const picture = picked(drawing);
  const key = JSON.stringify([drawing.id, drawing.state, picture?.id, drawing.error, drawing.note, picture && deleted.has(picture.id)]);
  const actions = byId("lm-actions");
  if (actions.dataset.key === key) return;
  actions.dataset.key = key;
  const see = (mode) => enlarge(drawing.images.indexOf(picture), mode);
  actions.replaceChildren(...(picture ? actionsFor(picture, { see }) : remedies(drawing)));
  actions.hidden = actions.children.length === 0;
  byId("lm-status-proof").replaceChildren(...(picture && masked(picture) ? [proof(picture)] : []));
  byId("lm-caption").replaceChildren(...caption(drawing, picture));
}

function picked(drawing) {
  const picture = drawing.images[state.picked] ?? drawing.images[0];
  return picture && !deleted.has(picture.id) ? picture : drawing.images.find((other) => !deleted.has(other.id));
}

function remedies(drawing) {
  if (drawing.live || drawing.images.length) return [];
  const again = drawing.state === "cancelled" ? "Draw again" : "Run again";
  return [
    button(again, "again", () => runAgain(drawing.id)),
    button("Show examples", "grid", () => show({ kind: "examples" })),
  ];
}

export async function runAgain(id) {
  try {
    const answer = await api.again(id);
    tell("asked", answer.id);
  } catch (refusal) { failed(refusal); }
}

function caption(drawing, picture) {
  const request = picture?.request ?? drawing.request;
  const parts = [];
  if (drawing.error) parts.push(make("p.lm-problem", {}, icon("alert"), make("span", {}, drawing.error)));
  if (drawing.note) parts.push(make("p.lm-note", {}, drawing.note));
  parts.push(make("p.lm-caption-prompt", {}, promptOf(request)));
  parts.push(make("p.lm-facts", {}, factsOf(request, picture).join("  ·  ")));
  if (request.written?.prompt && request.written.prompt !== request.prompt) {
    parts.push(make("details.lm-final", {}, make("summary", {}, "The prompt as drawn"), make("p", {}, request.prompt), request.negative ? make("p.lm-dim", {}, `Leave out: ${request.negative}`) : null));
  }
  if (picture && state.catalogue?.notes) parts.push(noted(picture));
  return parts;
}

// ---- picking

export function pick(at) {
  const drawing = shownDrawing();
  if (!drawing?.images[at]) return false;
  state.picked = at;
  render();
  byId("lm-grid").children[at]?.focus({ preventScroll: true });
  return true;
}

function enlarge(at, mode) {
  const drawing = shownDrawing();
  const pictures = drawing?.images.filter((picture) => !deleted.has(picture.id)) ?? [];
  const chosen = drawing?.images[at];
  if (chosen && !deleted.has(chosen.id)) openLightbox(pictures, pictures.indexOf(chosen), { mode });
}

function announce({ job, opening }) {
  const what = promptOf(job.request);
  if (opening && job.state !== "running") return;
  if (job.state === "running") say(`Drawing ${what}.`);
  if (job.state === "finished") say(`${job.images.length === 1 ? "One picture is" : `${job.images.length} pictures are`} finished: ${what}.`);
  if (job.state === "failed") say(`${what} didn’t work. ${job.error ?? ""}`);
  if (job.state === "cancelled") say(`Stopped: ${what}.`);
}
