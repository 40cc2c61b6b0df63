/**
 * Brine's browser library: records how one use of a dialog went, and nothing about who used it.
 *
 *   const dialog = brine.interaction({ endpoint: "https://example.org", dialog: "sign_in", release: "2026.11" });
 *   dialog.event("screen.authenticate");
 *   const end = dialog.time("xhr_complete.POST/wsapi/authenticate_user");
 *   …
 *   end();
 *   await dialog.finish();
 *
 * This file is the whole surface; each file beside it is about one thing.
 * Nothing in here ever throws into the page.
 */
export { interaction } from "./dialog";
export { count as waiting } from "./waiting";
