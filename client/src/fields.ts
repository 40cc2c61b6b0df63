import type { InteractionBlob } from "./blob";
import { languageTag } from "./names";

/** What a page may tell about the person's accounts with `dialog.set()`: counts and kinds, never an address. */
export type Fields = Pick<InteractionBlob, "email_type" | "number_emails" | "number_sites_logged_in" | "new_account">;

/** Keeps of `given` what the server's schema has, each value in its range; the rest is left out. */
export function clean(given: Fields): Fields {
  const { email_type, new_account } = given;
  return defined({
    email_type: email_type === "primary" || email_type === "secondary" ? email_type : undefined,
    new_account: typeof new_account === "boolean" ? new_account : undefined,
    number_emails: count(given.number_emails, 10_000),
    number_sites_logged_in: count(given.number_sites_logged_in, 10_000),
  });
}

/** What the browser tells about itself, at the precision that the server takes. */
export function surroundings(): Pick<InteractionBlob, "language" | "screen_size"> {
  const width = count(screen.width, 32_767);
  const height = count(screen.height, 32_767);
  return defined({
    language: languageTag(document.documentElement.lang || navigator.language),
    screen_size: width !== undefined && height !== undefined ? { width, height } : undefined,
  });
}

/** The object without its undefined members. */
export function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function count(value: unknown, most: number): number | undefined {
  return typeof value === "number" && value >= 0 ? Math.min(Math.floor(value), most) : undefined;
}
