// The studio's routes. Each call gives JSON, or throws a Refusal with the sentence that the studio answered.

export class Refusal extends Error {
  constructor(error, field, status) {
    super(error);
    this.field = field ?? null;
    this.status = status;
  }
}

async function ask(method, path, body, type = "application/json", { signal, file = false } = {}) {
  let response;
  try {
    const headers = body === undefined ? {} : { "Content-Type": type };
    response = await fetch(`/limner/${path}`, { method, headers, body, credentials: "same-origin", signal });
  } catch (offline) {
    throw new Refusal("The studio doesn’t answer. Look whether its window is still open, then try again.", null, 0);
  }
  if (response.ok && file) return response.blob();
  let plain = null;
  try { plain = await response.json(); } catch (notJson) { /* an answer of a proxy in between; its status says enough */ }
  if (response.ok) return plain;
  throw new Refusal(plain?.error ?? `The studio answered with the error ${response.status}. Try again.`, plain?.field, response.status);
}

const id = encodeURIComponent;

export const api = {
  state: () => ask("GET", "state"),
  models: () => ask("GET", "models"),
  modelFolder: (change) => ask("POST", "models/folders", JSON.stringify(change)),
  catalogue: () => ask("GET", "catalogue"),
  draw: (request, exact = false) => ask("POST", "jobs", JSON.stringify({ request, exact })),
  cancel: (job) => ask("POST", `jobs/${id(job)}/cancel`),
  skip: (job, picture) => ask("POST", `jobs/${id(job)}/skip`, JSON.stringify({ picture })),
  again: (job) => ask("POST", `jobs/${id(job)}/again`),
  pictures: (search, before) => ask("GET", `pictures?search=${id(search)}${before ? `&before=${id(before)}` : ""}`),
  remove: (picture) => ask("DELETE", `pictures/${id(picture)}`),
  restore: (picture) => ask("POST", `pictures/${id(picture)}/restore`),
  words: (prompt, model) => ask("POST", "words", JSON.stringify({ prompt, model })),
  expansion: (request) => ask("POST", "expansion", JSON.stringify({ request })),
  bring: (file, { kind = "image", name = "" } = {}) => ask("POST", `inputs?kind=${kind}&name=${id(name)}`, file, "application/octet-stream"),
  bringSaved: (picture) => ask("POST", `inputs?picture=${id(picture)}`),
  control: (question, signal) => ask("POST", "control", question, "application/json", { signal, file: true }),
  outside: (picture) => ask("GET", `pictures/${id(picture)}/outside`),
  noted: (picture) => ask("GET", `pictures/${id(picture)}/noted`),
  plugins: () => ask("GET", "plugins"),
  changePlugin: (name, change) => ask("POST", `plugins/${id(name)}`, JSON.stringify(change)),
  readSettings: (file) => ask("POST", "read-settings", file, "application/octet-stream"),
};

// A file that the studio may have to make first: its name and bytes, or the sentence that says why not.
export async function fetchFile(path) {
  let response;
  try { response = await fetch(path, { credentials: "same-origin" }); } catch (offline) { throw new Refusal("The studio doesn’t answer. Look whether its window is still open, then try again.", null, 0); }
  if (!response.ok) throw new Refusal((await response.json().catch(() => null))?.error ?? `The studio answered with the error ${response.status}. Try again.`, null, response.status);
  return { name: /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "picture", blob: await response.blob() };
}

export const exportUrl = (picture, name) => `/limner/pictures/${id(picture)}/exports/${id(name)}`;
export const pictureUrl = (picture) => `/limner/pictures/${id(picture)}.png`;
export const inputUrl = (sha) => `/limner/inputs/${id(sha)}.png`;
export const thumbUrl = (picture) => `/limner/pictures/${id(picture)}/thumb`;
