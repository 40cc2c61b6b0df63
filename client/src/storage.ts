import { attempt } from "./debug";

/** What storage does not take, full or forbidden as it is: it lives as long as the page. */
const memory: Record<string, string | undefined> = {};

/** What lies under a key of localStorage, as JSON; null where there is nothing. */
export const load = (key: string): any => attempt(() => JSON.parse(memory[key] ?? localStorage[key] ?? null));

/** Puts a value under a key; undefined deletes it. */
export const save = (key: string, value?: unknown): void => {
  memory[key] = JSON.stringify(value);
  attempt(() => {
    if (memory[key]) localStorage[key] = memory[key];
    else delete localStorage[key];
    delete memory[key];
  });
};

/** All keys of the library that begin so. */
export const keys = (start = "brine."): string[] =>
  Object.keys({ ...memory, ...attempt(() => localStorage) }).filter((key) => key.startsWith(start));

/** Deletes all that is on the device but the person's choice, and a request to be forgotten that is not answered. */
export const purge = (): void => {
  keys().forEach((key) => /opted|forget/.test(key) || save(key));
  attempt(() => delete sessionStorage.brine);
};
