import * as Plot from "@observablehq/plot";
import type { Mark, Point, Spec } from "./spec";
import { differenceOf, scaleOf, type Scale } from "./units";

// Colours come from the page's style sheet, so that they follow its scheme. No chart needs them: what differs
// by colour differs by dashes, symbols or labels too.
const accent = "var(--accent)";
const soft = "var(--soft)";
const faint = "var(--line)";
const ink = "var(--ink)";

interface Placed {
  at: Date;
  value: number;
  low: number;
  high: number;
  open: boolean;
  why: string;
}

/** Draw makes a chart as wide as it may be. */
export function draw(spec: Spec, width: number): SVGSVGElement {
  return charts[spec.kind](spec, width) as SVGSVGElement;
}

const charts: Record<Spec["kind"], (spec: Spec, width: number) => Element> = { line, funnel, narrowing, forest, arrivals };

function common(spec: Spec, width: number): Plot.PlotOptions {
  return {
    width,
    ariaLabel: spec.title,
    ariaDescription: "The same figures are in the table beside the chart.",
    style: { fontFamily: "inherit", fontSize: spec.small ? "11px" : "12px", background: "none", color: "var(--soft)", overflow: "visible" },
  };
}

// scaled is a value for the axis; NaN breaks a line where there is none.
const scaled = (value: number | null | undefined, scale: Scale) => (value == null ? NaN : value * scale.factor);

function place(points: Point[], scale: Scale): Placed[] {
  return points.map((p) => ({
    at: new Date(p.at),
    value: scaled(p.value, scale),
    low: scaled(p.low, scale),
    high: scaled(p.high, scale),
    open: p.open ?? false,
    why: p.why ?? "",
  }));
}

function largest(spec: Spec): number {
  let most = 0;
  for (const p of [...(spec.points ?? []), ...(spec.usual ?? []), ...(spec.rows ?? [])]) {
    for (const v of [p.value, p.low, p.high]) if (v != null) most = Math.max(most, Math.abs(v));
  }
  return Math.max(most, spec.smallest ?? 0);
}

interface Gap {
  from: Date;
  to: Date;
  why: string;
}

// gaps are the runs of days without a value, from noon to noon so that they meet the days beside them.
function gaps(points: Placed[], step: number): Gap[] {
  const found: Gap[] = [];
  for (const p of points) {
    if (!Number.isNaN(p.value)) continue;
    const last = found.at(-1);
    const [from, to] = [new Date(+p.at - step / 2), new Date(+p.at + step / 2)];
    if (last && +last.to === +from && last.why === p.why) last.to = to;
    else found.push({ from, to, why: p.why });
  }
  return found;
}

const day = 86_400_000;

// alone are the points between gaps, which no line shows.
function alone(points: Placed[]): Placed[] {
  const known = (p?: Placed) => p !== undefined && !Number.isNaN(p.value);
  return points.filter((p, i) => known(p) && !p.open && !known(points[i - 1]) && !known(points[i + 1]));
}

function gapMarks(points: Placed[], step: number, width: number): Plot.Markish[] {
  const all = gaps(points, step);
  if (all.length === 0) return [];
  const span = +points.at(-1)!.at - +points[0]!.at + step;
  const wide = all.filter((g) => ((+g.to - +g.from) / span) * width > 48);
  return [
    Plot.rect(all, { x1: "from", x2: "to", fill: faint, fillOpacity: 0.55 }),
    Plot.text(wide, { x: (g: Gap) => new Date((+g.from + +g.to) / 2), text: "why", frameAnchor: "middle", fill: soft, fontSize: 10 }),
  ];
}

function changeMarks(marks: Mark[] | undefined, small: boolean): Plot.Markish[] {
  const all = (marks ?? []).map((m) => ({ at: new Date(m.at), title: m.title }));
  if (all.length === 0) return [];
  return [
    Plot.ruleX(all, { x: "at", stroke: ink, strokeDasharray: "2,3", strokeWidth: 1 }),
    Plot.text(all, { x: "at", text: (m: { title: string }) => "▾ " + (small ? "" : m.title), frameAnchor: "top", textAnchor: "start", dx: -4, dy: -12, fill: ink, fontSize: 10 }),
  ];
}

// daily is a day's axis: as many ticks as there is room for.
const daily = (width: number): Plot.ScaleOptions => ({ type: "utc", label: null, ticks: Math.max(2, Math.floor(width / 90)) });

function line(spec: Spec, width: number): Element {
  const scale = scaleOf(spec.unit, spec.domain?.[1] ?? largest(spec));
  const points = place(spec.points ?? [], scale);
  return Plot.plot({
    ...common(spec, width),
    height: spec.small ? 120 : 260,
    marginTop: 20,
    marginLeft: 44,
    marginRight: 10,
    marginBottom: 24,
    x: daily(width),
    y: { label: null, grid: true, ticks: spec.small ? 3 : 5, tickFormat: scale.text, domain: fit(spec, points, scale) },
    marks: [
      ...gapMarks(points, day, width - 54),
      Plot.areaY(points, { x: "at", y1: "low", y2: "high", fill: accent, fillOpacity: 0.14, clip: true }),
      Plot.lineY(points.filter((p) => !p.open), { x: "at", y: "value", stroke: accent, strokeWidth: 1.8 }),
      Plot.dot(alone(points), { x: "at", y: "value", r: 2, fill: accent }),
      Plot.dot(points.filter((p) => p.open), { x: "at", y: "value", r: 3, stroke: accent, strokeWidth: 1.5, fill: "var(--paper)" }),
      ...changeMarks(spec.marks, spec.small ?? false),
      ...pointer(points, scale),
    ],
  });
}

// fit is from where to where an axis goes: around the values, not around their intervals, which may be as wide as all that can be.
function fit(spec: Spec, points: Placed[], scale: Scale): [number, number] {
  const values = spec.domain?.map((v) => v * scale.factor) ?? points.map((p) => p.value).filter((v) => !Number.isNaN(v));
  if (values.length === 0) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (spec.unit === "count") return [0, high * 1.1 || 1];
  const beside = Math.max((high - low) * 0.5, high * 0.05, 1e-9);
  return [Math.max(0, low - beside), spec.unit === "share" ? Math.min(100, high + beside) : high + beside];
}

// pointer tells the value under the mouse.
function pointer(points: Placed[], scale: Scale): Plot.Markish[] {
  const known = points.filter((p) => !Number.isNaN(p.value));
  return [
    Plot.ruleX(known, Plot.pointerX({ x: "at", stroke: soft, strokeWidth: 0.5 })),
    Plot.tip(known, Plot.pointerX({
      x: "at", y: "value", fill: "var(--paper)", stroke: soft,
      title: (p: Placed) => `${p.at.toISOString().slice(0, 10)}${p.open ? ", so far" : ""}\n${scale.text(round(p.value))}`,
    })),
  ];
}

// round keeps three digits that count.
const round = (n: number) => Number(n.toPrecision(4));

function funnel(spec: Spec, width: number): Element {
  const bars = (spec.bars ?? []).map((b, i) => ({ ...b, key: String(i), width: b.value ?? 0 }));
  const most = Math.max(...bars.map((b) => b.width), 1e-9);
  const left = bars.filter((b) => b.left && (1 - b.width / most) * width > 120);
  const narrow = width < 560;
  return Plot.plot({
    ...common(spec, width),
    height: bars.length * (narrow ? 56 : 46) + 8,
    marginLeft: narrow ? 0 : 190,
    marginRight: 8,
    marginTop: 2,
    marginBottom: 6,
    x: { axis: null, domain: [0, most] },
    y: { axis: null, type: "band", domain: bars.map((b) => b.key), padding: narrow ? 0.5 : 0.28 },
    marks: [
      Plot.barX(bars, { x1: 0, x2: most, y: "key", fill: faint, fillOpacity: 0.6, rx: 3 }),
      Plot.barX(bars, { x1: 0, x2: "width", y: "key", fill: accent, rx: 3 }),
      narrow
        ? Plot.text(bars, { x: 0, y: "key", text: (b: { label: string; text: string }) => b.label + ": " + b.text, textAnchor: "start", dy: -22, fill: ink, fontSize: 12 })
        : [
            Plot.text(bars, { x: 0, y: "key", text: "label", textAnchor: "end", dx: -10, fill: ink, fontSize: 13 }),
            Plot.text(bars.filter((b) => b.width >= most * 0.45), { x: "width", y: "key", text: "text", textAnchor: "end", dx: -8, fill: "var(--on-accent)", fontSize: 12, fontWeight: 600 }),
            Plot.text(bars.filter((b) => b.width < most * 0.45), { x: "width", y: "key", text: "text", textAnchor: "start", dx: 8, fill: ink, fontSize: 12, fontWeight: 600 }),
            Plot.text(left, { x: () => most, y: "key", text: "left", textAnchor: "end", dx: -8, fill: soft, fontSize: 12 }),
          ],
    ],
  });
}

// halo keeps a text legible above what it lies on.
const halo = { stroke: "var(--paper)", strokeWidth: 4, paintOrder: "stroke" } as const;

// unsure is a difference that nothing is known about but itself: it must not look like one that is known exactly.
const unsure = (r: { value: number; low: number; high: number }) => !Number.isNaN(r.value) && Number.isNaN(r.low) && Number.isNaN(r.high);

function narrowing(spec: Spec, width: number): Element {
  const scale = differenceOf(spec.unit, largest(spec));
  const points = place(spec.points ?? [], scale);
  const smallest = (spec.smallest ?? 0) * scale.factor;
  return Plot.plot({
    ...common(spec, width),
    height: 280,
    marginTop: 28,
    marginLeft: 48,
    marginRight: 10,
    x: daily(width),
    y: { label: "difference" + (scale.sign && `, ${scale.sign}`), labelAnchor: "top", labelArrow: "none", grid: true, tickFormat: scale.text },
    marks: [
      Plot.ruleY([0], { stroke: ink, strokeWidth: 1 }),
      ...(smallest > 0 ? [Plot.ruleY([-smallest, smallest], { stroke: ink, strokeDasharray: "6,4", strokeOpacity: 0.7 })] : []),
      Plot.areaY(points, { x: "at", y1: "low", y2: "high", fill: accent, fillOpacity: 0.16 }),
      Plot.lineY(points, { x: "at", y: "low", stroke: accent, strokeDasharray: "3,3" }),
      Plot.lineY(points, { x: "at", y: "high", stroke: accent, strokeDasharray: "3,3" }),
      Plot.lineY(points, { x: "at", y: "value", stroke: accent, strokeWidth: 2 }),
      Plot.dot(points.slice(-1), { x: "at", y: "value", r: 3.5, fill: accent }),
      ...(smallest > 0 ? [Plot.text([smallest], { y: (n: number) => n, text: () => "smallest that matters", frameAnchor: "right", textAnchor: "end", dy: -7, fill: soft, fontSize: 10, ...halo })] : []),
      ...pointer(points, scale),
    ],
  });
}

function forest(spec: Spec, width: number): Element {
  const scale = differenceOf(spec.unit, largest(spec));
  const rows = (spec.rows ?? []).map((r, i) => ({ label: r.label, why: r.why ?? "no data", key: String(i), value: scaled(r.value, scale), low: scaled(r.low, scale), high: scaled(r.high, scale) }));
  const smallest = (spec.smallest ?? 0) * scale.factor;
  const ends = [...rows.flatMap((r) => [r.value, r.low, r.high]).filter((v) => !Number.isNaN(v)), 0, smallest, -smallest];
  const middle = (Math.min(...ends) + Math.max(...ends)) / 2;
  return Plot.plot({
    ...common(spec, width),
    height: rows.length * 24 + 58,
    marginLeft: Math.min(200, width * 0.38),
    marginRight: 14,
    marginTop: 42,
    x: { axis: "top", inset: 8, grid: true, label: "difference" + (scale.sign && `, ${scale.sign}`), labelAnchor: "left", labelOffset: 36, labelArrow: "none", tickFormat: scale.text, ticks: Math.max(3, Math.floor(width / 130)) },
    y: { type: "point", axis: null, domain: rows.map((r) => r.key), padding: 0.7 },
    marks: [
      Plot.ruleX([0], { stroke: ink }),
      ...(smallest > 0 ? [Plot.ruleX([-smallest, smallest], { stroke: ink, strokeDasharray: "6,4", strokeOpacity: 0.7 })] : []),
      Plot.ruleY(rows, { y: "key", x1: "low", x2: "high", stroke: accent, strokeWidth: 2 }),
      Plot.dot(rows.filter((r) => !unsure(r)), { x: "value", y: "key", r: 4, fill: accent }),
      Plot.dot(rows.filter(unsure), { x: "value", y: "key", r: 4, fill: "var(--paper)", stroke: accent, strokeWidth: 1.5 }),
      ...[true, false].map((after) => Plot.text(rows.filter((r) => unsure(r) && r.value < middle === after), { x: "value", y: "key", text: () => "no interval yet", textAnchor: after ? "start" : "end", dx: after ? 9 : -9, fill: soft, ...halo })),
      Plot.text(rows, { y: "key", text: "label", frameAnchor: "left", textAnchor: "end", dx: -8, fill: ink }),
      Plot.text(rows.filter((r) => Number.isNaN(r.value)), { y: "key", x: 0, text: "why", textAnchor: "start", dx: 6, fill: soft, ...halo }),
    ],
  });
}

function arrivals(spec: Spec, width: number): Element {
  const scale = scaleOf(spec.unit, largest(spec));
  const points = place(spec.points ?? [], scale);
  const usual = place(spec.usual ?? [], scale);
  const every = Math.ceil((spec.ticks ?? []).length / Math.max(2, Math.floor(width / 90)));
  const ticks = (spec.ticks ?? []).filter((_, i) => i % every === 0);
  const labels = new Map(ticks.map((t) => [+new Date(t.at), t.label]));
  return Plot.plot({
    ...common(spec, width),
    height: 240,
    marginTop: 20,
    marginLeft: 44,
    marginRight: 10,
    x: { type: "utc", label: null, ticks: ticks.map((t) => new Date(t.at)), tickFormat: (at: Date) => labels.get(+at) ?? "" },
    y: { label: null, grid: true, tickFormat: scale.text, ...(largest(spec) > 0 ? { zero: true, nice: true } : { domain: [0, 1] }) },
    marks: [
      ...gapMarks(points, 600_000, width - 54),
      Plot.areaY(points, { x: "at", y: "value", fill: accent, fillOpacity: 0.2, curve: "step" }),
      Plot.lineY(points, { x: "at", y: "value", stroke: accent, strokeWidth: 1.5, curve: "step" }),
      Plot.lineY(usual, { x: "at", y: "value", stroke: ink, strokeDasharray: "4,4", strokeWidth: 1.2, curve: "step" }),
      Plot.ruleY([0], { stroke: soft }),
    ],
  });
}
