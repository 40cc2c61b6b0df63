import type { Entry } from "./blob";
import { eventName } from "./names";

/** What the server takes in one blob; of a longer stream the beginning and the end are kept. */
const MOST_ENTRIES = 200;
const KEPT_AT_START = 150;
const MOST_REPEATS = 10_000;
const LONGEST = 86_400_000;

/** The events of one use of a dialog, timed by the monotonic clock: a wrong local clock does no harm. */
export class EventStream {
  readonly startedAt = performance.now();
  private readonly entries: Entry[] = [];

  /** Adds an event that began at `at` (by `performance.now()`) and, where given, took `duration` ms. */
  add(name: unknown, at = performance.now(), duration?: number): void {
    const entry: Entry = [eventName(name), millis(at - this.startedAt)];
    if (duration !== undefined) entry.push(millis(duration));

    const last = this.entries[this.entries.length - 1];
    if (last && last[0] === entry[0]) return repeat(last);

    this.entries.push(entry);
    if (this.entries.length > MOST_ENTRIES) this.entries.splice(KEPT_AT_START, 1);
  }

  /** Forgets all of it: this dialog is not to be recorded. */
  clear(): void {
    this.entries.length = 0;
  }

  /** A copy of the entries, as they stand. */
  list(): Entry[] {
    return this.entries.map((entry) => [...entry]);
  }
}

/** Counts one more of the same event: the fourth part is how often it came, all told. */
function repeat(entry: Entry): void {
  entry[2] ??= 0;
  entry[3] = Math.min((entry[3] ?? 1) + 1, MOST_REPEATS);
}

const millis = (ms: number): number => Math.floor(Math.min(Math.max(ms, 0), LONGEST));
