import type { InteractionBlob } from "./blob";
import * as waiting from "./waiting";

/** What `GET /wsapi/session_context` tells, as far as this library reads it. */
export interface SessionContext {
  csrf_token: string;
  /** In ms since the epoch, floored to 10 minutes. */
  server_time: number;
  /** The share of dialogs to record; 0 where nothing is to be recorded. */
  data_sample_rate: number;
  /** When it came, by `performance.now()`. */
  receivedAt: number;
}

/**
 * What became of a finished dialog: the server has it (`stored`) or wants none of it (`refused`);
 * it waits in this browser for the server (`waiting`); or nothing was recorded (`off`).
 */
export type Outcome = "stored" | "refused" | "waiting" | "off";

/** Gives up on an answer after this many ms, so that one hanging request does not hold up every tab. */
const PATIENCE = 15_000;

const doors = new Map<string, Door>();

/** The one door to the server at `endpoint`. */
export function door(endpoint: string): Door {
  let found = doors.get(endpoint);
  if (!found) doors.set(endpoint, (found = new Door(endpoint)));
  return found;
}

/** The server's public door: tells the session context, takes blobs, and is tried again when it did not. */
export class Door {
  private latest?: SessionContext;
  /** What became of each blob that this page has posted; `waiting` while it is under way. */
  private readonly outcomes = new Map<string, Outcome>();

  constructor(private readonly endpoint: string) {
    addEventListener("online", () => void this.retry());
  }

  /** The session context, or the latest one known where the server does not answer, or nothing. */
  async context(): Promise<SessionContext | undefined> {
    await this.refresh();
    return this.latest;
  }

  /**
   * Takes a finished blob, and says what became of it. It waits in storage until the server has
   * answered: a page that closes, or a server that is down, loses nothing.
   */
  async deliver(blob: InteractionBlob): Promise<Outcome> {
    waiting.add(this.endpoint, blob);
    await this.drain();
    // Another tab may have been faster with this one; then it no longer waits.
    return this.outcomes.get(blob.id) ?? (waiting.has(blob.id) ? "waiting" : "stored");
  }

  /** The same while the page is going away: the request leaves now, without waiting for its turn. */
  async deliverNow(blob: InteractionBlob): Promise<void> {
    waiting.add(this.endpoint, blob);
    await this.hurry(blob);
  }

  /** Posts a delivered blob whose turn has not come. */
  async hurry(blob: InteractionBlob): Promise<void> {
    if (waiting.has(blob.id) && !this.outcomes.has(blob.id)) await this.settle(blob);
  }

  /** Sends all that waits for this server, newest first, until it is found not ready. */
  drain(): Promise<void> {
    return waiting.alone(async () => {
      if (!this.latest) return;
      for (const blob of waiting.list(this.endpoint, serverTime(this.latest))) {
        // The person may have opted out since the list was made.
        if (waiting.has(blob.id) && (await this.settle(blob)) === "waiting") return;
      }
    });
  }

  private async retry(): Promise<void> {
    if (waiting.count() && (await this.refresh())) await this.drain();
  }

  /** Fetches a new context, and says whether one came. */
  private async refresh(): Promise<boolean> {
    try {
      const answer = await this.fetch("session_context", { cache: "no-store" });
      if (!answer.ok) return false;
      this.latest = parseContext(await answer.json());
    } catch {
      return false; // No network, or an answer that is not Brine's.
    }
    if (this.latest.data_sample_rate === 0) waiting.forget(this.endpoint);
    return true;
  }

  private async settle(blob: InteractionBlob): Promise<Outcome> {
    this.outcomes.set(blob.id, "waiting");
    const outcome = await this.post(blob).catch((): Outcome => "waiting");
    this.outcomes.set(blob.id, outcome);
    if (outcome !== "waiting") waiting.remove(blob.id);
    return outcome;
  }

  private async post(blob: InteractionBlob): Promise<Outcome> {
    let status = await this.postOnce(blob);
    if (status === 403) {
      // The token has expired, or the cookie is gone with another browser session: once more with new ones.
      if (!(await this.refresh())) return "waiting";
      if (this.latest?.data_sample_rate === 0) return "off";
      status = await this.postOnce(blob);
    }
    return judge(status);
  }

  private async postOnce(data: InteractionBlob): Promise<number> {
    const answer = await this.fetch("interaction_data", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ csrf: this.latest?.csrf_token, data }),
      keepalive: true,
    });
    return answer.status;
  }

  private fetch(call: string, init: RequestInit): Promise<Response> {
    const signal = AbortSignal.timeout?.(PATIENCE);
    return fetch(`${this.endpoint}/wsapi/${call}`, { credentials: "include", signal, ...init });
  }
}

/** The server's time at `at` (by `performance.now()`), in ms, going by its context. */
export function serverTime(context: SessionContext, at = performance.now()): number {
  return context.server_time + Math.max(at - context.receivedAt, 0);
}

/** Only 429, a failing server and no network are worth another try; all else ends it. */
function judge(status: number): Outcome {
  if (status === 204) return "off";
  if (status < 300) return "stored";
  return status === 429 || status >= 500 ? "waiting" : "refused";
}

/** Reads a context. Who has opted out is not recorded, nor is anyone where the answer makes no sense. */
function parseContext(answer: any): SessionContext {
  const { csrf_token, server_time, data_sample_rate: rate, opted_out } = answer;
  const sound = typeof csrf_token === "string" && server_time > 0 && rate > 0 && rate <= 1;
  return {
    csrf_token,
    server_time,
    data_sample_rate: sound && !opted_out ? rate : 0,
    receivedAt: performance.now(),
  };
}
