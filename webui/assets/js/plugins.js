// The Plugins page: what each plugin is, adds and costs; the owner switches them and sets them.

import { api } from "./api.js";
import { byId, make } from "./dom.js";
import { optionsForm } from "./options.js";
import { on, state, tell } from "./store.js";
import { failed, toast } from "./toast.js";

const STATES = { active: "On", disabled: "Off", found: "Waits for permission", changed: "Changed, not loaded", incompatible: "Made for another version", failed: "Failed" };

const KINDS = {
  style: "Styles", "prompt transform": "Prompts", postprocessor: "Finishing steps", upscaler: "Upscalers", exporter: "Saves as", preprocessor: "Preprocessors",
  control: "Controls", option: "Options", setting: "Settings", command: "Commands", tab: "Pages",
};
const ALSO = {
  "request chain": "looks at requests before they are queued", "denoiser patch": "changes the denoiser for those who ask", review: "reviews pictures before they are kept",
  metadata: "writes facts into pictures", signing: "writes into the saved file", events: "follows jobs",
};

export function startPlugins() {
  on("tab", (id) => { if (id === "plugins") load(); });
}

async function load() {
  try {
    show(await api.plugins());
  } catch (refusal) {
    failed(refusal);
  }
}

function show({ owner, safe, plugins, problems }) {
  byId("lm-plugins-problems").replaceChildren(...(safe ? [make("p", {}, "The studio was started with --safe-mode: no plugin is loaded.")] : []), ...problems.map((problem) => make("p", {}, problem)));
  byId("lm-plugins").replaceChildren(...toldApart(plugins).map((plugin) => card(plugin, owner)));
}

// Plugins of one title are called by their names too.
function toldApart(plugins) {
  const key = ({ title }) => title.toLowerCase();
  return plugins.map((plugin) => plugins.some((other) => other !== plugin && key(other) === key(plugin)) ? { ...plugin, title: `${plugin.title} (${plugin.name})` } : plugin);
}

async function change(name, what, said) {
  try {
    await api.changePlugin(name, what);
    toast(said);
    state.catalogue = await api.catalogue();
    tell("catalogue");
  } catch (refusal) {
    failed(refusal);
  }
  await load();
}

function card(plugin, owner) {
  const facts = [plugin.version && `Version ${plugin.version}`, plugin.author && `by ${plugin.author}`, plugin.license, owner && plugin.source, owner && plugin.state === "active" && `${Math.round(plugin.seconds * 1000)} ms to load`].filter(Boolean).join(" · ");
  const box = make("li.lm-plugin", { "data-plugin": plugin.name, "data-state": plugin.state },
    make("div.lm-plugin-head", {},
      make("div", {}, make("h3", {}, plugin.title), make("p.lm-muted", {}, facts)),
      make("span.lm-plugin-state", {}, STATES[plugin.state] ?? plugin.state),
      owner ? toggle(plugin) : null),
    plugin.description ? make("p", {}, plugin.description) : null,
    plugin.provides?.length ? adds(plugin.provides) : null);
  if (!owner) return box;
  if (plugin.reason) box.append(make("p.lm-plugin-reason", {}, plugin.reason));
  if (plugin.traceback) box.append(make("details.lm-plugin-trace", {}, make("summary", {}, "What happened, for the plugin’s author"), make("pre", { tabindex: "0" }, plugin.traceback)));
  if (plugin.form?.length && plugin.state === "active") box.append(settings(plugin));
  return box;
}

// "postprocessor grain" and its like, by what they are called on the page.
function adds(provides) {
  const groups = new Map();
  for (const noun of provides) {
    const kind = Object.keys(KINDS).find((one) => noun.startsWith(`${one} `));
    const [title, name] = kind ? [KINDS[kind], noun.slice(kind.length + 1)] : ["Also", ALSO[noun] ?? noun];
    groups.set(title, [...(groups.get(title) ?? []), name.replaceAll("_", " ")]);
  }
  return make("dl.lm-plugin-adds", { "aria-label": "Adds" }, ...[...groups].map(([title, names]) => make("div", {}, make("dt", {}, title), make("dd", {}, names.join(", ")))));
}

function toggle(plugin) {
  const label = plugin.enabled ? "Switch off" : "Switch on";
  return make("button.lm-quiet.lm-plugin-switch", { type: "button", "aria-label": `${label} ${plugin.title}`, onclick: () => change(plugin.name, { enabled: !plugin.enabled }, `${plugin.title} is ${plugin.enabled ? "off" : "on"} from now on.${plugin.enabled || !plugin.tabs ? "" : " Its page comes with the next start."}`) }, label);
}

function settings(plugin) {
  let wanted = Object.fromEntries(plugin.form.filter((param) => plugin.settings[param.name] !== param.default).map((param) => [param.name, plugin.settings[param.name]]));
  return make("div.lm-plugin-settings", {}, optionsForm(plugin.form, wanted, (values) => { wanted = values; }),
    make("button.lm-quiet", { type: "button", onclick: () => change(plugin.name, { settings: wanted }, `The settings of ${plugin.title} are kept.`) }, "Keep these settings"));
}
