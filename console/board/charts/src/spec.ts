// What the server says of a chart: board/chart.go writes it, beside the table of the same figures.

export interface Spec {
  kind: "line" | "funnel" | "narrowing" | "forest" | "arrivals";
  title: string;
  unit: Unit;
  small?: boolean; // one of many, without axes' titles
  domain?: [number, number]; // shared by charts that are compared
  smallest?: number; // the smallest difference that matters
  points?: Point[];
  usual?: Point[];
  ticks?: Tick[]; // of the axis of times
  bars?: Bar[];
  marks?: Mark[];
  rows?: Row[];
}

/** Of values: share 0..1, ms, count, number. */
export type Unit = "share" | "ms" | "count" | "number";

export interface Point {
  at: string; // a date, or a time
  value: number | null; // null: see why
  low?: number | null;
  high?: number | null;
  open?: boolean;
  why?: string;
}

export interface Tick {
  at: string;
  label: string; // what the clock says where the days are of
}

export interface Bar {
  label: string;
  value: number | null;
  text: string;
  left?: string; // who went no further than the step before
}

export interface Mark {
  at: string;
  title: string;
}

export interface Row {
  label: string;
  why?: string;
  value: number | null;
  low?: number | null;
  high?: number | null;
}
