// The lines of a printed service: its head, that is its name, ports, host names and options, and its members, that
// is one line for each server and task. A change of a service is in these lines.

import type { PartsHash } from "./parts-hash.ts";

/** A member's line begins with two words that name it: `task 9xk2…b`. */
const memberKey = /^ {2}((?:server|down|task) (?:"(?:[^"\\]|\\.)*"|[^ ]+)) /;

/** What differs between two states of a printed service. */
export type ServiceDiff = {
  /** Null: the head is the same. */
  readonly head: (LinesBefore & LinesAfter) | null;
  /** By the words that name a member, its lines, if they differ. */
  readonly members: ReadonlyMap<string, LinesBefore & LinesAfter>;
};

/** Null: there was no such line. */
type LinesBefore = { readonly before: string | null };
/** Null: there is no such line any more. */
type LinesAfter = { readonly after: string | null };

/** Compares two states of a printed service. @param before null: it is new @param after null: it was removed */
export function diffService(before: string | null, after: string | null): ServiceDiff {
  const [old, next] = [linesOf(before), linesOf(after)];
  const members = new Map<string, LinesBefore & LinesAfter>();
  // Most lines are the same, and in the same order.
  const shorter = Math.min(old.members.length, next.members.length);
  let start = 0;
  while (start < shorter && old.members[start] === next.members[start]) start += 1;
  let end = 0;
  while (end < shorter - start && old.members.at(-1 - end) === next.members.at(-1 - end)) end += 1;
  const removed = new Map(
    old.members.slice(start, old.members.length - end).map((line) => [keyOf(line), line]),
  );
  for (const line of next.members.slice(start, next.members.length - end)) {
    const key = keyOf(line);
    const oldLine = removed.get(key) ?? null;
    removed.delete(key);
    if (oldLine !== line) members.set(key, { before: oldLine, after: line });
  }
  for (const [key, line] of removed) members.set(key, { before: line, after: null });
  return { head: old.head === next.head ? null : { before: old.head, after: next.head }, members };
}

/** Follows a difference of the service `id`. */
export function followDiff(hash: PartsHash, id: string, { head, members }: ServiceDiff): void {
  for (const { before, after } of [...(head === null ? [] : [head]), ...members.values()]) {
    if (before !== null) hash.remove(id, before);
    if (after !== null) hash.add(id, after);
  }
}

type ServiceLines = { readonly head: string | null; readonly members: readonly string[] };

/** The lines of a printed service; without any if it is null. */
export function linesOf(text: string | null): ServiceLines {
  if (text === null) return { head: null, members: [] };
  const lines = text.split("\n");
  const first = lines.findIndex((line) => memberKey.test(line));
  if (first < 0) return { head: text, members: [] };
  return { head: lines.slice(0, first).join("\n"), members: lines.slice(first) };
}

/** The words that name the member of a line. */
export function keyOf(line: string): string {
  return memberKey.exec(line)?.[1] ?? line;
}
