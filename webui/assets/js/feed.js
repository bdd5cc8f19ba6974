// What the studio tells of this person's jobs, live. A tab only watches: closing it stops nothing.

import { api } from "./api.js";
import { state, tell } from "./store.js";

export async function follow() {
  await refresh();
  if (window.SharedWorker) {
    const worker = new SharedWorker(new URL("./feed.worker.js", import.meta.url), { name: "limner-feed" });
    worker.port.onmessage = (event) => heard(event.data);
    worker.port.start();
    addEventListener("pagehide", () => worker.port.postMessage("bye"));
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  } else {
    followAlone();
  }
}

// Without shared workers each tab needs a stream of its own, so only tabs in view keep one.
function followAlone() {
  let source = null;
  const listen = () => {
    source = new EventSource("/limner/events");
    source.onopen = () => heard({ connected: true });
    source.onmessage = (event) => heard({ data: JSON.parse(event.data) });
    source.onerror = () => {
      heard({ connected: false });
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    };
  };
  const look = () => {
    if (document.hidden) { source?.close(); source = null; } else if (!source) listen();
  };
  document.addEventListener("visibilitychange", look);
  look();
}

export async function refresh() {
  try { apply(await api.state()); } catch (refusal) { connection(false); }
}

function heard({ data, connected }) {
  if (connected !== undefined) {
    if (connected && !state.connected) refresh();
    connection(connected);
  }
  if (data) apply(data);
}

function connection(connected) {
  if (state.connected === connected) return;
  state.connected = connected;
  tell("engine");
}

// Each message is the whole state; a finished picture or a new state of a job is told to whoever wants to know. What the
// first message says is the past, seen as the page opens. A quick job may be through when a later one first names it.
export function apply(message) {
  const opening = state.role === null;
  state.role = message.role;
  state.engine = message.engine;
  state.connected = true;
  const before = state.jobs;
  state.jobs = new Map(message.jobs.map((job) => [job.id, merge(before.get(job.id), job)]));
  tell("engine");
  for (const job of state.jobs.values()) {
    const old = before.get(job.id);
    if (old?.state !== job.state) tell("job-state", { job, opening });
  }
  tell("jobs");
}

// Between two steps a job has nothing new to see: what was seen last stays.
function merge(before, job) {
  return job.previews.length || !before ? job : { ...job, previews: before.previews };
}
