// The search field and the pager of a long list.

import { listRowsPerPage, type Page } from "../paging.ts";
import { formatInteger, pluralize } from "../text.ts";

/** Shown if the list is longer than a page or filtered, or always. */
export function SearchForm({
  page,
  noun,
  path,
  isAlwaysShown = false,
}: {
  page: Page<unknown>;
  noun: string;
  path: string;
  isAlwaysShown?: boolean;
}) {
  if (!isAlwaysShown && page.query === "" && page.total <= listRowsPerPage) return null;
  return (
    <search>
      <form class="search" method="get" action={path}>
        <label for="q">Find {noun}s</label>
        <input id="q" name="q" type="search" value={page.query} autocomplete="off" />
        <button type="submit">Find</button>
        <span class="muted">{pluralize(page.total, noun)}</span>
      </form>
    </search>
  );
}

export function Pager({ page, path }: { page: Page<unknown>; path: string }) {
  if (page.pageCount === 1) return null;
  const pathOf = (number: number) =>
    `${path}?${new URLSearchParams({ ...(page.query && { q: page.query }), page: String(number) })}`;
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
