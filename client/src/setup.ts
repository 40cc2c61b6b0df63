import type { Options } from "./api";
import { attempt } from "./debug";
import { page } from "./page";

/** Takes the options that dialogs and apps have in common. A page has one server. */
export const setUp = (options: Options): unknown =>
  attempt(() => {
    Object.assign(page, options, { endpoint: (options.endpoint || page.endpoint).replace(/\/$/, "") });
  });
