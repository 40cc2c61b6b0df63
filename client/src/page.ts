import type { Options } from "./api";
import { attempt } from "./debug";

/** What the page has told of itself, with whichever dialog or app it was: its server, debugging, the account's no. */
export const page: Pick<Options, "debug" | "optedOut"> & { endpoint: string } = { endpoint: "" };

/** Takes the options that dialogs and apps have in common. A page has one server. */
export const setUp = (options: Options): unknown =>
  attempt(() => {
    Object.assign(page, options, { endpoint: (options.endpoint || page.endpoint).replace(/\/$/, "") });
  });
