import { DAY } from "./limits";

/** The monotonic clock, in ms, which goes on from one page to the next. A wrong local clock does no harm. */
export const now = (): number => performance.timeOrigin + performance.now();

/** Whole ms that passed from one time to another: 0 where the clock has jumped back, at most a day. */
export const passed = (from: number, to = now()): number => Math.min(Math.max(to - from, 0), DAY) | 0;
