// A table in a box of its own, which scrolls sideways instead of the page.

import type { Child } from "hono/jsx";

type DataTableProps = {
  /** Names the box for a screen reader. */
  label: string;
  /** One a column. Text gets a header cell; an element is header cells already. */
  headings: readonly Child[];
  tableClass?: string;
  /** The rows. */
  children: Child;
};

/** The box can be focused, so that the arrow keys scroll it. */
export function DataTable({ label, headings, tableClass = "list", children }: DataTableProps) {
  return (
    <section class="scroll" aria-label={label} tabindex={0}>
      <table class={tableClass}>
        <thead>
          <tr>
            {headings.map((heading) =>
              typeof heading === "string" ? <th scope="col">{heading}</th> : heading,
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

/** The heading of a column of numbers, which are aligned to the right. */
export function NumberHeading({ children }: { children: Child }) {
  return (
    <th scope="col" class="number">
      {children}
    </th>
  );
}
