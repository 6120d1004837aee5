/** Times for people, in the viewer's zone; written as the server writes them (`pages/wording.py`). */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const FIELDS = { year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
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

/** @param {string} zone */
function format(zone) {
  let found = formats.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", { ...FIELDS, hourCycle: "h23", timeZone: zone });
    formats.set(zone, found);
  }
  return found;
}
