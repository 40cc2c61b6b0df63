import { page } from "./page";

/** The key of the person's choice on this origin, for where the server's cookie does not reach: true is a no, false a yes. */
export const CHOICE = "brine.opted_out";

/** The event of the window that says: what is known of the person's choice may have changed. */
export const CHANGED = "brine";

/** Whether the no comes from the account or from the browser's settings, and so not from a switch. */
export const settled = (): unknown => page.optedOut || (navigator as any).globalPrivacyControl;
