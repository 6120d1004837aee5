/** Times for people, in the viewer's zone; written as the server writes them (`pages/wording.py`). */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const FIELDS = { year: "numeric", month: "numeric", day: "numeric", ...CLOCK };
/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** The browser's own zone. */
export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/**
 * A zone that this browser knows: the one asked for, else UTC.
 * @param {string} zone an IANA name or an offset
 */
export function known(zone) {
  try {
    format(zone);
    return zone;
  } catch (error) {
    if (error instanceof RangeError) return "UTC";
    throw error;
  }
}

/**
 * `26 Nov 2021, 18:10:00`, as a zone's clock shows it.
 * @param {string | number} time RFC 3339, or milliseconds since 1970
 * @param {string} zone
 */
export function timeText(time, zone) {
  const parts = Object.fromEntries(format(zone).formatToParts(new Date(time)).map((part) => [part.type, part.value]));
  return `${parts.day} ${MONTHS[parts.month - 1]} ${parts.year}, ${parts.hour}:${parts.minute}:${parts.second}`;
}

/**
 * How a zone's clock stands to UTC then: `+02:00`.
 * @param {string} time RFC 3339
 * @param {string} zone
 */
export function offset(time, zone) {
  const parts = format(zone, { timeZoneName: "longOffset" }).formatToParts(new Date(time));
  return parts.find((part) => part.type === "timeZoneName").value.replace("GMT", "") || "+00:00";
}

/**
 * Names for times in order: with the offset where a change lies between, so that no two are called alike.
 * @param {string[]} times RFC 3339
 * @param {string} zone
 */
export function timeNames(times, zone) {
  const offsets = times.map((time) => offset(time, zone));
  const changes = new Set(offsets).size > 1;
  return times.map((time, index) => timeText(time, zone) + (changes ? ` ${offsets[index]}` : ""));
}

/**
 * Write every time below a node in a zone.
 * @param {ParentNode} root
 * @param {string} zone
 */
export function localise(root, zone) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const text = timeText(element.dateTime, zone);
    if ("ago" in element.dataset) element.title = text;
    else if (element.textContent !== text) element.textContent = text;
  }
}

/** Making one takes a thousand times as long as using it. */
function format(zone, fields = FIELDS) {
  const key = `${zone} ${Object.keys(fields)}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", { ...fields, timeZone: zone });
    formats.set(key, found);
  }
  return found;
}
