// Finding in a long list: a field to search by, and the way from page to page.

import { listRowsPerPage, type Page } from "../paging.ts";
import { formatInteger, pluralize } from "../text.ts";

/** Shown only where the list is longer than a page, or something is searched for. */
export function SearchForm({ page, what, path }: { page: Page<unknown>; what: string; path: string }) {
  if (page.query === "" && page.total <= listRowsPerPage) return null;
  return (
    <search>
      <form class="finder" method="get" action={path}>
        <label for="q">Find {what}s</label>
        <input id="q" name="q" type="search" value={page.query} autocomplete="off" />
        <button type="submit">Find</button>
        <span class="muted">{pluralize(page.total, what)}</span>
      </form>
    </search>
  );
}

export function Pager({ page, path }: { page: Page<unknown>; path: string }) {
  if (page.pageCount === 1) return null;
  const to = (at: number) =>
    `${path}?${new URLSearchParams({ ...(page.query && { q: page.query }), page: String(at) })}`;
  return (
    <nav class="pager" aria-label="Pages of the list">
      {page.number > 1 && (
        <a class="button quiet" href={to(page.number - 1)} rel="prev">
          Previous
        </a>
      )}
      <span>
        Page {formatInteger(page.number)} of {formatInteger(page.pageCount)}
      </span>
      {page.number < page.pageCount && (
        <a class="button quiet" href={to(page.number + 1)} rel="next">
          Next
        </a>
      )}
    </nav>
  );
}
