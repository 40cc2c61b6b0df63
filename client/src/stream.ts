import type { Entry, InteractionBlob } from "./api";
import { mend } from "./fields";
import { MOST_BYTES, MOST_ENTRIES, MOST_REPEATS } from "./limits";

/** Of a long stream the beginning and the end are kept: of 200 entries the first 150 and the last 50. */
const cut = (entries: Entry[]): unknown => entries.splice((entries.length * 3) >> 2, 1);

/** Adds an event, or counts one more of the same: the fourth part is how often it came, all told. */
export const add = (entries: Entry[], name: string, ...times: [offset: number, duration?: number]): void => {
  // What is no part of an event's name; UUIDs, hashes and long numbers are most often somebody's id.
  const entry: Entry = [mend(name, /[^\w.:/-]|[\da-f]{8}[\da-f-]*/gi, 64), ...times];
  const last = entries.at(-1);
  if (last?.[0] === entry[0]) {
    last[2] ||= 0;
    last[3] = Math.min((last[3] || 1) + 1, MOST_REPEATS);
  } else if (entries.push(entry) > MOST_ENTRIES) cut(entries);
};

/** A copy of the blob, with as many entries left out as it takes to make it fit. */
export const fit = (blob: InteractionBlob): InteractionBlob => {
  blob = JSON.parse(JSON.stringify(blob));
  while (blob.event_stream[MOST_ENTRIES] || JSON.stringify(blob)[MOST_BYTES]) cut(blob.event_stream);
  return blob;
};
