/**
 * A random UUID, version 4. `crypto.randomUUID` is missing on pages of plain http; the address of an object
 * URL ends with one everywhere.
 */
export const uuid = (): string => URL.createObjectURL(new Blob()).slice(-36);
