// What the registry of a test sends to a router.

import type { RegistryReply } from "../../src/proxy/link/registry-link.ts";
import type { RouterKeys, SentTable } from "../../src/proxy/routing/table-cache.ts";

/** What a test's registry sends: the text of a table, or null if there is no newer one. */
export type TestTable = RouterKeys & { readonly version: number; readonly text: string | null };

/** A test's registry. */
export type TestSource = (afterVersion: number) => Promise<TestTable>;

/** What a router gets from a test's registry. */
export function sentTable({ text, ...rest }: TestTable): SentTable {
  return { ...rest, table: text === null ? null : { kind: "whole", text } };
}

/** The reply to a router whose counters are counted. */
export function registryReply(sent: TestTable): RegistryReply {
  return { ...sentTable(sent), counted: true, isWatched: false };
}
