// A window of things that are fetched ahead: the nearest first, few at a time, aborted when no longer wanted.
//
// Browsers allow six connections to a server, and one of them is the stream of events. Two are used here to fetch ahead,
// and one more for what the person is waiting for, so that commands never queue behind pictures.

const AHEAD = 2;
const AGAIN = 1500; // ms until something that failed is tried again

export class Loader {
  /**
   * @param {(key, signal: AbortSignal) => Promise} fetchOne fetches what belongs to a key
   * @param {(key) => void} onItem called when something has arrived
   * @param {number} keep how many are kept, the ones wanted last
   */
  constructor(fetchOne, onItem, keep) {
    this.fetchOne = fetchOne;
    this.onItem = onItem;
    this.keep = keep;
    this.items = new Map(); // in the order of use
    this.flying = new Map(); // key -> AbortController
    this.failed = new Map(); // key -> until when it is not tried again
    this.wanted = [];
  }

  get(key) {
    const item = this.items.get(key);
    if (item !== undefined) {
      this.items.delete(key);
      this.items.set(key, item);
    }
    return item;
  }

  /** Fetch these, the most urgent first, and give up what is not among them. */
  want(keys) {
    this.wanted = keys;
    const set = new Set(keys);
    for (const [key, control] of this.flying) if (!set.has(key)) control.abort();
    this.next();
  }

  clear() {
    for (const control of this.flying.values()) control.abort();
    this.items.clear();
    this.failed.clear();
    this.wanted = [];
  }

  next() {
    const now = performance.now();
    for (const [rank, key] of this.wanted.entries()) {
      const room = rank === 0 ? AHEAD + 1 : AHEAD;
      if (this.items.has(key) || (this.failed.get(key) ?? 0) > now) continue;
      if (!this.flying.has(key)) {
        if (this.flying.size >= room) return;
        this.start(key);
      }
      if (rank === 0) return; // nothing is fetched ahead until what the person waits for is here
    }
  }

  async start(key) {
    const control = new AbortController();
    this.flying.set(key, control);
    try {
      const item = await this.fetchOne(key, control.signal);
      this.items.set(key, item);
      if (this.items.size > this.keep) this.items.delete(this.items.keys().next().value);
      this.onItem(key);
    } catch (error) {
      if (error.name !== "AbortError") {
        this.failed.set(key, performance.now() + AGAIN);
        setTimeout(() => this.next(), AGAIN + 50);
        this.onError?.(key, error);
      }
    } finally {
      this.flying.delete(key);
      this.next();
    }
  }
}

/** Frames around one, the nearest first, twice as many in the direction of travel: 5 -> 5, 6, 7, 4, 8, 9, 3, ... */
export function around(center, reach, last, direction = 1) {
  const frames = [center];
  for (let step = 1, back = 1; frames.length < 2 * reach + 1 && step <= 2 * reach; step++) {
    frames.push(center + direction * step);
    if (step % 2 === 0) frames.push(center - direction * back++);
  }
  return frames.filter((frame) => frame >= 0 && frame <= last);
}
