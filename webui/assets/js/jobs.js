// The queue: what waits with its place, what runs, and what a closed studio left behind.

import { api } from "./api.js";
import { button, byId, icon, make, setText } from "./dom.js";
import { promptOf, shownDrawing } from "./drawing.js";
import { runAgain, showJob } from "./stage.js";
import { on, state } from "./store.js";
import { failed, say } from "./toast.js";

export function startJobs() {
  on("jobs shown", render);
  byId("lm-stop").addEventListener("click", stop);
  byId("lm-skip").addEventListener("click", skip);
}

export const active = () => [...state.jobs.values()].filter((job) => job.state === "running" || job.state === "queued");

// What Esc and the Stop button mean: the drawing on the stage if it runs, else the one that runs.
export function toStop() {
  const shown = shownDrawing();
  return shown?.live ? shown : active().find((job) => job.state === "running") ?? active()[0] ?? null;
}

export async function stop() {
  const job = toStop();
  if (job) await cancel(job.id);
  return Boolean(job);
}

// The drawing of several pictures one of which can be skipped while the others go on.
function toSkip() {
  const job = toStop();
  return job?.state === "running" && (job.request.count ?? 1) - (job.skipped?.length ?? 0) > 1 ? job : null;
}

const chosenIn = (job) => (shownDrawing()?.id === job.id && !job.skipped?.includes(state.toSkip) ? state.toSkip : null);

export async function skip() {
  const job = toSkip();
  if (!job) return false;
  const picture = chosenIn(job);
  state.toSkip = null;
  try {
    await api.skip(job.id, picture);
    say(picture === null ? "One picture is skipped, the others go on." : `Picture ${picture + 1} is skipped, the others go on.`);
  } catch (refusal) { failed(refusal); }
  return true;
}

function offerSkip() {
  const job = toSkip();
  const box = byId("lm-skip");
  box.hidden = !job;
  if (!job) return;
  const picture = chosenIn(job);
  setText(box.querySelector("span"), picture === null ? "Skip" : `Skip ${picture + 1}`);
  box.title = picture === null ? "Give up the first picture that is being drawn; click another one to choose it" : `Give up picture ${picture + 1}, and go on with the others`;
}

async function cancel(id) {
  try { await api.cancel(id); } catch (refusal) { failed(refusal); }
}

function render() {
  byId("lm-stop").hidden = !toStop();
  byId("lm-draw-hint").hidden = Boolean(toStop());
  offerSkip();
  const shown = shownDrawing();
  const running = active();
  const waiting = running.length > 1 || (running.length === 1 && running[0].id !== shown?.id) ? running : [];
  list("lm-jobs", waiting.map((job) => row(job)));
  const broken = [...state.jobs.values()].filter((job) => job.state === "interrupted");
  list("lm-interrupted", broken.map((job) => row(job)));
}

function list(id, rows) {
  const section = byId(id);
  section.hidden = rows.length === 0;
  const box = section.querySelector("ul");
  const old = new Map([...box.children].map((element) => [element.dataset.id, element]));
  const next = rows.map(({ job, text }) => {
    const element = old.get(job.id) ?? build(job);
    setText(element.querySelector(".lm-job-state"), text);
    const preview = job.previews.find(Boolean);
    const image = element.querySelector("img");
    if (preview && image.src !== preview) image.src = preview;
    image.hidden = !preview;
    element.dataset.state = job.state;
    element.style.setProperty("--part", job.steps ? job.step / job.steps : 0);
    return element;
  });
  if (next.length !== box.children.length || next.some((element, at) => box.children[at] !== element)) box.replaceChildren(...next);
}

function row(job) {
  if (job.state === "running") return { job, text: job.steps ? `${Math.round((job.step / job.steps) * 100)} %` : "Starting" };
  if (job.state === "interrupted") return { job, text: "Interrupted" };
  return { job, text: job.place > 0 ? `${job.place} before it` : "Next" };
}

function build(job) {
  const prompt = promptOf(job.request);
  const open = make("button.lm-job-open", { type: "button", title: "Show on the stage", onclick: () => showJob(job.id) },
    make("img", { alt: "", hidden: true }), make("span.lm-job-prompt", {}, prompt), make("span.lm-job-state"));
  const element = make("li", { "data-id": job.id }, open);
  if (job.state === "interrupted") {
    element.append(button("Run again", "again", () => runAgain(job.id), { "aria-label": `Run again: ${prompt}` }));
  }
  const label = job.state === "interrupted" ? `Forget: ${prompt}` : `Cancel: ${prompt}`;
  element.append(make("button.lm-quiet.lm-icon", { type: "button", "aria-label": label, title: label, onclick: () => cancel(job.id) }, icon("close")));
  return element;
}
