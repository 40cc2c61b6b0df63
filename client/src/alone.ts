import { rest } from "./clock";
import { LEASE, SPREADING } from "./limits";
import { load, save } from "./storage";

/** A page that is left takes no lock: kept in the browser's history, frozen, it would never give it back. */
let leaving: boolean;
addEventListener("pagehide", () => (leaving = true));
addEventListener("pageshow", () => (leaving = false));

/**
 * Does the work, unless another tab or another part of this page is at it; then it gives undefined. Work never
 * rejects. Where there are no Web Locks (an insecure page, an old browser) a lease in localStorage stands for one.
 */
export const alone = async <T>(id: string, work: () => Promise<T>): Promise<T | undefined> => {
  if (leaving) return work();
  const name = "brine.lease." + id;
  const held = async (lock: unknown): Promise<T | undefined> => {
    const done = lock ? await work() : undefined;
    await rest(SPREADING);
    return done;
  };
  // A page without an origin has no locks, and no storage to share.
  if (navigator.locks) return navigator.locks.request(name, { ifAvailable: true }, held).catch(work);

  const mine = Date.now() + Math.random();
  if (Math.abs(mine - load(name)) < LEASE) return;
  save(name, mine);
  await rest(SPREADING);
  if (load(name) !== mine) return;
  const done = await held(mine);
  save(name);
  return done;
};
