// A slider with its name and its value in words.

import { make } from "./dom.js";

// `name` is what is written where `label`, which must stand alone, says more. `value()` gives what it shows, `set` takes what was chosen, `wanted()` says whether it is there at all; a quiet one
// tells its value to screen readers only.
export function slider({ label, name = label, min, max, step, value, shown = String, set, wanted = () => true, quiet = false }) {
  const words = make("output.lm-slider-value");
  const range = make("input", { type: "range", min, max, step, "aria-label": label });
  const box = make("div.lm-control.lm-slider", {},
    make("span.lm-legend", { "aria-hidden": "true" }, name), words, range);
  const show = (now) => {
    words.textContent = quiet ? "" : shown(now);
    range.setAttribute("aria-valuetext", shown(now));
    range.style.setProperty("--part", (now - min) / (max - min));
  };
  range.addEventListener("input", () => { show(Number(range.value)); set(Number(range.value)); });
  box.update = () => {
    box.hidden = !wanted();
    range.value = value();
    show(value());
  };
  box.update();
  return box;
}
