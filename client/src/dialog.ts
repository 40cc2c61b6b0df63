import { type InteractionBlob, floorToSlot, uuid } from "./blob";
import { type Outcome, type Door, type SessionContext, door, serverTime } from "./door";
import { type Fields, clean, defined, surroundings } from "./fields";
import { dialogName, experimentName, releaseName } from "./names";
import { EventStream } from "./stream";

export interface Options {
  /** Origin of the server, like `https://kpi.example.org`; left out, it is the page's own. */
  endpoint?: string;
  /** Which dialog this is, like `sign_in`. */
  dialog?: string;
  /** Which release of it, like `2026.11.3`. */
  release?: string;
}

/** One use of a dialog, being recorded. */
export interface Dialog {
  /**
   * `deciding` until the server has told the sampling rate, then `recording` or `off`; `finished` once
   * it was handed over. `off` too when it ends before the server could be asked.
   */
  readonly state: "deciding" | "recording" | "off" | "finished";
  /** Records that something happened now. Names are like `screen.authenticate`; never put in what a person typed. */
  event(name: string): void;
  /** Starts a clock for something that takes time; the function it gives records it. */
  time(name: string): () => void;
  /** Tells what is known about the person's accounts, see {@link Fields}. */
  set(fields: Fields): void;
  /** Tells which branch of an experiment this person sees; at most 10 experiments. */
  experiment(name: string, branch: string): void;
  /** The blob as it would be sent now; null while undecided, when nothing is recorded and once finished. */
  preview(): InteractionBlob | null;
  /** Ends the recording and sends it. Never rejects. */
  finish(): Promise<Outcome>;
}

const MOST_EXPERIMENTS = 10;

/** The server refuses a blob over 10 kB; this leaves room for its envelope. */
const MOST_BYTES = 9_000;

/** Begins to record one use of a dialog. */
export function interaction(options: Options = {}): Dialog {
  return new Recording(options ?? {});
}

/** Keeps every error inside the library: a page must work as if it were not there. */
function safely<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

class Recording implements Dialog {
  state: Dialog["state"] = "deciding";

  private readonly id = uuid();
  private readonly stream = new EventStream();
  private readonly server: Door;
  private readonly decided: Promise<void>;
  private readonly fixed: Partial<InteractionBlob>;
  private readonly experiments = new Map<string, string>();
  private fields: Fields = {};
  private context?: SessionContext;
  private outcome?: Promise<Outcome>;
  private sent?: InteractionBlob;

  constructor({ endpoint = "", dialog = "", release = "" }: Options) {
    this.server = door(String(endpoint).replace(/\/+$/, ""));
    this.fixed = { dialog: dialogName(String(dialog)), release: releaseName(String(release)) };
    this.decided = this.server.context().then((context) => this.decide(context));
    addEventListener("pagehide", this.leave);
  }

  event(name: string): void {
    if (this.listening) safely(() => this.stream.add(name));
  }

  time(name: string): () => void {
    const from = performance.now();
    let ended = false;
    return () => {
      if (this.listening && !ended) safely(() => this.stream.add(name, from, performance.now() - from));
      ended = true;
    };
  }

  set(fields: Fields): void {
    safely(() => Object.assign(this.fields, clean(fields)));
  }

  experiment(name: string, branch: string): void {
    safely(() => {
      const [key, value] = [experimentName(String(name)), experimentName(String(branch))];
      if (!key || !value) return;
      if (this.experiments.has(key) || this.experiments.size < MOST_EXPERIMENTS) this.experiments.set(key, value);
    });
  }

  preview(): InteractionBlob | null {
    return this.state === "recording" ? safely(() => this.build()) ?? null : null;
  }

  finish(): Promise<Outcome> {
    return (this.outcome ??= this.handOver()
      .catch((): Outcome => "off")
      .finally(() => removeEventListener("pagehide", this.leave)));
  }

  private get listening(): boolean {
    return (this.state === "deciding" || this.state === "recording") && !this.outcome;
  }

  /** Throws the dice, once: a dialog is recorded whole or not at all. */
  private decide(context: SessionContext | undefined): void {
    if (!context || this.state !== "deciding") return;
    this.context = context;
    this.state = Math.random() < context.data_sample_rate ? "recording" : "off";
    if (this.state === "off") this.stream.clear();
    // What an earlier dialog could not send goes with this one, whether this one is recorded or not.
    this.server.drain().catch(() => {});
  }

  private async handOver(): Promise<Outcome> {
    if (this.state === "deciding") await this.decided;
    if (this.state === "deciding") this.decide(await this.server.context());
    const blob = this.preview();
    this.state = blob ? "finished" : "off";
    if (!blob) return "off";
    this.sent = blob;
    return this.server.deliver(blob);
  }

  /** The page is going away: what there is goes now, as nothing runs after this. */
  private readonly leave = (): void => {
    const blob = this.preview();
    this.outcome ??= Promise.resolve(blob ? "waiting" : "off");
    this.state = "finished";
    if (blob) this.server.deliverNow(blob).catch(() => {});
    else if (this.sent) this.server.hurry(this.sent).catch(() => {});
  };

  private build(): InteractionBlob {
    const context = this.context!;
    const entries = this.stream.list();
    const blob = defined<InteractionBlob>({
      id: this.id,
      timestamp: floorToSlot(serverTime(context, this.stream.startedAt)),
      sample_rate: context.data_sample_rate,
      ...this.fixed,
      ...surroundings(),
      ...this.fields,
      experiments: this.experiments.size ? Object.fromEntries(this.experiments) : undefined,
      event_stream: entries,
    });
    while (JSON.stringify(blob).length > MOST_BYTES) entries.splice(entries.length >> 1, 1);
    return blob;
  }
}
