// Long lists: the items that match a search, one page at a time.

/** Few enough that a page stays quick. */
export const listRowsPerPage = 100;

/** The query string of a list page. */
export type ListQuery = { readonly text: string; readonly page: string };

export type Page<T> = {
  readonly items: readonly T[];
  /** The text searched for; empty if the list is unfiltered. */
  readonly query: string;
  /** From 1 to `pageCount`. */
  readonly number: number;
  readonly pageCount: number;
  /** Matching items on all pages. */
  readonly total: number;
};

/** A page number that is not a number counts as 1, and one beyond the last page as the last. */
export function paginate<T>(
  items: readonly T[],
  textOf: (item: T) => string,
  { text, page }: ListQuery,
): Page<T> {
  const query = text.trim();
  const needle = query.toLowerCase();
  const matches = needle === "" ? items : items.filter((item) => textOf(item).toLowerCase().includes(needle));
  const pageCount = Math.max(1, Math.ceil(matches.length / listRowsPerPage));
  const number = Math.min(pageCount, /^\d{1,6}$/.test(page) ? Math.max(1, Number(page)) : 1);
  const pageItems = matches.slice((number - 1) * listRowsPerPage, number * listRowsPerPage);
  return { items: pageItems, query, number, pageCount, total: matches.length };
}
