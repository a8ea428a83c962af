// Long lists: what is asked for by name, a page at a time.

/** Rows a page: enough to look through, few enough to stay quick. */
export const listRowsPerPage = 100;

export type Page<T> = {
  readonly items: readonly T[];
  /** What was asked for; empty: everything. */
  readonly query: string;
  /** From 1; never beyond the last. */
  readonly number: number;
  readonly pageCount: number;
  readonly total: number;
};

/** @param number as it came in the query string; what is no page is the first one */
export function paginate<T>(
  items: readonly T[],
  textOf: (item: T) => string,
  query: string,
  number: string,
): Page<T> {
  const wanted = query.trim().toLowerCase();
  const found = wanted === "" ? items : items.filter((item) => textOf(item).toLowerCase().includes(wanted));
  const pages = Math.max(1, Math.ceil(found.length / listRowsPerPage));
  const at = Math.min(pages, /^\d{1,6}$/.test(number) ? Math.max(1, Number(number)) : 1);
  const shown = found.slice((at - 1) * listRowsPerPage, at * listRowsPerPage);
  return { items: shown, query: query.trim(), number: at, pageCount: pages, total: found.length };
}
