import { page } from "./page";
import { load, save } from "./storage";

const CHOICE = "brine.choice";

/** The event of the window that says: what is known of the person's choice may have changed. */
export const CHANGED = "brine";

/** Whether the no comes from the account or from the browser's settings, and so not from a switch. */
export const settled = (): unknown => page.optedOut || (navigator as any).globalPrivacyControl;

/** Whether the person has said yes on this origin. */
export const agreed = (): boolean => load(CHOICE) === "in";

/** Whether the person has said no, as far as this page knows without the server. */
export const refused = (): unknown => settled() || load(CHOICE) === "out";

/** Keeps the person's choice on this origin, for where the server's cookie does not reach. */
export const choose = (optedOut: boolean): void => save(CHOICE, optedOut ? "out" : "in");
