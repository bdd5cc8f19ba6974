// Building the page's elements. Text always goes in as text: nothing here, nor anywhere else, parses markup from data.

const ICONS = {
  again: "M4 12a8 8 0 1 1 2.5 5.8M4 18v-4h4",
  dice: "M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01",
  copy: "M9 9h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V10a1 1 0 0 1 1-1zM5 15H4a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1h10a1 1 0 0 1 1 1v1",
  seed: "M12 21v-8M12 13c0-4 3-7 8-7 0 5-3 8-8 8M12 16c0-3-2.5-5-7-5 0 4 2.5 6 7 6",
  sliders: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7",
  image: "M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15 9h.01",
  keyboard: "M4 6h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1zM7 10h.01M11 10h.01M15 10h.01M8 14h8",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  stop: "M7 7h10v10H7z",
  skip: "M6 6l9 6-9 6zM16 6h2.5v12H16z",
  close: "M6 6l12 12M18 6L6 18",
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5L20 20",
  chevron: "M9 6l6 6-6 6",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  alert: "M12 4l9 16H3zM12 10v4M12 17h.01",
  brush: "M14.5 4.5l5 5-8.5 8.5-5-5zM6 13c-2 1-2 4-3 7 3-1 6-1 7-3",
  eraser: "M14 5l5.5 5.5-8 8H8L4.5 15zM9 10l5.5 5.5M8 18.500h12",
  hand: "M12 3v18M3 12h18M9.500 5.500L12 3l2.500 2.500M9.500 18.500L12 21l2.500-2.500M5.500 9.500L3 12l2.500 2.500M18.500 9.500L21 12l-2.500 2.500",
  undo: "M8 5L4 9l4 4M4 9h9a6 6 0 0 1 0 12H9",
  redo: "M16 5l4 4-4 4M20 9h-9a6 6 0 0 0 0 12h4",
  invert: "M5 5h14v14H5zM5 19L19 5M9.500 9.500h.01M15 15.500h2",
  minus: "M6 12h12",
  plus: "M6 12h12M12 6v12",
  check: "M5 12.500l4.500 4.500L19 7.500",
  compare: "M12 4v16M5 7h4v10H5zM15 7h4v10h-4z",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "lm-glyph");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

// make("button.lm-quiet#id", {type: "button", onclick: …, "aria-label": …}, "text", child, …)
export function make(what, properties = {}, ...children) {
  const [, tag, id, classes] = /^(\w+)(?:#([\w-]+))?((?:\.[\w-]+)*)$/.exec(what);
  const element = document.createElement(tag);
  if (id) element.id = id;
  if (classes) element.className = classes.slice(1).replaceAll(".", " ");
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

export function button(label, glyph, onclick, more = {}) {
  return make("button.lm-quiet", { type: "button", onclick, ...more }, glyph ? icon(glyph) : null, make("span", {}, label));
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A row of choices that works like radio buttons: one tab stop, arrows move, the chosen one is checked.
export function radios(group, options, chosen, pick) {
  const same = group.dataset.options === JSON.stringify(options.map((option) => option.key));
  if (!same) {
    group.dataset.options = JSON.stringify(options.map((option) => option.key));
    group.replaceChildren(...options.map((option) => radio(group, option)));
  }
  group.pick = pick;
  const keys = options.map((option) => option.key);
  [...group.children].forEach((element, at) => {
    const on = keys[at] === chosen;
    element.setAttribute("aria-checked", String(on));
    element.tabIndex = on || (!keys.includes(chosen) && at === 0) ? 0 : -1;
  });
}

function radio(group, option) {
  const element = make("button", { type: "button", role: "radio", title: option.title, "aria-label": option.label }, option.face ?? option.label);
  element.addEventListener("click", () => group.pick(option.key));
  element.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const all = [...group.children];
    const next = all[(all.indexOf(element) + way + all.length) % all.length];
    next.click();
    next.focus();
  });
  return element;
}

export function dressIcons(root = document) {
  for (const element of root.querySelectorAll("[data-icon]:not([data-dressed])")) {
    element.prepend(icon(element.dataset.icon));
    element.dataset.dressed = "";
  }
}
