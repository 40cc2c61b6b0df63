import type { Fields } from "./api";
import { attempt, say } from "./debug";
import { ABSURD, MOST_EXPERIMENTS } from "./limits";

/**
 * A name mended to the alphabet that the server accepts, so that one odd name never costs a whole blob. What follows
 * a `?` or `#` may tell of a person and is cut. Throws where it is no text.
 */
export const mend = (name: string, foreign = /[^\w.-]/g, most = 32): string => {
  const mended = name.slice(0, ABSURD).replace(/[?#][^]*/, "").replace(foreign, "_").slice(0, most) || "_";
  if (mended !== name) say(name, "mended", mended);
  return mended;
};

const count = (value: any) => (value >= 0 && value === +value ? Math.min(value, 10_000) | 0 : null);

const only = (pattern: RegExp) => (value: any) => pattern.exec(value)?.[0];

/** What makes a value fit each field that a page may tell, by the server's schema; null or undefined leaves it out. */
const mends: Record<string, (value: any, before: any) => unknown> = {
  __proto__: null as never,
  dialog: (name) => mend(name.toLowerCase(), /\W/g),
  release: (name) => mend(name),
  language: only(/^[a-z]{2,3}([-_][a-z\d]{2,8}){0,3}$/i),
  email_type: only(/^(primary|secondary)$/),
  number_emails: count,
  number_sites_logged_in: count,
  new_account: (value) => (value === !!value ? value : null),
  experiments(given, all) {
    for (const name in given) {
      const more = { ...all, [mend(name.toLowerCase())]: mend(given[name].toLowerCase()) };
      if (!Object.keys(more)[MOST_EXPERIMENTS]) all = more;
    }
    return all;
  },
};

/** Adds what is given to the fields, each value made to fit; what cannot be is left out. */
export const tell = (fields: any, given: Fields): void => {
  for (const name in given) {
    const mended = attempt(() => mends[name]?.((given as any)[name], fields[name]));
    if (mended == null) say(name, "left out");
    else fields[name] = mended;
  }
};
