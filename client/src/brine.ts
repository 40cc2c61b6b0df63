/**
 * The whole surface, as `api.d.ts` tells it to pages; each file beside this one is about one thing.
 * Nothing in here ever throws into the page.
 */
export { app, forget, installId } from "./app";
export { interaction, resume } from "./dialog";
export { optIn, optOut } from "./door";
export { notice } from "./notice";
export { dropped } from "./waiting";
