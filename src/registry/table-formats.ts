// The formats of the routing table that this release prints, and those that a router reads. Only text that both know
// is sent.

import { printedTableFormat } from "../domain/table/text.ts";

/**
 * Why a router cannot get a table from this release; null if it can.
 *
 * @param formats those that the router reads
 */
export function formatRefusal(formats: readonly number[]): string | null {
  if (formats.includes(printedTableFormat)) return null;
  const own = formats.length === 0 ? "none" : formats.join(", ");
  return `the registry prints routing tables of format ${printedTableFormat}, and this router reads ${own}: deploy the same release to both`;
}
