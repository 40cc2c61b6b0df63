import type { Dialog, Entry, Fields, InteractionBlob, Options, Outcome } from "./api";
import { CHANGED } from "./choice";
import { now, passed } from "./clock";
import { context, permitted, serverTime } from "./context";
import { attempt } from "./debug";
import { INTERACTION, deliver, known, refresh } from "./door";
import { tell } from "./fields";
import { HOUR, LONGEST_WAIT } from "./limits";
import { setUp } from "./setup";
import { load, save } from "./storage";
import { add, fit } from "./stream";
import { uuid } from "./uuid";
import { type Waiting, admit, get, keep, remove } from "./waiting";

/** The first event of a blob that goes on where another one ended. Nothing else joins the two. */
const CONTINUATION: Entry = ["staging_continuation", 0];

/** Where a dialog leaves word for the next one, which continues it: when, and whether it was recorded. */
const CONTINUES = "brine.next";

/** Goes on with the dialog that this tab has paused, of which its own storage has the id, or begins one. */
export const resume = (options?: Options): Dialog =>
  interaction(options, get(attempt(() => sessionStorage.brine)));

/** Begins to record one use of a dialog. */
export const interaction = (given?: Options, left?: Waiting): Dialog => {
  let start = now();
  /** Undefined where they cannot be read: then nobody knows what they forbid. */
  const options = attempt((): Options => ({ ...given }));
  const { width, height } = screen;
  const fields: Fields = { screen_size: { width, height } };
  const listeners = new AbortController();
  let state: Dialog["state"] = "deciding";
  let entries: Entry[] = [];
  /** The blob without its events, and what was told of it since. */
  let head: any;
  /** What became of the part that was sent last. */
  let sent: Promise<Outcome> | Outcome | undefined;
  let outcome: Promise<Outcome> | undefined;

  /** The page may have come to a path that must not be measured, and the person may have said no meanwhile. */
  const allowed = (): boolean | undefined => permitted() && options && (!options.when || attempt(options.when));

  const heard = (work: () => void): void => {
    if (!outcome && /ing/.test(state)) attempt(work);
  };

  const note = (name: string, ...times: [offset: number, duration?: number]): void => heard(() => add(entries, name, ...times));

  /** Nothing is recorded from here on. */
  const close = (last: Dialog["state"]): void => {
    state = last;
    entries = [];
    listeners.abort();
  };

  /** Begins a blob of its own. */
  const begin = (sample_rate: number): void => {
    head = { id: uuid(), timestamp: serverTime(start) || head.timestamp, sample_rate };
    state = "recording";
  };

  const preview = (): InteractionBlob | null =>
    state === "recording" && allowed()
      ? fit({ ...head, ...(context.schema_version! < 1 ? {} : fields), event_stream: entries })
      : null;

  const put = (data: InteractionBlob, paused?: number): string => keep(data.id, data.timestamp, INTERACTION, { data }, paused);

  /** Sends what there is, unless nothing has happened since the last part; what happens after that is a blob of its own. */
  const part = (): InteractionBlob | null => {
    const blob = preview();
    if (blob && (!sent || entries[1])) {
      sent = admit() ? deliver(put(blob)) : "dropped";
      start = now();
      entries = [CONTINUATION];
      begin(blob.sample_rate);
    }
    return blob;
  };

  /** The page may be going away: what there is goes now. */
  const leave = ({ type }: Event): void => {
    if (!permitted()) close("off");
    else if (document.hidden || type === "pagehide") part();
  };

  /** Leaves word for the next dialog, where this one is recorded or not in the sample. */
  const leaveWord = (goes: boolean): unknown => allowed() && context.data_sample_rate && save(CONTINUES, [serverTime(), goes]);

  const end = async (continues: unknown): Promise<Outcome> => {
    const blob = part();
    if (continues) leaveWord(!!blob);
    close(blob ? "finished" : "off");
    return sent ?? "off";
  };

  setUp(options!);
  tell(fields, { language: document.documentElement.lang || navigator.language, ...options });
  const asked = allowed() ? refresh() : close("off");
  /** Throws the dice, once: a dialog is recorded whole or not at all. */
  const decided = asked?.then(known).then(() => {
    if (state !== "deciding") return;
    const share = allowed() && context.data_sample_rate;
    const word = load(CONTINUES);
    save(CONTINUES);
    const continued = serverTime() - word?.[0] < LONGEST_WAIT;
    if (!share || !(continued ? word[1] : Math.random() < share)) return close("off");
    if (continued) entries.unshift(CONTINUATION);
    begin(share);
  });
  // Another script of the page may have written into its storage.
  if (now() - left?.[5]! < HOUR) attempt(() => {
    ({ event_stream: entries, ...head } = left![4].data);
    remove(head.id);
    start = left![5]!;
    state = "recording";
  });
  for (const type of ["pagehide", "visibilitychange", CHANGED]) addEventListener(type, leave, listeners);

  return {
    get state() {
      return state;
    },
    event: (name) => note(name, passed(start)),
    time: (name, from = now()) => () => {
      if (from) note(name, passed(start, from), passed(from));
      from = 0;
    },
    set: (given) => heard(() => tell(fields, given)),
    experiment: (name, branch) => heard(() => tell(fields, { experiments: { [name]: branch } })),
    preview,
    pause() {
      const blob = preview();
      if (blob) attempt(() => (sessionStorage.brine = put(blob, start)));
      if (state === "off") leaveWord(false);
      close("finished");
    },
    finish: (continues) =>
      (outcome ??= (async () => {
        if (state !== "deciding") return end(continues);
        await asked;
        const ended = decided!.then(() => end(continues));
        // Where the server cannot be asked, the page keeps it until it can.
        return context.server_time ? ended : "waiting";
      })()),
  };
};
