/** A cursor through the windows for the keyboard: ← → Home End move it, and what it stands at is said. */

import { counted, number } from "./figures.js";
import { known, timeNames } from "./times.js";

/**
 * @param {HTMLElement} root what has the focus while the keys are pressed
 * @param {() => import("./chart.js").Shown} shown
 * @param {(start: string) => void} point
 * @param {(text: string) => void} say
 */
export function listenForKeys(root, shown, point, say) {
  let at = "";
  root.addEventListener("keydown", (event) => {
    const { windows, zone } = shown();
    const last = windows.length - 1;
    const now = windows.findIndex((one) => one.start === at);
    const next = {
      ArrowLeft: now < 0 ? last : Math.max(0, now - 1),
      ArrowRight: now < 0 ? 0 : Math.min(last, now + 1),
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined || last < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    at = windows[next].start;
    point(at);
    say(windowText(windows[next], windows, zone));
  });
}

/** What one of the windows holds, in words. */
export function windowText(one, windows, zone) {
  const starts = windows.map((other) => other.start);
  const name = timeNames(starts, known(zone))[starts.indexOf(one.start)];
  const p95 = "p95" in one ? `, p95 ${number(one.p95)}` : "";
  const open = one.open ? ", still open" : "";
  return (
    `${name}: average ${number(one.average)} °C, ` +
    `${number(one.minimum)} to ${number(one.maximum)}${p95}, ${counted(one.count, "reading")}${open}`
  );
}
