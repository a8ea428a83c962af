// What a key does to `waggle top`: from one state of the screen to the next.

import { type SectionName, type SortColumn, type SortOrder, sortColumns } from "./rows.ts";

export type TopView = SectionName | "all";

export type TopState = {
  readonly view: TopView;
  readonly order: SortOrder;
  readonly filter: string;
  /** Keys go into the filter. */
  readonly isTyping: boolean;
  /** Rows scrolled past. */
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

/** Capital letters name the column to sort by. */
const columnKeys: Readonly<Record<string, SortColumn>> = {
  N: "name",
  S: "state",
  R: "requests",
  E: "errors",
  L: "p95",
  T: "retries",
};

/** Rows of a page up or down. */
const scrollPageRows = 10;

/** @param key as `readKeys` names it @returns null to quit */
export function applyKey(state: TopState, key: string): TopState | null {
  if (key === "ctrl-c") return null;
  if (state.isTyping) return applyFilterKey(state, key);
  if (state.isHelpOpen) return key === "q" ? null : { ...state, isHelpOpen: false };
  if (key === "q") return null;
  const column = columnKeys[key];
  if (column !== undefined) return sortBy(state, column);
  const view = viewKeys[key];
  if (view !== undefined) return { ...state, view, scrollTop: 0 };
  return applyNavigationKey(state, key);
}

function applyNavigationKey(state: TopState, key: string): TopState {
  const scrolled = (rows: number) => ({ ...state, scrollTop: Math.max(0, state.scrollTop + rows) });
  const { view, order } = state;
  switch (key) {
    case "tab":
      return {
        ...state,
        view: viewCycle[(viewCycle.indexOf(view) + 1) % viewCycle.length] ?? "all",
        scrollTop: 0,
      };
    case "right":
    case ">":
      return { ...state, order: { ...order, by: adjacentColumn(order.by, 1) } };
    case "left":
    case "<":
      return { ...state, order: { ...order, by: adjacentColumn(order.by, -1) } };
    case "r":
      return { ...state, order: { ...order, reverse: !order.reverse } };
    case "/":
      return { ...state, isTyping: true, scrollTop: 0 };
    case "escape":
      return { ...state, filter: "", scrollTop: 0 };
    case "space":
      return { ...state, isPaused: !state.isPaused };
    case "?":
    case "h":
      return { ...state, isHelpOpen: true };
    case "down":
    case "j":
      return scrolled(1);
    case "up":
    case "k":
      return scrolled(-1);
    case "pagedown":
      return scrolled(scrollPageRows);
    case "pageup":
      return scrolled(-scrollPageRows);
    case "home":
      return { ...state, scrollTop: 0 };
    default:
      return state;
  }
}

function applyFilterKey(state: TopState, key: string): TopState {
  const { filter } = state;
  if (key === "enter") return { ...state, isTyping: false };
  if (key === "escape") return { ...state, isTyping: false, filter: "" };
  if (key === "backspace") return { ...state, filter: [...filter].slice(0, -1).join("") };
  if (key === "space") return { ...state, filter: `${filter} ` };
  return [...key].length === 1 ? { ...state, filter: filter + key } : state;
}

/** The same column again turns the order round. */
function sortBy(state: TopState, by: SortColumn): TopState {
  const { order } = state;
  return { ...state, order: order.by === by ? { by, reverse: !order.reverse } : { by, reverse: false } };
}

function adjacentColumn(by: SortColumn, step: 1 | -1): SortColumn {
  const at = sortColumns.indexOf(by) + step;
  return sortColumns[(at + sortColumns.length) % sortColumns.length] ?? by;
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

/** The keys in what a terminal in raw mode sent; over a slow line many may come at once. */
export function readKeys(text: string): readonly string[] {
  // A sequence that is not known is one key that does nothing, not a row of letters.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what terminals send
  const parts = text.match(/\x1b\[[\d;]*[A-Za-z~]|\x1bO[A-Z]|[\s\S]/gu) ?? [];
  return parts.map((part) => keyNames[part] ?? (part.startsWith("\x1b") ? "unknown" : part));
}
