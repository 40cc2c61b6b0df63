import { serverTime } from "./context";
import { release } from "./alone";
import { HOUR_OF_SLOTS, LONGEST_WAIT, MOST_AN_HOUR, MOST_BYTES_WAITING, MOST_WAITING } from "./limits";
import { page } from "./page";
import { keys, load, save } from "./storage";

/** What waits in this browser for a server. Each lies under a key of its own, so that tabs do not undo each other. */
export type Waiting = [
  id: string,
  /** Server time when it was made, in ms, floored to 10 minutes; 0 for what the person asks for, which is never dropped. */
  at: number,
  endpoint: string,
  path: string,
  body: any,
  /** When a paused dialog began, by the monotonic clock. It is not to be sent before an hour has passed. */
  paused?: number,
];

const KEY = "brine.waiting.";

/** The key of the times, in slots, at which blobs were sent within the last hour. */
export const SENT = "brine.sent";

/** The id of the one request to be forgotten. */
export const FORGET = "forget";

/** All that waits, newest first. */
export const all = (): Waiting[] =>
  keys(KEY)
    .map(load)
    .filter((entry) => entry?.[4])
    .sort((a, b) => b[1] - a[1]);

export const get = (id: string): Waiting | undefined => load(KEY + id);

export const remove = (id: string): void => {
  save(KEY + id);
  release(id);
};

/** Keeps what is to be sent, and gives its id. It waits in storage until the server has answered. */
export const keep = (id: string, at: number, path: string, body: object, paused?: number): string => {
  save(KEY + id, [id, at, page.endpoint, path, body, paused]);
  trim();
  return id;
};

/** Drops what is too much or, by the server's time, too old; the oldest first. */
export const trim = (): void =>
  all().forEach(([id, at], i, list) => {
    if (at && (i >= MOST_WAITING || JSON.stringify(list.slice(0, i))[MOST_BYTES_WAITING] || serverTime() - at > LONGEST_WAIT)) {
      remove(id);
      drop();
    }
  });

/** How many were lost in this browser. */
export const dropped = (): number => load("brine.dropped") | 0;

/** Counts one more that is lost. */
export const drop = (): void => {
  save("brine.dropped", dropped() + 1);
};

/** Whether one more blob may be sent within the hour. */
export const admit = (): unknown => {
  const recent = [load(SENT)].flat().filter((at: number) => serverTime() - at < HOUR_OF_SLOTS);
  return recent[MOST_AN_HOUR - 1] ? drop() : !(save(SENT, [...recent, serverTime()]) as unknown);
};
