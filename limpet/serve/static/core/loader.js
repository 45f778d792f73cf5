// A window of things that are fetched ahead: the nearest first, few at a time, aborted when no longer wanted.
//
// Browsers allow six connections to a server, and one of them is the stream of events. Two are used here to fetch ahead,
// and one more for what the person is waiting for, so that commands never queue behind pictures.

const AHEAD = 2;
const AGAIN = 1500; // ms until something that failed is tried again
const loaders = [];
const waitedFor = new Set(); // loaders whose most urgent thing is not here yet; meanwhile none fetches ahead

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
    loaders.push(this);
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
    this.go();
  }

  clear() {
    for (const control of this.flying.values()) control.abort();
    this.items.clear();
    this.failed.clear();
    this.want([]);
  }

  /** Fetch what the person waits for; when nobody waits, every loader fetches ahead. */
  go() {
    const [urgent] = this.wanted;
    if (urgent === undefined || this.has(urgent)) waitedFor.delete(this);
    else {
      waitedFor.add(this);
      if (!this.flying.has(urgent)) this.start(urgent);
    }
    if (!waitedFor.size) for (const loader of loaders) loader.next();
  }

  /** Whether it need not be fetched now: it is here, or could not be had a moment ago. */
  has(key) {
    return this.items.has(key) || (this.failed.get(key) ?? 0) > performance.now();
  }

  next() {
    for (const key of this.wanted) {
      if (this.flying.size >= AHEAD) return;
      if (!this.has(key) && !this.flying.has(key)) this.start(key);
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
        setTimeout(() => this.go(), AGAIN + 50);
        this.onError?.(key, error);
      }
    } finally {
      this.flying.delete(key);
      this.go();
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
