/** Makes the page live: hears the stream, draws the windows, and brings what only the server can say. */

import { Chart } from "./chart.js";
import { listenForKeys, windowText } from "./cursor.js";
import { counted, element, number, set, showFigures } from "./figures.js";
import { Live } from "./live.js";
import { bring, swap } from "./parts.js";
import { OWN_ZONE, known, localise, timeNames, timeText } from "./times.js";

const REFRESH_MS = 30_000; // what the stream does not tell: silent sensors, shards
const REFRESH_MS_LEAST = 3_000;
const COMPLETE_MS = 15_000; // figures that are this far behind are not called complete
const STREAMED_PARTS = new Set(["controls", "data", "figures", "key", "notes", "windows"]);
const LASTING = new Set([...STREAMED_PARTS, "facts", "sensors"]);
const STREAMED = ["minute", "hour", "day"];
const SAID = {
  live: "Live",
  connecting: "Connecting …",
  polling: "Not live: asked for every 5 seconds",
  away: "Not live: no figures come",
  paused: "Paused",
};

const byId = (id) => document.getElementById(id);
const part = (name) => document.querySelector(`[data-part="${name}"]`);

const VERSION = document.documentElement.dataset.version;

/** What the server's data block says, with windows by their start. */
let data = read();
let state = "";
let refreshed = Date.now();
let refreshing = 0;
/** The last visit that is under way. */
let visiting = null;

function read() {
  const found = JSON.parse(byId("data").textContent);
  const sensorId = new URLSearchParams(location.search).get("sensorId");
  const told = found ?? { sensorId, tz: "UTC", interval: "", points: null, windows: [] };
  return { ...told, windows: new Map(told.windows.map((one) => [one.start, one])) };
}

/** The zone that times are shown in: the URL's, else the browser's. */
function zone() {
  return data.zoneGiven ? data.tz : OWN_ZONE;
}

/** Whether the stream tells the very windows that are shown. */
function carried() {
  return data.points !== null && !data.percentiles;
}

function shown() {
  const windows = [...data.windows.values()].sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
  return { ...data, windows, zone: zone() };
}

const chart = new Chart(byId("chart"), shown, (one) => set(byId("readout"), one?.end ? windowText(one, shown().windows, zone()) : ""));
listenForKeys(byId("chart"), shown, (start) => chart.point(start), say);

function say(text) {
  byId("said").textContent = text;
}

function drawSoon() {
  chart.drawSoon();
  if (byId("windows").open) showTable();
}

/** The table of windows, which is as the server wrote it until somebody opens it. */
function showTable() {
  const { windows } = shown();
  const names = timeNames(
    windows.map((one) => one.start),
    known(zone()),
  );
  const rows = windows.map((one, index) => {
    const cells = [one.count.toLocaleString("en"), ...[one.minimum, one.average, one.maximum].map(number)];
    if (data.percentiles) cells.push(number(one.p95));
    const time = element("time", { dateTime: one.start }, names[index]);
    return element("tr", {}, element("th", { scope: "row" }, time), ...cells.map((cell) => element("td", {}, cell)));
  });
  set(part("windows").querySelector("tbody"), ...rows);
}

byId("windows").addEventListener("toggle", () => byId("windows").open && showTable());

// The stream

function streamUrl() {
  const asked = new URLSearchParams({ tz: zone() });
  if (data.sensorId !== null) asked.set("sensorId", data.sensorId);
  asked.set("interval", carried() || STREAMED.includes(data.interval) ? data.interval : "day");
  asked.set("points", data.points ?? 1);
  return `api/live?${asked}`;
}

async function poll() {
  const asked = new URLSearchParams({ detail: "true", tz: zone() });
  if (data.sensorId !== null) asked.set("sensorId", data.sensorId);
  const answer = await fetch(`api/stats?${asked}`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  hearStats(await answer.json());
}

const HEARD = {
  snapshot(told) {
    hearStats(told.stats);
    hearFreshness(told);
    if (carried()) {
      data.windows = new Map(told.windows.map((one) => [one.start, one]));
      drawSoon();
    } else refreshSoon();
  },
  stats: hearStats,
  window: hearWindow,
  correction: hearWindow,
  freshness: hearFreshness,
  generation: () => refreshSoon(),
  sensor: () => {},
};

function hearStats(stats) {
  showFigures(stats, { zone: zone(), sensorId: data.sensorId });
  const empty = stats.Count && part("sentence").dataset.word === "Empty";
  if (empty || data.sensorId !== null) refreshSoon();
}

function hearWindow(told) {
  if (!carried()) return data.toNow && refreshSoon();
  data.windows.set(told.start, told);
  leaveBehind();
  drawSoon();
}

/** Drop the windows that lie further back than the last `points`: those without readings count too, and nobody tells them. */
function leaveBehind() {
  for (const [start, { end }] of data.windows) {
    const began = Date.now() - data.points * (Date.parse(end) - Date.parse(start));
    if (Date.parse(end) <= began) data.windows.delete(start);
  }
}

function hearFreshness({ asOf, lagMs, version }) {
  if (carried()) leaveBehind();
  if (version !== VERSION) byId("newer").hidden = false;
  const complete = part("sentence").dataset.complete === "true";
  if (data.sensorId === null && complete !== (lagMs !== null && lagMs <= COMPLETE_MS)) refreshSoon();
  const time = part("sentence").querySelector(".as-of time");
  if (time && asOf && data.sensorId === null) {
    time.dateTime = asOf;
    time.textContent = timeText(asOf, known(zone()));
  }
}

const live = new Live({
  url: streamUrl,
  poll,
  told: (name, told) => HEARD[name](told),
  state(now) {
    if (now === state) return;
    const before = state;
    state = now;
    document.documentElement.dataset.live = now;
    byId("live").textContent = SAID[now];
    if (before === "away" || now === "polling" || (before === "polling" && now === "live")) refreshSoon();
  },
});

byId("pause").hidden = false;
byId("pause").addEventListener("click", () => {
  live.pause(!live.paused);
  byId("pause").textContent = live.paused ? "Resume" : "Pause";
  if (!live.paused) refreshSoon();
});

// What only the server can say

/** Bring the page's parts again, not at once when that was done just now. */
function refreshSoon() {
  if (live.paused || document.hidden || refreshing) return;
  refreshing = setTimeout(refresh, Math.max(0, refreshed + REFRESH_MS_LEAST - Date.now()));
}

async function refresh() {
  refreshing = 0;
  if (visiting) return refreshSoon();
  // What was shown while there was nothing may not be what is shown of a first reading.
  // While no stream tells the windows, they come with the page.
  const stays = carried() && state !== "polling" && part("sentence").dataset.word !== "Empty";
  const kept = stays ? STREAMED_PARTS : new Set(byId("view").contains(document.activeElement) ? ["controls"] : []);
  await visit(location.href, kept);
}

setInterval(() => Date.now() - refreshed > REFRESH_MS && refreshSoon(), 5_000);
document.addEventListener("visibilitychange", refreshSoon);

/**
 * Show what a URL asks for.
 * @param {string | URL} url
 * @param {Set<string>} kept parts that stay as they are
 */
async function visit(url, kept) {
  refreshed = Date.now();
  const mine = (visiting = Symbol("a visit"));
  let fresh;
  try {
    fresh = await bring(url, OWN_ZONE, !kept.has("data"));
  } catch (error) {
    console.info("the page was not brought again", error); // the stream's state says whether the server answers
  }
  if (visiting !== mine) return; // something else is wanted by now
  visiting = null;
  if (!fresh) return;
  if (fresh.documentElement.dataset.version !== VERSION) {
    byId("newer").hidden = false;
    return;
  }
  const word = part("sentence").dataset.word;
  if (fresh.querySelector('[data-word="Broken"]') && url === location.href) kept = LASTING; // what was seen stays
  const before = streamUrl();
  swap(fresh, known(zone()), kept);
  if (!kept.has("data")) data = read();
  if (part("sentence").dataset.word !== word) say(part("sentence").querySelector(".text").textContent);
  if (before !== streamUrl()) live.open();
  prepare();
}

/** What scripts add to what the server wrote. */
function prepare() {
  localise(document, known(zone()));
  for (const button of document.querySelectorAll(".copy")) button.hidden = !navigator.clipboard;
  for (const zoned of document.querySelectorAll(".zone")) zoned.textContent = zone();
  chart.draw();
  if (byId("windows").open) showTable();
}

// What is asked to be seen

/** Follow a form: its URL becomes the page's, without its blanks. */
function follow(form, { replace }) {
  const url = new URL(form.action);
  const asked = new FormData(form);
  for (const [name, text] of asked) {
    const blank = text === "" || (name === "interval" && text === "auto");
    if (blank || (["from", "to"].includes(name) && asked.get("range") !== "own")) continue;
    url.searchParams.set(name, text);
  }
  history[replace ? "replaceState" : "pushState"](null, "", url);
  return visit(url, new Set(["controls"]));
}

document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return; // it asks for nothing, and leads on by itself
  event.preventDefault();
  follow(event.target, { replace: false });
});

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form?.id !== "view") return;
  if (["from", "to"].includes(event.target.name)) form.elements.range.value = "own";
  if (form.elements.range.value === "own" && !form.elements.from.value && !form.elements.to.value) return;
  follow(form, { replace: false });
});

let typed = 0;
byId("find")?.addEventListener("input", (event) => {
  clearTimeout(typed);
  typed = setTimeout(() => follow(event.target.form, { replace: true }), 300);
});

addEventListener("popstate", () => visit(location.href, new Set()));

document.addEventListener("focusin", (event) => {
  const zones = byId("zones");
  if (event.target.getAttribute("list") === "zones" && !zones.children.length) {
    zones.append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((value) => element("option", { value })));
  }
});

byId("newer").querySelector("button").addEventListener("click", () => location.reload());

document.addEventListener("click", (event) => {
  if (!event.target.matches(".copy")) return;
  navigator.clipboard.writeText(document.querySelector(".empty code").textContent).then(() => say("Copied"));
});

prepare();
