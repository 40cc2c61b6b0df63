import type { Outcome } from "./api";
import { alone } from "./alone";
import { CHANGED, agreed, choose } from "./choice";
import { context, permitted, serverTime, setContext } from "./context";
import { say } from "./debug";
import { FIRST_PAUSE, HOUR, LONGEST_PAUSE, PATIENCE } from "./limits";
import { page } from "./page";
import { load, save } from "./storage";
import { FORGET, SENT, type Waiting, all, drop, get, put, remove, trim } from "./waiting";

export const INTERACTION = "/wsapi/interaction_data";

let asking: Promise<unknown> | undefined;
let napping: Promise<unknown> | undefined;
let pause = FIRST_PAUSE;

const tellChange = (): unknown => dispatchEvent(new Event(CHANGED));

const call = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(page.endpoint + path, { credentials: "include", signal: AbortSignal.timeout?.(PATIENCE), ...init });

export const ask = async (path: string, init?: RequestInit): Promise<any> => (await call(path, init)).json();

/** Fetches a new context, and says whether one came. */
export const refresh = (): Promise<unknown> =>
  (asking ??= (async () => {
    let came;
    const fetchContext = async (init?: RequestInit): Promise<void> => {
      const told = await ask("/wsapi/session_context", init);
      came = told.server_time > 0;
      if (came) setContext(told);
    };
    try {
      // No cookie comes of the first question: the answer may be that this server waits for a yes.
      const first = !agreed() && !load(SENT);
      if (first) await fetchContext({ credentials: "omit" });
      if (!first || permitted()) await fetchContext();
    } catch (error) {
      say(error); // No network, or an answer that is not Brine's.
    }
    asking = undefined;
    tellChange();
    if (came) drain();
    return came;
  })());

/** Waits, for longer each time, or until the browser is back on the net. */
const nap = (): Promise<unknown> =>
  new Promise((done) => {
    setTimeout(done, pause * (1 + Math.random()));
    addEventListener("online", done, { once: true });
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  });

/** Returns when there is a context, unless there is no need for one. */
export const known = async (): Promise<void> => {
  while (permitted() && !context && !(await refresh())) await nap();
};

/** Sends a body, with the token where one is due, and says what became of it. */
const send = async (path: string, body: object): Promise<Outcome> => {
  const once = async (): Promise<number> => {
    try {
      const { status } = await call(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(path[1] === "v" ? body : { csrf: context?.csrf_token, ...body }),
        keepalive: true,
      });
      return status;
    } catch {
      return 503; // No network.
    }
  };
  let status = await once();
  // The token has expired, or the cookie is gone with another browser session: once more with new ones.
  if (status === 403) status = !(await refresh()) ? 503 : permitted() ? await once() : 204;
  // Only 429, a failing server and no network are worth another try; all else ends it.
  if (status === 429 || status >= 500) return "waiting";
  return status === 204 ? "off" : status < 300 ? "stored" : "refused";
};

/** Sends what waits, and lets it go when the server has answered. */
const settle = async (id: string): Promise<Outcome> => {
  const entry = get(id);
  if (!entry) return "stored"; // By another tab, that was faster.
  const outcome = await send(entry[3], entry[4]);
  say(outcome, entry[4]);
  if (outcome !== "waiting") {
    remove(id);
    if (id === FORGET) save("brine.install");
    if (outcome === "refused") drop();
  }
  return outcome;
};

/** What may be sent now: not what is meant for another server, nor what is paused and may still go on. */
const due = (): Waiting[] =>
  all().filter(([, at, endpoint, , , paused]) => endpoint === page.endpoint && (!paused || serverTime() - at > HOUR));

/** Sends all that waits, newest first, until the server is found not ready; then tries again later. */
export const drain = async (): Promise<void> => {
  let ready = context || !due()[0] || (await refresh());
  trim();
  for (const [id] of due()) if (ready && (await alone(id, () => settle(id))) === "waiting") ready = false;
  if (ready) pause = FIRST_PAUSE;
  if (due()[0]) tryLater();
};

const tryLater = (): unknown =>
  (napping ??= nap().then(() => {
    napping = undefined;
    drain();
  }));

/** Keeps what is to be sent. It waits in storage until the server has answered. */
export const keep = (id: string, at: number, path: string, body: object, paused?: number): void =>
  put([id, at, page.endpoint, path, body, paused]);

/** Keeps and sends what was just made, and says what became of it. */
export const deliver = (id: string, at: number, path: string, body: object): Promise<Outcome> => {
  keep(id, at, path, body);
  // It leaves now, for the page may be going away; the lock is for the other tabs to see.
  const sending = settle(id);
  alone(id, () => sending);
  sending.then(tryLater);
  return sending;
};

const tellChoice = async (opted_out: boolean): Promise<boolean> => {
  choose(opted_out);
  permitted();
  tellChange();
  const taken = (await send("/privacy/opt-out", { opted_out })) === "stored";
  if (!opted_out) await refresh();
  return taken;
};

export const optOut = (): Promise<boolean> => tellChoice(true);
export const optIn = (): Promise<boolean> => tellChoice(false);
