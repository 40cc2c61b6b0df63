import { page } from "./page";

/** Tells a developer, who asked for it, what became of what the page gave. */
export const say = (...parts: unknown[]): undefined => {
  if (page.debug) console.log("brine", ...parts);
};

/** Keeps every error inside the library: a page must work as if it were not there. */
export const attempt = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch (error) {
    return say(error);
  }
};
