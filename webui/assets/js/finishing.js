// Finishing: what plugins do to a picture after it is drawn, in an order that the designer chooses; and the plugins'
// own options of a drawing.

import { byId, button, make } from "./dom.js";
import { put } from "./form.js";
import { optionsForm } from "./options.js";
import { on, state } from "./store.js";

const known = () => state.catalogue?.finish ?? [];
const parsed = (name, empty) => { try { return JSON.parse(state.values[name] || empty); } catch (broken) { return JSON.parse(empty); } };
const steps = () => parsed("finish", "[]");
const extras = () => parsed("extras", "{}");
const putSteps = (next) => put({ finish: next.length ? JSON.stringify(next) : "" });

export function startFinishing() {
  on("form catalogue", render);
}

function render() {
  const place = byId("lm-finishing-place");
  const now = steps();
  // Sliders change values all the time: only another list of steps builds the forms anew.
  const key = JSON.stringify([known().map((step) => step.name), now.map((step) => step.name), (state.catalogue?.options ?? []).map((one) => one.plugin), Object.keys(extras())]);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.replaceChildren(...(known().length ? [finish(now)] : []), ...options());
}

function finish(now) {
  const add = make("select#lm-finish-add.lm-input", { "aria-label": "Add a finishing step", onchange: () => { putSteps([...steps(), { name: add.value }]); } },
    make("option", { value: "", selected: true, disabled: true }, "Add a finishing step …"),
    ...known().map((step) => make("option", { value: step.name, title: step.help }, step.label)));
  return make("section.lm-finish", { "aria-label": "Finishing" }, make("div.lm-field-head", {}, make("h2.lm-legend", {}, "Finishing")),
    make("ol.lm-finish-steps", {}, ...now.map((step, at) => card(step, at, now.length))), add);
}

function card(step, at, count) {
  const about = known().find((one) => one.name === step.name);
  const label = about?.label ?? step.name;
  const move = (by) => { const next = steps(); const [one] = next.splice(at, 1); next.splice(at + by, 0, one); putSteps(next); };
  const tools = make("span.lm-finish-tools", {},
    at > 0 ? button("Earlier", "left", () => move(-1), { "aria-label": `${label} earlier`, class: "lm-quiet lm-icon lm-up" }) : null,
    at < count - 1 ? button("Later", "right", () => move(1), { "aria-label": `${label} later`, class: "lm-quiet lm-icon lm-down" }) : null,
    button("Remove", "close", () => putSteps(steps().filter((_, index) => index !== at)), { "aria-label": `Remove ${label}`, class: "lm-quiet lm-icon" }));
  const change = (options) => putSteps(steps().map((one, index) => (index === at ? { name: one.name, ...(Object.keys(options).length ? { options } : {}) } : one)));
  return make("li.lm-finish-step", { "data-step": step.name }, make("div.lm-field-head", {}, make("strong", {}, label), tools),
    about ? optionsForm(about.form, step.options ?? {}, change) : make("p.lm-muted", {}, "No active plugin has this step."));
}

function options() {
  return (state.catalogue?.options ?? []).map((one) => {
    const change = (values) => {
      const next = { ...extras() };
      if (Object.keys(values).length) next[one.plugin] = values;
      else delete next[one.plugin];
      put({ extras: Object.keys(next).length ? JSON.stringify(next) : "" });
    };
    return make("details.lm-plugin-options", { open: one.plugin in extras() }, make("summary.lm-legend", {}, one.title), one.description ? make("p.lm-muted", {}, one.description) : null, optionsForm(one.form, extras()[one.plugin] ?? {}, change));
  });
}
