/**
 * One stream a tab, closed while the tab is hidden or paused. A stream that ended for good, or from which nothing is heard, is
 * opened again after a while; until it tells something the figures are asked for now and then.
 */

const STUCK_MS = 20_000; // the server says how fresh it is every five seconds
const POLL_MS = 5_000;
const AGAIN_MS = [1_000, 30_000];
const EVENTS = ["snapshot", "stats", "window", "correction", "sensor", "freshness", "generation"];

/** @typedef {"live" | "connecting" | "polling" | "away" | "paused"} State */

export class Live {
  /**
   * @param {object} uses
   * @param {() => string} uses.url where the stream is, for what is shown now
   * @param {() => Promise<void>} uses.poll asks for the figures; rejects when nobody answers
   * @param {(name: string, told: any) => void} uses.told hears every event
   * @param {(state: State) => void} uses.state hears what is the case
   */
  constructor(uses) {
    this.uses = uses;
    this.paused = false;
    /** @type {EventSource | null} */
    this.source = null;
    this.timers = { again: 0, stuck: 0, poll: 0 };
    document.addEventListener("visibilitychange", () => this.open());
    addEventListener("pageshow", (event) => event.persisted && this.open());
    this.open();
  }

  /** Stop hearing, or go on. */
  pause(paused) {
    this.paused = paused;
    this.open();
  }

  /** Open the stream, anew if there is one; or close it while nobody looks. */
  open() {
    this.close();
    if (this.paused) return this.uses.state("paused");
    if (document.hidden) return;
    this.uses.state("connecting");
    const source = (this.source = new EventSource(this.uses.url()));
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        this.heard();
        this.uses.told(name, JSON.parse(event.data));
      });
    }
    // What the browser opens again by itself is left to it; what it gave up is not.
    source.onerror = () => (source.readyState === EventSource.CLOSED ? this.lost() : this.poll());
    this.wait();
  }

  close() {
    this.source?.close();
    this.source = null;
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    this.timers.poll = 0;
  }

  heard() {
    clearTimeout(this.timers.poll);
    this.timers.poll = 0;
    this.wait();
    this.uses.state("live");
  }

  /** Give up a stream from which nothing is heard. */
  wait() {
    clearTimeout(this.timers.stuck);
    this.timers.stuck = setTimeout(() => this.lost(), STUCK_MS);
  }

  lost() {
    this.close();
    const [least, most] = AGAIN_MS;
    this.timers.again = setTimeout(() => this.open(), least + Math.random() * (most - least));
    this.poll();
  }

  /** Ask for the figures now and then, until the stream tells them. */
  async poll() {
    if (this.timers.poll) return;
    const mine = (this.timers.poll = setTimeout(() => {
      this.timers.poll = 0;
      this.poll();
    }, POLL_MS));
    const answered = await this.uses.poll().then(
      () => true,
      () => false,
    );
    if (this.timers.poll === mine) this.uses.state(answered ? "polling" : "away");
  }
}
