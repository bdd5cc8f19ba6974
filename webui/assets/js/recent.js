// Recent pictures, newest first: pages of thumbnails that come as one scrolls, and a search in their prompts.

import { api, thumbUrl } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { promptOf } from "./drawing.js";
import { openLightbox } from "./lightbox.js";
import { deleted, remove } from "./removal.js";
import { on } from "./store.js";

const recent = { pictures: [], next: null, search: "", loading: null, started: false };

export function startRecent() {
  const search = byId("lm-search");
  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { recent.search = search.value.trim(); reload(); }, 200);
  });
  new IntersectionObserver((seen) => { if (seen[0].isIntersecting && recent.next) more(); }, { rootMargin: "600px" }).observe(byId("lm-recent-end"));
  byId("lm-tiles").addEventListener("keydown", move);
  on("job-state", ({ job, opening }) => { if (job.state === "finished" && !opening) reload(); });
  on("gone", ({ gone }) => { if (gone) render(); else reload(); });
  return reload();
}

let asked = 0;

async function reload() {
  const mine = ++asked;
  try {
    const answer = await api.pictures(recent.search, null);
    if (mine !== asked) return; // a later search was quicker
    // What was scrolled to stays: only what is new goes in front of it.
    const known = new Set(answer.pictures.map((picture) => picture.id));
    const last = answer.pictures.at(-1);
    const keep = recent.search === recent.shownSearch && last ? recent.pictures.findIndex((picture) => picture.id === last.id) : -1;
    const older = keep >= 0 ? recent.pictures.slice(keep + 1).filter((picture) => !known.has(picture.id)) : [];
    recent.pictures = [...answer.pictures, ...older];
    if (!older.length) recent.next = answer.next;
    recent.count = answer.count;
    recent.shownSearch = recent.search;
    render();
  } catch (refusal) {
    empty(refusal.message);
  }
}

function more() {
  recent.loading ??= (async () => {
    const search = recent.search;
    try {
      const answer = await api.pictures(search, recent.next);
      if (search !== recent.search) return;
      recent.pictures.push(...answer.pictures);
      recent.next = answer.next;
      render();
    } catch (refusal) {
      empty(refusal.message);
    } finally {
      recent.loading = null;
    }
  })();
  return recent.loading;
}

const there = () => recent.pictures.filter((picture) => !deleted.has(picture.id));

function render() {
  const box = byId("lm-tiles");
  const old = new Map([...box.children].map((element) => [element.dataset.id, element]));
  const pictures = there();
  const next = pictures.map((picture) => old.get(picture.id) ?? tile(picture));
  const wanted = new Set(next);
  for (const element of [...box.children]) if (!wanted.has(element)) element.remove();
  next.forEach((element, at) => { if (box.children[at] !== element) box.insertBefore(element, box.children[at] ?? null); });
  if (!box.querySelector("button[tabindex='0']")) box.querySelector("button")?.setAttribute("tabindex", "0");
  const away = recent.pictures.length - pictures.length;
  setText(byId("lm-recent-count"), recent.count ? String(Math.max(0, recent.count - away)) : "");
  empty(pictures.length ? "" : recent.search ? `No prompt of yours holds “${recent.search}”.` : "Your pictures will gather here.");
}

function empty(text) {
  byId("lm-recent-empty").hidden = !text;
  setText(byId("lm-recent-empty"), text);
}

function tile(picture) {
  const prompt = promptOf(picture.request) || (picture.request.start?.kind === "as_is" ? "A picture that was only finished" : "A picture without words");
  const image = make("img", { src: thumbUrl(picture.id), alt: prompt, loading: "lazy", decoding: "async", draggable: "false" });
  const open = make("button", { type: "button", tabindex: "-1", title: prompt }, image);
  open.addEventListener("click", () => enlarge(picture));
  open.addEventListener("keydown", (event) => { if (event.key === "Delete") { move({ key: "ArrowRight", target: open }); remove(picture); } });
  const element = make("div", { role: "listitem", "data-id": picture.id }, open);
  element.style.setProperty("--ratio", (picture.width ?? 1) / (picture.height ?? 1));
  return element;
}

function enlarge(picture) {
  const pictures = there();
  openLightbox(pictures, Math.max(0, pictures.findIndex((one) => one.id === picture.id)), { more: recent.next ? async () => { await more(); return there(); } : null });
}

// One tab stop for the whole wall; arrows go through it.
function move(event) {
  const now = event.target.closest("button");
  const all = [...byId("lm-tiles").querySelectorAll("button")];
  const at = all.indexOf(now);
  const row = all.filter((one) => one.getBoundingClientRect().top === all[0].getBoundingClientRect().top).length;
  const way = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -at, End: all.length - 1 - at }[event.key];
  if (way === undefined) return;
  event.preventDefault?.();
  const next = all[at + way];
  if (!next) return;
  now.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
