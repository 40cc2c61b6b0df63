/** Every limit of the library. Times are in ms. The build puts each number where it is used. */

/** Times are never told finer than this. */
export const SLOT = 600_000;
export const DAY = 86_400_000;

/** What the server takes in one blob; it refuses one over 10 kB, which leaves room for the envelope. */
export const MOST_ENTRIES = 200;
export const MOST_REPEATS = 10_000;
export const MOST_EXPERIMENTS = 10;
export const MOST_BYTES = 9_000;

/** How many characters an app event may have: one with more has over 10 kB, too. */
export const MOST_EVENT = 12_000;

/** What is too long to be a name: it is cut before it is looked at, so that a huge text never blocks the page. */
export const ABSURD = 4_000;

/** How much waits in a browser for its server, and how long. */
export const MOST_WAITING = 20;
export const MOST_BYTES_WAITING = 190_000; // and one more blob
export const LONGEST_WAIT = 6 * DAY;

/** How many blobs one browser sends within an hour, which is known to a slot: 6 slots or a bit more. */
export const MOST_AN_HOUR = 20;
export const HOUR = 3_600_000;
export const HOUR_OF_SLOTS = 4_000_000;

/** Gives up on an answer after this time. */
export const PATIENCE = 10_000;

/** The first and the longest pause before another try. */
export const FIRST_PAUSE = 4_000;
export const LONGEST_PAUSE = 600_000;

/**
 * How long a change of localStorage may take to be seen by other tabs: browsers do not make a page wait for that.
 */
export const SPREADING = 100;

/** How long a tab that is gone keeps its lease. Longer than a request may take. */
export const LEASE = 12_000;
