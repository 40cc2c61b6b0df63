import type { Outcome } from "./api";
import { alone } from "./alone";
import { CHANGED, CHOICE } from "./choice";
import { now } from "./clock";
import { context, permitted, serverTime } from "./context";
import { say } from "./debug";
import { FIRST_PAUSE, HOUR, LONGEST_PAUSE, PATIENCE } from "./limits";
import { page } from "./page";
import { load, save } from "./storage";
import { FORGET, SENT, type Waiting, all, drop, get, keep, remove, trim } from "./waiting";

export const INTERACTION = "/wsapi/interaction_data";

let asking: Promise<unknown> | undefined;
let napping: Promise<unknown> | undefined;
let pause = FIRST_PAUSE;

const tellChange = (): unknown => dispatchEvent(new Event(CHANGED));

const call = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(page.endpoint + path, { credentials: "include", signal: AbortSignal.timeout(PATIENCE), ...init });

export const ask = async (path: string, init?: RequestInit): Promise<any> => (await call(path, init)).json();

/** Fetches a new context, and says whether one came. */
export const refresh = (): Promise<unknown> =>
  (asking ??= (async () => {
    let came;
    const fetchContext = async (init?: RequestInit): Promise<boolean> => {
      const told = await ask("/wsapi/session_context", init);
      came = told.server_time > 0 && Object.assign(context, told, { received: now() });
      return permitted();
    };
    try {
      // No cookie comes of the first question: the answer may be that this server waits for a yes.
      if (load(CHOICE) === false || load(SENT) || (await fetchContext({ credentials: "omit" }))) await fetchContext();
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
    addEventListener("online", done);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  });

/** Returns when there is a context, unless there is no need for one. */
export const known = async (): Promise<void> => {
  while (permitted() && !context.server_time && !(await refresh())) await nap();
};

/** Sends what waits, with the token where one is due, and lets it go when the server has answered. */
const settle = async (id: string): Promise<Outcome> => {
  const [, , , path, body] = get(id) || [];
  if (!path) return "stored"; // By another tab, that was faster.
  const once = (): Promise<number> =>
    call(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(path[1] === "v" ? body : { csrf: context.csrf_token, ...body }),
      keepalive: true,
    }).then((answer) => answer.status, () => 503); // No network.
  let status = await once();
  // The token has expired, or the cookie is gone with another browser session: once more with new ones.
  if (status === 403) status = !(await refresh()) ? 503 : permitted() ? await once() : 204;
  // Only 429, a failing server and no network are worth another try; all else ends it.
  const outcome =
    status >= 500 || status === 429 ? "waiting" : status === 204 ? "off" : status < 300 ? "stored" : "refused";
  say(outcome, body);
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
  let ready: unknown = context.server_time || !due()[0] || (await refresh());
  trim();
  for (const [id] of due()) ready &&= (await alone(id, () => settle(id))) !== "waiting";
  if (ready) pause = FIRST_PAUSE;
  if (due()[0]) tryLater();
};

const tryLater = (): unknown =>
  (napping ??= nap().then(() => {
    napping = undefined;
    drain();
  }));

/** Sends what was just kept, and says what became of it. */
export const deliver = (id: string): Promise<Outcome> => {
  // It leaves now, for the page may be going away; the lock is for the other tabs to see.
  const sending = settle(id);
  alone(id, () => sending);
  sending.then(tryLater);
  return sending;
};

export const tellChoice = async (opted_out: boolean): Promise<boolean> => {
  save(CHOICE, opted_out);
  permitted();
  tellChange();
  const taken = (await deliver(keep("opted_out", 0, "/privacy/opt-out", { opted_out }))) === "stored";
  if (!opted_out) await refresh();
  return taken;
};

export const optOut = (): Promise<boolean> => tellChoice(true);
export const optIn = (): Promise<boolean> => tellChoice(false);
