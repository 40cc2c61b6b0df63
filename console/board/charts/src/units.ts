import type { Unit } from "./spec";

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** Scale is what a value is multiplied by for an axis, and what the axis says beside it. */
export interface Scale {
  factor: number;
  sign: string;
  text: (scaled: number) => string;
}

export function scaleOf(unit: Unit, most: number): Scale {
  switch (unit) {
    case "share":
      return { factor: 100, sign: "%", text: (n) => plain.format(n) + "\u00a0%" };
    case "ms":
      if (most >= 120_000) return { factor: 1 / 60_000, sign: "min", text: (n) => plain.format(n) + "\u00a0min" };
      if (most >= 1_000) return { factor: 1 / 1_000, sign: "s", text: (n) => plain.format(n) + "\u00a0s" };
      return { factor: 1, sign: "ms", text: (n) => plain.format(n) + "\u00a0ms" };
    default:
      return { factor: 1, sign: "", text: (n) => (Math.abs(n) >= 10_000 ? compact : plain).format(n) };
  }
}

/** Differences of shares are told in points. */
export function differenceOf(unit: Unit, most: number): Scale {
  const scale = scaleOf(unit, most);
  return unit === "share" ? { ...scale, sign: "points", text: (n) => plain.format(n) } : scale;
}
