// Several pictures made larger one after the other: a list on the Upscale tab, with what came of each.

import { api, pictureUrl } from "./api.js";
import { button, make } from "./dom.js";
import { showJob } from "./stage.js";
import { on, RUNNING, state, tell } from "./store.js";
import { wantedSteps } from "./upscale.js";

const WORDS = { waiting: "Waits", busy: "Being enlarged …", done: "Done", failed: "" };
let items = []; // {file, url, state, note, picture}
let running = false;
const ended = new Map(); // job id -> what to do with it when it has ended

export const many = () => items.length > 0;

export function startBatch() {
  on("jobs", () => {
    for (const [id, done] of ended) {
      const job = state.jobs.get(id);
      if (job && !RUNNING.has(job.state)) { ended.delete(id); done(job); }
    }
  });
}

export function takeMany(files) {
  clear();
  items = [...files].map((file) => ({ file, url: URL.createObjectURL(file), state: "waiting", note: "", picture: null }));
  tell("start");
}

export function clear() {
  for (const item of items) URL.revokeObjectURL(item.url);
  items = [];
  running = false;
}

async function run() {
  if (items.every((item) => item.state === "done")) for (const item of items) item.state = "waiting";
  running = true;
  tell("batch");
  const mine = items;
  for (const item of mine.filter((one) => one.state !== "done")) {
    if (!running || items !== mine) break;
    item.state = "busy";
    tell("batch");
    try {
      const { sha } = await api.bring(item.file, { name: item.file.name });
      const { id } = await api.draw({ model: state.values.model, start: { kind: "as_is", image: sha }, finish: wantedSteps(state.values.finish) });
      showJob(id);
      const job = await new Promise((resolve) => ended.set(id, resolve));
      if (job.state !== "finished") throw new Error(job.error ?? "It was stopped.");
      Object.assign(item, { state: "done", picture: job.images[0] });
    } catch (refusal) {
      Object.assign(item, { state: "failed", note: refusal.message });
    }
    tell("batch");
  }
  if (items === mine) running = false;
  tell("batch");
}

// The saved file under the name that the picture came with.
async function save(item) {
  const blob = await (await fetch(pictureUrl(item.picture.id))).blob();
  const link = make("a", { href: URL.createObjectURL(blob), download: `${item.file.name.replace(/\.[^.]+$/, "")}-${item.picture.width}x${item.picture.height}.png` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function saveAll() {
  for (const item of items.filter((one) => one.state === "done")) await save(item);
}

export function batchCard() {
  const head = make("strong");
  const list = make("ul.lm-batch-list", { "aria-label": "Pictures to enlarge" }, ...items.map(row));
  const go = make("button.lm-button.lm-batch-go", { type: "button", onclick: () => { if (running) stop(); else run(); } });
  const all = button("Download all", "download", saveAll);
  const box = make("div.lm-batch", {}, make("div.lm-field-head", {}, head, button("Remove", "close", () => { clear(); tell("start"); }, { "aria-label": "Remove these pictures" })), list, make("div.lm-batch-tools", {}, go, all));
  box.update = () => {
    const done = items.filter((item) => item.state === "done").length;
    head.textContent = done || running ? `${done} of ${items.length} pictures are done` : `${items.length} pictures`;
    go.textContent = running ? "Stop after this one" : done === items.length ? "Enlarge them again" : `Upscale ${items.length - done === items.length ? "all" : "the others"}`;
    all.hidden = done === 0;
    for (const one of list.children) one.update();
  };
  box.update();
  return box;
}

function stop() {
  running = false;
  tell("batch");
}

function row(item) {
  const words = make("span.lm-batch-state", { role: "status" });
  const get = button("Download", "download", () => save(item), { "aria-label": `Download ${item.file.name}`, class: "lm-quiet lm-icon" });
  const line = make("li", {}, make("img", { src: item.url, alt: "", draggable: "false", onerror: (event) => { event.target.style.visibility = "hidden"; } }), make("span.lm-batch-name", { title: item.file.name }, item.file.name), get, words);
  line.update = () => {
    line.dataset.state = item.state;
    words.textContent = item.note && item.state === "failed" ? item.note : item.state === "done" ? `${item.picture.width} × ${item.picture.height}` : WORDS[item.state];
    get.hidden = item.state !== "done";
  };
  line.update();
  return line;
}
