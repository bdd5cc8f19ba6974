// A form for options that a plugin declares as data. Each kind of option has one kind of control.

import { api } from "./api.js";
import { make } from "./dom.js";
import { slider } from "./slider.js";
import { failed } from "./toast.js";

// `values` holds what differs from the defaults; `changed(values)` gets all of it anew after every change.
export function optionsForm(form, values, changed) {
  const now = { ...values };
  const set = (param, value) => {
    if (value === param.default) delete now[param.name];
    else now[param.name] = value;
    changed({ ...now });
  };
  const read = (param) => now[param.name] ?? param.default;
  return make("div.lm-options", {}, ...form.map((param) => field(param, () => read(param), (value) => set(param, value))));
}

const named = (option) => option.charAt(0).toUpperCase() + option.slice(1).replaceAll("_", " ");
const shownNumber = (param) => (value) => (param.whole || param.step >= 1 ? String(Math.round(value)) : Number(value).toFixed(2));

function field(param, value, set) {
  const kind = { number, choice, toggle, text, color, imageinput: picture }[param.kind];
  const box = kind ? kind(param, value, set) : make("div");
  if (param.help) box.title = param.help;
  return box;
}

function number(param, value, set) {
  return slider({ label: param.label, min: param.minimum, max: param.maximum, step: param.whole ? Math.max(1, Math.round(param.step)) : param.step, value, shown: shownNumber(param), set: (chosen) => set(param.whole ? Math.round(chosen) : chosen) });
}

function labelled(param, control) {
  return make("label.lm-option", {}, make("span.lm-legend", {}, param.label), control);
}

function choice(param, value, set) {
  const list = make("select.lm-input", { onchange: () => set(list.value) }, ...param.options.map((option) => make("option", { value: option, selected: option === value() }, named(option))));
  return labelled(param, list);
}

function toggle(param, value, set) {
  const box = make("input", { type: "checkbox", checked: value(), onchange: () => set(box.checked) });
  return make("label.lm-option.lm-tick", {}, box, make("span", {}, param.label));
}

function text(param, value, set) {
  const line = make("input.lm-input", { type: "text", value: value(), onchange: () => set(line.value) });
  return labelled(param, line);
}

function color(param, value, set) {
  const well = make("input.lm-well", { type: "color", value: value() || "#000000", onchange: () => set(well.value) });
  return labelled(param, well);
}

function picture(param, value, set) {
  const file = make("input.lm-input", { type: "file", accept: "image/*" });
  file.addEventListener("change", async () => {
    if (!file.files[0]) return;
    try { set((await api.bring(file.files[0], { name: file.files[0].name })).sha); } catch (refusal) { failed(refusal); }
  });
  return labelled(param, file);
}
