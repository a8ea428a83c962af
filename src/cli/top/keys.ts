// The keys of `waggle top`: each maps the state of the screen to the next state.

import { type SectionName, type SortColumn, type SortOrder, sortColumns } from "./rows.ts";

export type TopView = SectionName | "all";

export type TopState = {
  readonly view: TopView;
  readonly order: SortOrder;
  readonly filter: string;
  /** True while keys edit the filter. */
  readonly isTyping: boolean;
  /** Number of rows above the first one shown. */
  readonly scrollTop: number;
  readonly isPaused: boolean;
  readonly isHelpOpen: boolean;
};

export const initialState: TopState = {
  view: "all",
  order: { by: "requests", reverse: false },
  filter: "",
  isTyping: false,
  scrollTop: 0,
  isPaused: false,
  isHelpOpen: false,
};

export function showsTasks({ view }: TopState): boolean {
  return view === "all" || view === "tasks";
}

const viewKeys: Readonly<Record<string, TopView>> = { a: "all", s: "services", n: "nodes", t: "tasks" };
const viewCycle: readonly TopView[] = ["all", "services", "nodes", "tasks"];

/** Capital letters sort by a column. */
const columnKeys: Readonly<Record<string, SortColumn>> = {
  N: "name",
  S: "state",
  R: "requests",
  E: "errors",
  L: "p95",
  T: "retries",
};

/** Rows that page up and page down scroll by. */
const scrollPageRows = 10;

const navigationKeys: Readonly<Record<string, (state: TopState) => TopState>> = {
  tab: (state) => ({ ...state, view: nextView(state.view), scrollTop: 0 }),
  right: (state) => sortByNeighbor(state, 1),
  ">": (state) => sortByNeighbor(state, 1),
  left: (state) => sortByNeighbor(state, -1),
  "<": (state) => sortByNeighbor(state, -1),
  r: (state) => ({ ...state, order: { ...state.order, reverse: !state.order.reverse } }),
  "/": (state) => ({ ...state, isTyping: true, scrollTop: 0 }),
  escape: (state) => ({ ...state, filter: "", scrollTop: 0 }),
  space: (state) => ({ ...state, isPaused: !state.isPaused }),
  "?": (state) => ({ ...state, isHelpOpen: true }),
  h: (state) => ({ ...state, isHelpOpen: true }),
  down: (state) => scrollBy(state, 1),
  j: (state) => scrollBy(state, 1),
  up: (state) => scrollBy(state, -1),
  k: (state) => scrollBy(state, -1),
  pagedown: (state) => scrollBy(state, scrollPageRows),
  pageup: (state) => scrollBy(state, -scrollPageRows),
  home: (state) => ({ ...state, scrollTop: 0 }),
};

/**
 * The state after a key. @param key a name from `readKeys` @returns null to quit
 *
 * @see docs/decisions/0045-top-in-plain-ansi.md
 */
export function applyKey(state: TopState, key: string): TopState | null {
  if (key === "ctrl-c") return null;
  if (state.isTyping) return applyFilterKey(state, key);
  if (state.isHelpOpen) return key === "q" ? null : { ...state, isHelpOpen: false };
  if (key === "q") return null;
  const column = columnKeys[key];
  if (column !== undefined) return sortBy(state, column);
  const view = viewKeys[key];
  if (view !== undefined) return { ...state, view, scrollTop: 0 };
  return navigationKeys[key]?.(state) ?? state;
}

function applyFilterKey(state: TopState, key: string): TopState {
  const { filter } = state;
  if (key === "enter") return { ...state, isTyping: false };
  if (key === "escape") return { ...state, isTyping: false, filter: "" };
  if (key === "backspace") return { ...state, filter: [...filter].slice(0, -1).join("") };
  if (key === "space") return { ...state, filter: `${filter} ` };
  return [...key].length === 1 ? { ...state, filter: filter + key } : state;
}

/** Sorts by a column; sorting by the same column again reverses the order. */
function sortBy(state: TopState, by: SortColumn): TopState {
  const { order } = state;
  return { ...state, order: order.by === by ? { by, reverse: !order.reverse } : { by, reverse: false } };
}

/** Sorts by the previous or next column, in the same direction. */
function sortByNeighbor(state: TopState, step: 1 | -1): TopState {
  const { order } = state;
  const index = sortColumns.indexOf(order.by) + step + sortColumns.length;
  return { ...state, order: { ...order, by: sortColumns[index % sortColumns.length] ?? order.by } };
}

function scrollBy(state: TopState, rows: number): TopState {
  return { ...state, scrollTop: Math.max(0, state.scrollTop + rows) };
}

function nextView(view: TopView): TopView {
  return viewCycle[(viewCycle.indexOf(view) + 1) % viewCycle.length] ?? "all";
}

const keyNames: Readonly<Record<string, string>> = {
  "\x03": "ctrl-c",
  "\t": "tab",
  "\r": "enter",
  "\n": "enter",
  " ": "space",
  "\x1b": "escape",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x1b[A": "up",
  "\x1b[B": "down",
  "\x1b[C": "right",
  "\x1b[D": "left",
  "\x1bOA": "up",
  "\x1bOB": "down",
  "\x1bOC": "right",
  "\x1bOD": "left",
  "\x1b[5~": "pageup",
  "\x1b[6~": "pagedown",
  "\x1b[H": "home",
  "\x1b[1~": "home",
};

/** Names of the keys in a chunk of raw terminal input; over a slow connection a chunk holds several. */
export function readKeys(text: string): readonly string[] {
  // An unknown escape sequence is one key that does nothing, not a series of letters.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals send control characters
  const sequences = text.match(/\x1b\[[\d;]*[A-Za-z~]|\x1bO[A-Z]|[\s\S]/gu) ?? [];
  return sequences.map((sequence) => {
    return keyNames[sequence] ?? (sequence.startsWith("\x1b") ? "unknown" : sequence);
  });
}
