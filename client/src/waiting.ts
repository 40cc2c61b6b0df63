import type { InteractionBlob } from "./blob";

/** A finished blob, and the server it is meant for. */
export interface Waiting {
  endpoint: string;
  blob: InteractionBlob;
}

const KEY = "brine.waiting";
const MOST = 20;
const LONGEST = 6 * 86_400_000;

/**
 * How long a change of localStorage may take to be seen by other tabs, in ms: browsers do not make a
 * page wait for that. The lock is held for so much longer than the work takes.
 */
const SPREADING = 100;

/** The whole list, where localStorage is full or forbidden; it then lives as long as the page. */
let memory: Waiting[] | undefined;

/** Adds a blob; beyond the most that may wait, the oldest is dropped. */
export function add(endpoint: string, blob: InteractionBlob): void {
  save([...load(), { endpoint, blob }].slice(-MOST));
}

/** What waits for one server, newest first; what is older than 6 days by the server's time is dropped. */
export function list(endpoint: string, serverTime: number): InteractionBlob[] {
  const young = load().filter(({ blob }) => blob.timestamp > serverTime - LONGEST);
  save(young);
  return young.filter((entry) => entry.endpoint === endpoint).map(({ blob }) => blob).reverse();
}

export function has(id: string): boolean {
  return load().some(({ blob }) => blob.id === id);
}

export function remove(id: string): void {
  save(load().filter(({ blob }) => blob.id !== id));
}

/** Forgets all that waits for one server: the person has opted out, or collection is off. */
export function forget(endpoint: string): void {
  save(load().filter((entry) => entry.endpoint !== endpoint));
}

/** How many finished blobs wait in this browser, for any server. */
export const count = (): number => load().length;

/**
 * Runs `work` while no other tab and no other part of this page does, so that what waits is sent once.
 * Without Web Locks (an insecure page, an old browser) tabs may overlap; the blob's id then keeps
 * the server from counting it twice.
 */
export function alone(work: () => Promise<void>): Promise<void> {
  const { locks } = navigator;
  if (!locks) return (lastTurn = lastTurn.then(work, work));
  return new Promise((resolve, reject) => {
    const held = async () => {
      await work().then(resolve, reject);
      await new Promise((done) => setTimeout(done, SPREADING));
    };
    locks.request(KEY, held).catch(reject);
  });
}

let lastTurn: Promise<void> = Promise.resolve();

function load(): Waiting[] {
  if (memory) return memory;
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isWaiting) : [];
  } catch {
    return []; // Forbidden, or another script's text under our key.
  }
}

function save(list: Waiting[]): void {
  try {
    if (list.length) localStorage.setItem(KEY, JSON.stringify(list));
    else localStorage.removeItem(KEY);
    memory = undefined;
  } catch {
    memory = list;
  }
}

function isWaiting(entry: any): entry is Waiting {
  return typeof entry?.endpoint === "string" && typeof entry.blob?.id === "string" && entry.blob.timestamp > 0;
}
