/**
 * Brine's browser library: records how one use of a dialog went, and nothing about who used it.
 *
 *   const dialog = brine.interaction({ endpoint: "https://kpi.example.org", dialog: "sign_in", release: "2026.11" });
 *   dialog.event("screen.authenticate");
 *   const end = dialog.time("xhr_complete.POST/wsapi/authenticate_user");
 *   …
 *   end();
 *   await dialog.finish();
 *
 * Nothing in here ever throws into the page, and no promise rejects.
 */

/** Begins to record one use of a dialog. */
export function interaction(options?: Options): Dialog;

/** Goes on with the dialog that {@link Dialog.pause} left in this tab; where there is none, begins one. */
export function resume(options?: Options): Dialog;

/**
 * Says no for this browser: what is being recorded and what waits is deleted at once, and so is the install id.
 * True when the server has set its cookie too; where it could not, the no holds on pages of this origin and is told again.
 */
export function optOut(): Promise<boolean>;

/** Takes the no back or, where the server asks first (`consent: opt-in`), says yes. It counts from the next dialog on. */
export function optIn(): Promise<boolean>;

/**
 * Adds one line to the element: what is recorded, why, a link to the policy, and a switch. It has no styles of its own but
 * the class `brine-notice`. For another language give its HTML: one element, with one checkbox in it.
 */
export function notice(element: Element, html?: string): void;

/** Opens a stream of events of this installation of an app, see {@link App}. */
export function app(options: AppOptions): App;

/** The install id, where an app stream has needed one. */
export function installId(): string | null;

/**
 * Asks the server to erase what this installation sent, and deletes the install id when that is answered. Tried again
 * until then, on later pages too; meanwhile no app event is sent. True when it is done.
 */
export function forget(): Promise<boolean>;

/** How many were lost in this browser: too many in an hour, too old, too much waiting, or refused by the server. */
export function dropped(): number;

export interface Options {
  /** Origin of the server, like `https://kpi.example.org`; left out, it is the page's own. */
  endpoint?: string;
  /** Which dialog this is, like `sign_in`. */
  dialog?: string;
  /** Which release of it, like `2026.11.3`. */
  release?: string;
  /** Asked at the beginning and before anything is sent; false where this path must not be measured. */
  when?: () => boolean;
  /** True where the person's account says no: it wins in every browser. */
  optedOut?: boolean;
  /** Prints each blob, and what was mended or refused, to the console. */
  debug?: boolean;
}

/** One use of a dialog, being recorded. */
export interface Dialog {
  /**
   * `deciding` until the server has told the sampling rate, then `recording` or `off`; `finished` once it was
   * handed over or paused.
   */
  readonly state: "deciding" | "recording" | "off" | "finished";
  /** Records that something happened now. Names are like `screen.authenticate`; never put in what a person typed. */
  event(name: string): void;
  /** Starts a clock for something that takes time; the function it gives records it, once. */
  time(name: string): () => void;
  /** Tells what is known, see {@link Fields}; what does not fit is mended or left out. */
  set(fields: Fields): void;
  /** Tells which branch of an experiment this person sees; at most 10 experiments. */
  experiment(name: string, branch: string): void;
  /** The blob as it would be sent now; null while undecided, when nothing is recorded and once finished. */
  preview(): InteractionBlob | null;
  /** The person goes to another site and comes back to this tab, where {@link resume} goes on. Who does not come back within an hour is sent as it was. */
  pause(): void;
  /**
   * Ends the recording and sends it. With `continues` the next dialog in this browser begins with the event
   * `staging_continuation`: for what completes later, like a sign-in by a link in a mail.
   */
  finish(continues?: boolean): Promise<Outcome>;
}

/**
 * What became of a finished dialog: the server has it (`stored`) or wants none of it (`refused`); it waits for the
 * server, in storage or, where the server never answered, in the page (`waiting`); nothing was recorded (`off`);
 * or this browser has sent 20 within the hour (`dropped`).
 */
export type Outcome = "stored" | "refused" | "waiting" | "off" | "dropped";

/** What a page may tell of a dialog: counts and kinds, never an address. */
export interface Fields {
  email_type?: "primary" | "secondary";
  /** 0 to 10,000. */
  number_emails?: number;
  /** 0 to 10,000, in the last 24 hours. */
  number_sites_logged_in?: number;
  new_account?: boolean;
  dialog?: string;
  release?: string;
  /** Like `pt-BR`; left out, it is that of the page, else of the browser. */
  language?: string;
  screen_size?: { width: number; height: number };
  /** Name to branch. */
  experiments?: Record<string, string>;
}

/** The blob, as the server's schema `interaction` version 1 has it. */
export interface InteractionBlob extends Fields {
  id: string;
  /** Server time at the start of the dialog, in ms since the epoch, floored to 10 minutes. */
  timestamp: number;
  sample_rate: number;
  event_stream: Entry[];
}

/** `[name, offset, duration?, repeat?]`; times in ms, offsets from the start of the dialog. */
export type Entry = [name: string, offset: number, duration?: number, repeat?: number];

export interface AppOptions {
  /** Origin of the server; left out, it is the page's own. */
  endpoint?: string;
  /** Name of the stream, like `app_session`. */
  stream: string;
  /** `$id` of the schema version that the events are written by, like `/analytics/mobile_apps/app_session/1.1.0`. */
  schema: string;
  /** As in {@link Options}. */
  optedOut?: boolean;
  debug?: boolean;
}

/**
 * A stream of an app. Whether this installation is in its sample is drawn anew with each sampling epoch, by a random
 * install id that is made on first use and put into each event.
 */
export interface App {
  /**
   * Sends one event; `$schema`, `meta` and the install id are filled in. Resolves when the server has told whether the
   * event is in the sample, and has answered or is to be tried again.
   */
  event(data: object): Promise<Outcome>;
}
