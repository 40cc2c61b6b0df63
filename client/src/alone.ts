import { now } from "./clock";
import { LEASE, SPREADING } from "./limits";
import { load, save } from "./storage";

const KEY = "brine.lease.";

/**
 * Does the work, unless another tab or another part of this page is at it; then it gives undefined. Work never rejects.
 *
 * A lease in localStorage says who is at it, rather than a Web Lock: that is missing on pages of plain http, and a page that
 * is left, and kept in the browser's history, must not hold one. Tabs that take it at once see who was last.
 */
export const alone = async <T>(id: string, work: () => Promise<T>): Promise<T | undefined> => {
  const mine = now() + Math.random();
  if (Math.abs(mine - load(KEY + id)) < LEASE) return;
  save(KEY + id, mine);
  await new Promise((done) => setTimeout(done, SPREADING));
  if (load(KEY + id) !== mine) return;
  const done = await work();
  release(id);
  return done;
};

/** Deletes the lease, also that of a page which was left. */
export const release = (id: string): void => save(KEY + id);
