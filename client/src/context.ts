import { CHOICE, settled } from "./choice";
import { now, passed } from "./clock";
import { SLOT } from "./limits";
import { load, purge } from "./storage";

/** What `GET /wsapi/session_context` tells, as far as this library reads it. */
export interface SessionContext {
  csrf_token: string | null;
  /** In ms since the epoch, floored to 10 minutes. */
  server_time: number;
  /** The share of dialogs to record. */
  data_sample_rate: number;
  schema_version?: number;
  opted_out: boolean;
  consent?: string;
  /** When it came, by {@link now}. */
  received: number;
}

/** What the page's server told last; empty while it has not. */
export const context = {} as Partial<SessionContext>;

/** The server's time at a time of ours, in ms, floored to 10 minutes; NaN while it is not known. */
export const serverTime = (at = now()): number => {
  at = context.server_time! + passed(context.received!, at);
  return at - (at % SLOT);
};

/** Whether this person may be recorded, as far as it is known. Where not, nothing of it stays on the device. */
export const permitted = (): boolean => {
  const no = settled() || load(CHOICE) || context.opted_out || (context.consent === "opt-in" && load(CHOICE) !== false);
  if (no) purge();
  return !no;
};
