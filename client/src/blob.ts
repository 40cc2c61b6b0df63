/** The interaction blob, as the server's schema `interaction` version 1 has it. */
export interface InteractionBlob {
  id: string;
  /** Server time at the start of the dialog, in ms since the epoch, floored to 10 minutes. */
  timestamp: number;
  sample_rate: number;
  event_stream: Entry[];
  language?: string;
  screen_size?: { width: number; height: number };
  dialog?: string;
  release?: string;
  experiments?: Record<string, string>;
  email_type?: "primary" | "secondary";
  number_emails?: number;
  number_sites_logged_in?: number;
  new_account?: boolean;
}

/** `[name, offset, duration?, repeat?]`; times in ms, offsets from the start of the dialog. */
export type Entry = [name: string, offset: number, duration?: number, repeat?: number];

/** Times are never told finer than this, in ms. */
const SLOT = 600_000;

export const floorToSlot = (ms: number): number => ms - (ms % SLOT);

/** A random UUID, version 4. `crypto.randomUUID` exists in secure contexts only. */
export function uuid(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
