// The rules of the chaos run that need no load: which rows run, and what counts as a loss.

import { expect, test } from "vitest";
import type { Contender } from "../chaos/contender.ts";
import { isWithoutLoss, summarize } from "../chaos/report.ts";
import { scenarios } from "../chaos/scenarios.ts";
import { objectsAreReset } from "../chaos/waggle.ts";

const nothing = async () => undefined;
/** What a mesh under Cloudflare's rules can have done to it. */
const edge = {
  killAgent: nothing,
  killRegistry: objectsAreReset,
  rotateKey: nothing,
  machines: null,
} as unknown as Contender;

test("[X202] each row runs under Cloudflare's rules, or says why it cannot", () => {
  const skipped = scenarios.flatMap(({ name, skip }) => {
    // Of a machine without network namespaces.
    const isUnable = skip(null) !== null;
    const reason = isUnable ? null : skip(edge);
    return reason === null ? [] : [[name, reason]];
  });
  expect(Object.fromEntries(skipped)).toEqual({
    "registry-killed": expect.stringContaining("the registry is an object"),
    "tunnel-cut": expect.stringContaining("connect to the mesh from one address"),
    "node-leaves": expect.stringContaining("stay for as long as the mesh"),
  });
});

const failed = (method: "GET" | "POST", id: string) =>
  ({ id, method, dueMs: 0, latencyMs: 1, outcome: "failed", why: "502" }) as const;

test.each([
  ["a GET", [failed("GET", "1")], [], 0, false],
  ["a POST that a task had read", [failed("POST", "1")], ["1"], 0, true],
  ["a POST that no task had read", [failed("POST", "1")], [], 0, false],
  ["a POST for each process that died", [failed("POST", "1"), failed("POST", "2")], [], 2, true],
  ["a POST more than processes that died", [failed("POST", "1"), failed("POST", "2")], [], 1, false],
  ["a POST that two tasks had read", [], ["1", "1"], 0, false],
] as const)("[X202] whether a row is without loss that lost %s", (_, samples, received, deaths, expected) => {
  expect(isWithoutLoss(summarize("row", "Waggle", samples, received), deaths)).toBe(expected);
});
