import type { App, AppOptions, Outcome } from "./api";
import { permitted, serverTime } from "./context";
import { ask, deliver, drain, known } from "./door";
import { MOST_EVENT } from "./limits";
import { setUp } from "./setup";
import { load, save } from "./storage";
import { uuid } from "./uuid";
import { FORGET, all, drop, get, keep, remove } from "./waiting";

const EVENTS = "/v1/events";

const INSTALL = "brine.install";

/** Opens a stream of events of this installation of an app. */
export const app = (options: AppOptions): App => {
  setUp(options);
  drain(); // A request to be forgotten may wait, that an earlier page could not bring to its end.
  return { event: (data) => record(options, data).catch(() => "off") };
};

const record = async ({ stream, schema: $schema }: AppOptions, data: any): Promise<Outcome> => {
  await known();
  if (!permitted() || get(FORGET)) return "off";
  const { streams, sampling_epoch } = await ask("/v1/streams").catch(drop);
  const { sample_rate, unit } = streams[stream];

  let install = unit && installId();
  if (unit && !install) save(INSTALL, (install = uuid()));
  const draw = unit && sample_rate < 1 ? await share(sampling_epoch + ":" + install) : Math.random();
  if (!(draw < sample_rate)) return "off";
  const event = { ...data, [unit]: install, $schema, meta: { id: uuid(), dt: new Date(serverTime()).toISOString(), ...data.meta, stream } };
  // The server would refuse it, and no fetch that outlives its page takes over 64 KiB: it would wait in vain, in the place of others.
  if (JSON.stringify(event)[MOST_EVENT]) return drop(), "refused";
  return deliver(keep(uuid(), serverTime(), EVENTS, event));
};

/**
 * Where an install lies, which is in the sample when that is below the rate: the first 8 bytes of SHA-256(epoch + ":" + unit)
 * as a fraction of 2^64. Pages of plain http have no SHA-256: there nothing is in the sample but where all is.
 */
const share = async (text: string): Promise<number> =>
  Number(new DataView(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).getBigUint64(0)) / 2 ** 64;

export const installId = (): string | null => load(INSTALL);

/** Asks the server to erase what this install sent; what waits of it is deleted here and now. */
export const forget = async (): Promise<boolean> => {
  const unit = installId();
  all().forEach(([id, , , path]) => path === EVENTS && remove(id));
  return !unit || (await deliver(keep(FORGET, 0, "/v1/forget", { unit }))) !== "waiting";
};
