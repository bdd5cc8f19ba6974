// How the engine is: a quiet mark when all is well, a sentence when it isn't.

import { byId, setText } from "./dom.js";
import { on, state } from "./store.js";

const WORDS = { connecting: "Connecting", installing: "Installing", starting: "Starting", ready: "Ready", restarting: "Restarting", failed: "Engine failed", away: "No connection" };
const TELLING = {
  installing: "You can look around and prepare a drawing meanwhile.",
  restarting: "Jobs go on by themselves.",
  failed: "Pictures that are saved are safe. Start the studio again; if it happens again, “launch.py doctor” says why.",
};

export function startEngine() {
  on("engine", render);
  setTimeout(() => { if (!state.connected) render(); }, 3000);
}

function render() {
  const now = state.connected ? state.engine.state : "away";
  const mark = byId("lm-engine");
  if (mark.dataset.state !== now) mark.dataset.state = now;
  setText(byId("lm-engine-text"), WORDS[now] ?? now);
  mark.title = state.engine.note ?? "";
  const banner = byId("lm-banner");
  const text = now === "away"
    ? "The studio doesn’t answer. Look whether its window is still open; this page connects again by itself."
    : [state.engine.note, TELLING[now]].filter(Boolean).join(" ");
  banner.hidden = now === "ready" || now === "starting" || !text;
  banner.dataset.state = now;
  setText(banner, banner.hidden ? "" : text);
}
