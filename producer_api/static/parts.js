/** Parts of the page, written by the server alone: brought again, and put in the place of those that differ. */

import { localise } from "./times.js";

/**
 * The page as it is now.
 * @param {string | URL} url
 * @param {string} zone the viewer's, which the URL may outrank
 * @param {boolean} windows whether it is to hold the chart's windows
 */
export async function bring(url, zone, windows) {
  const without = windows ? {} : { "X-Without": "windows" };
  const answer = await fetch(url, { headers: { "X-Time-Zone": zone, ...without } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/**
 * Put the parts of another page in the place of this one's.
 * @param {Document} fresh
 * @param {string} zone
 * @param {Set<string>} kept names of parts that stay
 */
export function swap(fresh, zone, kept) {
  localise(fresh, zone);
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
    // What was chosen in a form does not show in its HTML.
    const alike = old?.outerHTML === part.outerHTML && old.localName !== "form";
    if (!old || alike || kept.has(part.dataset.part)) continue;
    const focused = old.contains(document.activeElement) ? path(document.activeElement) : null;
    old.replaceWith(document.adoptNode(part));
    if (focused) part.querySelector(focused)?.focus({ preventScroll: true });
  }
}

/** A selector of what has the focus, that finds the same thing again. */
function path(element) {
  const href = element.getAttribute("href");
  if (element.id) return `#${CSS.escape(element.id)}`;
  return href ? `a[href="${CSS.escape(href)}"]` : element.localName;
}
