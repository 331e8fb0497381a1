import type { Item } from "../../../src/calls/flight/items.ts";
import { random } from "../../situations/random.ts";

type Fed = Extract<Item, { kind: "frame" | "beat" | "input" }>;

/** A record in which one thing that came in is not what it was. */
export interface Tampered {
  readonly items: readonly Item[];
  readonly what: string;
  /** Where a replay is to part with it: from its place to that of what came in next. */
  readonly at: { readonly from: number; readonly until: number };
}

const isFed = (item: Item | undefined): item is Fed =>
  item?.kind === "frame" || item?.kind === "beat" || item?.kind === "input";

/** Whether what came in changed anything: something followed from it, or it is no mere frame or beat. */
function changes(items: readonly Item[], at: number): boolean {
  const item = items[at];
  if (!isFed(item)) return false;
  const followed = items.slice(at + 1, nextFed(items, at));
  return item.kind === "input" || followed.some(({ kind }) => kind === "command" || kind === "leg-audio");
}

/** So many records, each with one change to what came in. */
export function tamperings(items: readonly Item[], count: number, seed: number): Tampered[] {
  const { unit } = random(seed);
  const pick = (below: number) => Math.floor(unit() * below);
  const places = items.flatMap((_, at) => (changes(items, at) ? [at] : []));
  const waysOf = [dropped, swapped, altered];
  const found: Tampered[] = [];
  for (let i = 0; i < count && places.length > 0; i++) {
    const at = places[pick(places.length)] as number;
    const way = waysOf[pick(waysOf.length)] as (typeof waysOf)[number];
    found.push(way(items, at, pick));
  }
  return found;
}

/** The place of what comes in by itself after `at`; the end when nothing does. */
function nextFed(items: readonly Item[], at: number): number {
  for (let place = at + 1; place < items.length; place++) {
    const item = items[place];
    if ((isFed(item) && !item.nested) || item?.kind === "end") return place;
  }
  return items.length;
}

function dropped(items: readonly Item[], at: number): Tampered {
  const left = items.toSpliced(at, 1);
  return { items: left, what: `dropped ${JSON.stringify(items[at])}`, at: { from: at, until: nextFed(items, at) } };
}

/** With what came in next that is not the same; nested things stay where they are. */
function swapped(items: readonly Item[], at: number, pick: (below: number) => number): Tampered {
  const one = items[at] as Fed;
  const differs = (item: Item | undefined): item is Fed =>
    isFed(item) && item.nested === one.nested && JSON.stringify(item) !== JSON.stringify(one);
  const other = items.findIndex((item, place) => place > at && differs(item));
  if (other === -1) return altered(items, at, pick);
  const changed = items.with(at, items[other] as Item).with(other, one);
  return {
    items: changed,
    what: `swapped ${JSON.stringify(one)} and ${JSON.stringify(items[other])}`,
    at: { from: at, until: nextFed(items, at) },
  };
}

function altered(items: readonly Item[], at: number, pick: (below: number) => number): Tampered {
  const item = items[at] as Fed;
  const later: Fed = { ...item, afterMs: item.afterMs + 1 + pick(200) };
  const changed = item.kind === "input" && pick(2) === 0 ? { ...item, what: alteredInput(item.what, pick) } : later;
  return {
    items: items.with(at, changed),
    what: `altered ${JSON.stringify(item)} to ${JSON.stringify(changed)}`,
    at: { from: at, until: nextFed(items, at) },
  };
}

function alteredInput(what: Extract<Fed, { kind: "input" }>["what"], pick: (below: number) => number) {
  const place = pick(what.length);
  const field = what[place];
  const other =
    typeof field === "number" ? field + 1 : typeof field === "boolean" ? !field : `${JSON.stringify(field)}?`;
  return what.with(place, other) as unknown as typeof what;
}
