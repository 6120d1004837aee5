/** The figures as the stream tells them, written where the server wrote them. */

import { timeText } from "./times.js";

/**
 * @param {any} stats in the shape of `/api/stats?detail=true`
 * @param {{zone: string, sensorId: string | null}} shown
 */
export function showFigures(stats, { zone, sensorId }) {
  for (const [name, reading] of [
    ["Maximum", stats.MaximumReading],
    ["Minimum", stats.MinimumReading],
    ["Average", null],
  ]) {
    const figure = document.getElementById(name);
    const unit = stats[name] === null ? [] : [element("span", { className: "unit" }, " °C")];
    set(figure.querySelector(".value"), element("span", { className: "number" }, number(stats[name])), ...unit);
    if (reading) set(figure.querySelector(".made"), ...made(reading, zone, sensorId));
    else if (name === "Average") set(figure.querySelector(".made"), stats.Count ? `of ${counted(stats.Count, "reading")}` : "");
  }
  const repeats = document.getElementById("repeats");
  if (repeats && stats.Duplicates !== null) set(repeats, stats.Duplicates.toLocaleString("en"));
}

/** @param {number | null} value as the API writes it; at most six decimals, so never with an exponent */
export function number(value) {
  return value === null || value === undefined ? "–" : String(value);
}

/** `1 reading`, `1,204 readings` */
export function counted(count, what) {
  return `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
}

/** An element with some properties and what is in it. */
export function element(name, properties, ...inside) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...inside);
  return made;
}

/** Put something in an element unless that is what it holds: what stays is not drawn again, nor read out. */
export function set(target, ...inside) {
  const wanted = element("div", {}, ...inside);
  if (target.innerHTML !== wanted.innerHTML) target.replaceChildren(...wanted.childNodes);
}

function* made(reading, zone, sensorId) {
  if (sensorId === null) {
    const url = new URL("sensor", document.baseURI);
    url.searchParams.set("sensorId", reading.sensorId);
    for (const [name, text] of new URLSearchParams(location.search)) {
      if (!["sensor", "sensors", "after"].includes(name)) url.searchParams.set(name, text);
    }
    yield element("a", { href: `sensor${url.search}` }, reading.sensorId);
    yield " · ";
  }
  yield element("time", { dateTime: reading.timestamp }, timeText(reading.timestamp, zone));
}
