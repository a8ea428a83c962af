import { expect, test } from "vitest";
import { changesBetween, VersionedMap } from "../../../src/registry/versioned-map.ts";

const entriesOf = (map: ReadonlyMap<string, number>) => Object.fromEntries([...map].sort());

/** A version with `a` to `c`, and the one after it with an entry replaced, one removed and one added. */
function twoVersions() {
  const first = new VersionedMap(new Map(Object.entries({ a: 1, b: 2, c: 3 })));
  const second = first.next();
  second.set("a", 10);
  second.set("a", 11);
  second.delete("b");
  second.set("d", 4);
  return { first, second };
}

test("[M170] a version of a map stays as it was when the next one changes, and names what changed", () => {
  const { first, second } = twoVersions();
  expect(entriesOf(first)).toEqual({ a: 1, b: 2, c: 3 });
  expect([first.size, first.get("b"), first.has("d"), [...first.keys()].sort()]).toEqual([
    3,
    2,
    false,
    ["a", "b", "c"],
  ]);
  expect(entriesOf(second)).toEqual({ a: 11, c: 3, d: 4 });
  const changes = { a: 1, b: 2, d: undefined };
  expect(Object.fromEntries(changesBetween(first, second))).toEqual(changes);
  const copies = [new Map(first), new Map(second)] as const;
  expect(Object.fromEntries(changesBetween(...copies))).toEqual(changes);
});

test("[M171] a version that is undone leaves the one before as it was, which can change again", () => {
  const { first, second } = twoVersions();
  first.undo();
  expect(entriesOf(first)).toEqual({ a: 1, b: 2, c: 3 });
  expect(() => second.set("a", 1)).toThrow("only the newest version");
  const again = first.next();
  again.set("c", 30);
  expect(entriesOf(again)).toEqual({ a: 1, b: 2, c: 30 });
  expect(entriesOf(first)).toEqual({ a: 1, b: 2, c: 3 });
  expect(() => first.next()).toThrow("only the newest version");
});
