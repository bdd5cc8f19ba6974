// Starts the page: once Gradio has put the shells in place, each part fills its own.

import { api } from "./api.js";
import { startBatch } from "./batch.js";
import { startBegin } from "./begin.js";
import { startCanvas } from "./canvas.js";
import { startChoices } from "./choices.js";
import { startControls } from "./controls.js";
import { byId, dressIcons } from "./dom.js";
import { startDrop } from "./drop.js";
import { startEngine } from "./engine.js";
import { startExamples } from "./examples.js";
import { follow } from "./feed.js";
import { startExpansion } from "./expansion.js";
import { startFinishing } from "./finishing.js";
import { bridge, input } from "./form.js";
import { startInputs } from "./inputs.js";
import { startJobs } from "./jobs.js";
import { startKeys } from "./keys.js";
import { startLightbox } from "./lightbox.js";
import { startLoras } from "./loras.js";
import { startPlugins } from "./plugins.js";
import { startModels } from "./models.js";
import { startRecent } from "./recent.js";
import { trackDeleted } from "./removal.js";
import { showFirst, startStage } from "./stage.js";
import { startStarts } from "./starts.js";
import { on, state, tell } from "./store.js";
import { startStyles } from "./styles.js";
import { startTabs } from "./tabs.js";
import { startTheme } from "./theme.js";
import { failed } from "./toast.js";
import { startUpscale } from "./upscale.js";
import { startVocabulary } from "./vocabulary.js";
import { startWords } from "./words.js";

const SHELLS = ["lm-engine", "lm-draw", "lm-chips", "lm-tabs", "lm-start", "lm-loras-place", "lm-finishing-place", "lm-advanced-toggle", "lm-easel", "lm-stop", "lm-quality", "lm-styles", "lm-numbers-toggle", "lm-stage", "lm-jobs", "lm-tiles", "lm-models", "lm-toasts"];
const INPUTS = ["prompt", "negative", "model", "steps", "guidance", "width", "height", "seed", "count", "sampler", "schedule", "clip_skip", "variation_strength"];

function shells() {
  return new Promise((resolve) => {
    // A block of Gradio's is there before its input is: each kind of input arrives as a file of its own.
    const there = () => SHELLS.every((id) => byId(id)) && INPUTS.every((name) => input(name));
    if (there()) { resolve(); return; }
    const watcher = new MutationObserver(() => { if (there()) { watcher.disconnect(); resolve(); } });
    watcher.observe(document.documentElement, { childList: true, subtree: true });
  });
}

async function catalogue() {
  for (let wait = 1000; !state.catalogue; wait *= 2) {
    try {
      state.catalogue = await api.catalogue();
      tell("catalogue");
    } catch (refusal) {
      failed(refusal);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

async function start() {
  const choices = catalogue();
  await shells();
  dressIcons();
  trackDeleted(on);
  for (const part of [startTheme, startStarts, startTabs, startInputs, startCanvas, startBatch, startBegin, startLoras, startControls, startModels, startUpscale, startFinishing, startPlugins, startEngine, startStage, startJobs, startLightbox, startChoices, startStyles, startExpansion, startWords, startVocabulary, startExamples, startDrop, startKeys]) part();
  Object.assign(window.limner, bridge);
  window.limner.isReady(bridge);
  if (state.catalogue) tell("catalogue");
  await follow();
  await showFirst();
  await startRecent();
  await choices;
  document.documentElement.dataset.limner = "ready";
  if (!document.activeElement || document.activeElement === document.body) input("prompt")?.focus({ preventScroll: true });
}

start();
