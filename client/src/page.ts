import type { Options } from "./api";

/** What the page has told of itself, with whichever dialog or app it was: its server, debugging, the account's no. */
export const page: Pick<Options, "debug" | "optedOut"> & { endpoint: string } = { endpoint: "" };
