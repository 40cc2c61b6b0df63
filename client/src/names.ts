/** Names mended to the alphabets that the server accepts, so that one odd name never costs a whole blob. */

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

/**
 * An event's name: what follows a `?` or `#` may tell of a person and is cut; so are UUIDs and long
 * numbers, which are most often somebody's id.
 */
export function eventName(name: unknown): string {
  const mended = String(name)
    .replace(/[?#][^]*/, "")
    .replace(UUID, "_")
    .replace(/\d{8,}/g, "_")
    .replace(/[^\w.:/-]/g, "_")
    .slice(0, 64);
  return mended || "_";
}

/** A dialog's name: `[a-z0-9_]{1,32}`. */
export const dialogName = (name: string) => mend(name.toLowerCase(), /[^a-z0-9_]/g);

/** The name of an experiment or of a branch of it: `[a-z0-9_.-]{1,32}`. */
export const experimentName = (name: string) => mend(name.toLowerCase(), /[^a-z0-9_.-]/g);

/** A release: `[0-9A-Za-z._-]{1,32}`. */
export const releaseName = (name: string) => mend(name, /[^\w.-]/g);

/** A language tag like `en`, `pt-BR` or `zh_Hant_TW`; anything else is left out. */
export function languageTag(tag: string): string | undefined {
  return /^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$/.test(tag) ? tag : undefined;
}

function mend(name: string, foreign: RegExp): string | undefined {
  return name.replace(foreign, "_").slice(0, 32) || undefined;
}
