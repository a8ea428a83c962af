// The change from one version of a routing table to a later one, as text: what a router gets that has the first.
//
//   waggle-change 3
//   from 41
//   to 42 1c3f9a0b77d2e645
//   default my-web
//   key k7f2a9qp
//   gone node 7fq3…k
//   node node1 0s1a…z up 10.0.0.5 direct http://10.0.0.5:7946 -
//   gone service 5jw8…q
//   service api 4hd0…2 roundrobin
//     task 2b7c…e slot 1 on node1 weight 1 80
//   settings my-web 9sk1…t leastconn
//     publish 8080:80/ingress
//     gone task 9xk2…b
//     task 9xk2…c slot 1 on node1 weight 1 80
//   members shop 8dk3…l
//     task 1zc7…a slot 2 on node1 weight 1 80
//
// The second number is followed by the hash of the whole table after the change. A node and a `service` are new, or
// replace the one with their id; `settings` replaces all lines of a service but those of its servers and tasks. Both
// `settings` and `members` name the servers and tasks that are gone, and have the lines of those that changed. The
// format is the table's, whose lines these are; see text.ts.

import { quoteWord } from "./lines.ts";
import { keyOf, linesOf } from "./service-lines.ts";
import type { RoutingTable } from "./table.ts";
import { printedTableFormat, settingLines } from "./text.ts";

/** The first line of a change. */
export const changeFormatLine = `waggle-change ${printedTableFormat}`;

/** A change between two printed tables. */
export type PrintedChange = Pick<RoutingTable, "version" | "defaultService" | "signingKey"> & {
  /** The version that it changes. */
  readonly fromVersion: number;
  /** See `tableHash`. */
  readonly hash: string;
  /** By id, the lines of nodes that were added or changed; null: the node is gone. */
  readonly nodes: ReadonlyMap<string, string | null>;
  /** The lines of each changed service, see `printServiceChange`. */
  readonly services: readonly string[];
};

/** Prints a change; `applyTableChange` reads it. */
export function printTableChange(change: PrintedChange): string {
  const { fromVersion, version, hash, defaultService, signingKey, nodes, services } = change;
  const head = [
    changeFormatLine,
    `from ${fromVersion}`,
    `to ${version} ${hash}`,
    ...settingLines({ defaultService, signingKey }),
  ];
  const nodeLines = [...nodes].map(([id, line]) => line ?? `gone node ${quoteWord(id)}`);
  return [...head, ...nodeLines, ...services, ""].join("\n");
}

/** What changed in a service. */
export type TouchedService = {
  /** True if all of it is printed, because it is new. */
  readonly isWhole: boolean;
  readonly hasNewHead: boolean;
  /** The words that name the servers and tasks that were added, changed or removed; see `keyOf`. */
  readonly members: ReadonlySet<string>;
};

/**
 * Prints what changed in a service.
 *
 * @param text the printed service; null: it is gone
 */
export function printServiceChange(id: string, text: string | null, touched: TouchedService): string {
  if (text === null) return `gone service ${quoteWord(id)}`;
  if (touched.isWhole) return text;
  const { head, members } = linesOf(text);
  // The whole service has fewer lines.
  if (touched.members.size > members.length) return text;
  const left = new Set(touched.members);
  const changed = members.filter((line) => left.delete(keyOf(line)));
  const first = touched.hasNewHead ? `${head}`.replace("service", "settings") : `members ${quoteWord(id)}`;
  return [first, ...[...left].map((key) => `  gone ${key}`), ...changed].join("\n");
}
