/** The chart: averages as a line in the band from minimum to maximum. Nothing is drawn where nothing was measured. */

import uPlot from "./vendor/uplot/uPlot.esm.js";
import { counted, number } from "./figures.js";
import { known, timeText } from "./times.js";

/** @typedef {{start: string, end: string, count: number, minimum: number, average: number, maximum: number, p95?: number}} Window */
/** @typedef {{windows: Window[], zone: string, interval: string, points: number | null, percentiles: boolean}} Shown */

const LENGTH_S = { minute: 60, hour: 3_600, day: 86_400 };
const GAP = 3; // a line breaks where the distance is more than so many usual ones
const HEIGHT = 300;
const DRAWN_MS_LEAST = 2_000; // drawing is most of what an open page costs
const DAY = "\n{D} {MMM}";
const YEAR = `${DAY} {YYYY}`;
const LABELS = [
  [3600 * 24 * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [3600 * 24 * 28, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600 * 24, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", YEAR, null, DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", YEAR, null, DAY, null, null, null, 1],
];

export class Chart {
  /**
   * @param {HTMLElement} root
   * @param {() => Shown} read what is to be shown
   * @param {(window: Window | null) => void} pointed hears which window the cursor is at
   */
  constructor(root, read, pointed) {
    this.root = root;
    this.read = read;
    this.pointed = pointed;
    /** @type {Shown | null} */
    this.shown = null;
    this.plot = null;
    this.drawn = "";
    this.drawnAt = 0;
    this.waiting = 0;
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.renew());
    for (const [event, printing] of [["beforeprint", true], ["afterprint", false]]) {
      addEventListener(event, () => {
        document.documentElement.classList.toggle("printing", printing);
        this.renew();
      });
    }
  }

  /** Draw once, soon, however often what is to be shown changes until then. */
  drawSoon() {
    this.waiting ||= setTimeout(
      () => {
        this.waiting = 0;
        this.draw();
      },
      Math.max(0, this.drawnAt + DRAWN_MS_LEAST - Date.now()),
    );
  }

  /** Put the cursor at the window that begins then, as a mouse would. */
  point(start) {
    const at = this.rows.findIndex((row) => row.start === start);
    if (at < 0) return;
    const value = this.plot.data[3][at];
    this.plot.setCursor({ left: this.plot.valToPos(this.plot.data[0][at], "x"), top: this.plot.valToPos(value, "y") });
  }

  renew() {
    this.drawn = "";
    if (this.shown) this.draw();
  }

  draw() {
    this.shown = this.read();
    const { windows, zone, interval, percentiles } = this.shown;
    this.drawnAt = Date.now();
    this.root.hidden = windows.length === 0;
    if (this.root.hidden) return;
    this.rows = [...withGaps(windows)];
    const data = columns(this.rows, percentiles);
    const drawn = JSON.stringify([zone, interval, percentiles]);
    if (this.plot && this.drawn === drawn) {
      this.plot.setData(data);
    } else {
      this.plot?.destroy();
      this.plot = new uPlot(this.options(), data, this.root);
      this.drawn = drawn;
    }
    const canvas = this.root.querySelector("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", this.summary());
  }

  size() {
    return { width: Math.max(200, this.root.clientWidth), height: HEIGHT };
  }

  options() {
    const style = getComputedStyle(document.documentElement);
    const [line, edge, band, text, grid, extra] = ["line", "edge", "band", "text", "grid", "extra"].map((name) =>
      style.getPropertyValue(`--${name}`).trim(),
    );
    const { percentiles } = this.shown;
    const zone = known(this.shown.zone);
    const lone = { show: true, size: 6, filter: (plot, series) => loners(plot.data[series]) };
    const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
    const font = `12px ${style.fontFamily}`;
    return {
      ...this.size(),
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), zone),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      scales: { x: { range: () => this.span() } },
      series: [
        {},
        { label: "Minimum", stroke: edge, width: 1, points: { show: false } },
        { label: "Maximum", stroke: edge, width: 1, points: { show: false } },
        { label: "Average", stroke: line, width: 2, points: lone },
        ...(percentiles ? [{ label: "p95", stroke: extra, width: 2, dash: [6, 4], points: lone }] : []),
      ],
      bands: [{ series: [2, 1], fill: band }],
      axes: [
        { ...axis, font, label: `Time in ${this.shown.zone}`, labelFont: font, labelSize: 22, values: LABELS, space: 70 },
        { ...axis, font, label: "°C", labelFont: font, labelSize: 20, size: 56 },
      ],
      hooks: {
        setCursor: [(plot) => this.pointed(this.rows[plot.cursor.idx] ?? null)],
        draw: [(plot) => drawLoneBands(plot, edge)],
      },
    };
  }

  /** From where to where the axis goes: the whole range where it ends now, else what there is. */
  span() {
    const { windows, interval, points } = this.shown;
    const [first, last] = [windows[0].start, windows.at(-1).start].map((time) => Date.parse(time) / 1000);
    const length = LENGTH_S[interval];
    if (points === null || !length) return first === last ? [first - 1800, last + 1800] : [first, last];
    const now = Date.now() / 1000;
    return [Math.min(first, now - points * length), Math.max(last, now)];
  }

  summary() {
    const { windows, zone, interval } = this.shown;
    const from = timeText(windows[0].start, known(zone));
    const to = timeText(windows.at(-1).end, known(zone));
    const averages = windows.map((one) => one.average);
    return (
      `Chart of ${counted(windows.length, "window")} by ${interval} from ${from} to ${to} in ${zone}. ` +
      `Average between ${number(Math.min(...averages))} and ${number(Math.max(...averages))}, ` +
      `minimum ${number(Math.min(...windows.map((one) => one.minimum)))}, ` +
      `maximum ${number(Math.max(...windows.map((one) => one.maximum)))} °C.`
    );
  }
}

/**
 * The windows, and a time without any in each gap.
 * @param {Window[]} windows
 */
export function* withGaps(windows) {
  const times = windows.map((one) => Date.parse(one.start) / 1000);
  const distances = times.slice(1).map((time, index) => time - times[index]);
  const usual = distances.toSorted((a, b) => a - b)[Math.floor((distances.length - 1) / 2)];
  for (const [index, one] of windows.entries()) {
    yield one;
    if (distances[index] > GAP * usual) yield { start: new Date((times[index] + usual) * 1000).toISOString(), end: "" };
  }
}

function columns(rows, percentiles) {
  const names = ["minimum", "maximum", "average", ...(percentiles ? ["p95"] : [])];
  return [rows.map((row) => Date.parse(row.start) / 1000), ...names.map((name) => rows.map((row) => row[name] ?? null))];
}

/** Values that no line reaches, which are drawn as dots. */
function loners(values) {
  const alone = (index) => values[index] !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
  return values.map((_, index) => index).filter(alone);
}

/** From minimum to maximum where there is no band, for want of a neighbour. */
function drawLoneBands(plot, colour) {
  const [times, least, most] = plot.data;
  const { ctx } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2 * devicePixelRatio;
  for (const index of loners(least)) {
    const x = plot.valToPos(times[index], "x", true);
    ctx.beginPath();
    ctx.moveTo(x, plot.valToPos(least[index], "y", true));
    ctx.lineTo(x, plot.valToPos(most[index], "y", true));
    ctx.stroke();
  }
  ctx.restore();
}
