// The search field and the pager of a long list.

import { listRowsPerPage, type Page } from "../paging.ts";
import { formatInteger, pluralize } from "../text.ts";

/** Shown if the list is longer than a page or filtered, or always. */
export function SearchForm({
  page,
  noun,
  path,
  isAlwaysShown = false,
  params = {},
}: {
  page: Page<unknown>;
  noun: string;
  path: string;
  isAlwaysShown?: boolean;
  /** Other parameters of the page, which a search keeps. */
  params?: Readonly<Record<string, string>>;
}) {
  if (!isAlwaysShown && page.query === "" && page.total <= listRowsPerPage) return null;
  return (
    <search>
      <form class="search" method="get" action={path}>
        {Object.entries(params).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <label for="q">Find {noun}s</label>
        <input id="q" name="q" type="search" value={page.query} autocomplete="off" />
        <button type="submit">Find</button>
        <span class="muted">{pluralize(page.total, noun)}</span>
      </form>
    </search>
  );
}

export function Pager({
  page,
  path,
  params = {},
}: {
  page: Page<unknown>;
  path: string;
  params?: Readonly<Record<string, string>>;
}) {
  if (page.pageCount === 1) return null;
  const pathOf = (number: number) =>
    `${path}?${new URLSearchParams({ ...params, ...(page.query && { q: page.query }), page: String(number) })}`;
  return (
    <nav class="pager" aria-label="Pages of the list">
      {page.number > 1 && (
        <a class="button quiet" href={pathOf(page.number - 1)} rel="prev">
          Previous
        </a>
      )}
      <span>
        Page {formatInteger(page.number)} of {formatInteger(page.pageCount)}
      </span>
      {page.number < page.pageCount && (
        <a class="button quiet" href={pathOf(page.number + 1)} rel="next">
          Next
        </a>
      )}
    </nav>
  );
}
