import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type GatewayAttempt,
  isUndelivered,
  type ProvenRequest,
  printAttempt,
  printOutcome,
  provenText,
  readAttempt,
  readOutcome,
} from "../../../src/gateway/attempt.ts";

const word = (alphabet: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
const base36 = "0123456789abcdefghijklmnopqrstuvwxyz";

const attempts: fc.Arbitrary<GatewayAttempt> = fc.record({
  keyId: word(`${base36}-_`, 1, 32),
  taskId: word(base36, 1, 25),
  port: fc.integer({ min: 0, max: 65_535 }),
  id: word(`${base36}.-`, 1, 64),
  issuedMs: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
  kind: fc.constantFrom("once", "repeat", "reserve", "tunnel", "hello"),
});
const visible = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join("");
const requests: fc.Arbitrary<ProvenRequest> = fc.record({
  method: word("ABCDEFGHIJKLMNOPQRSTUVWXYZ-", 1, 12),
  target: word(visible, 1, 60),
  host: fc.option(word(visible, 1, 40).filter((host) => host !== "-")),
});
const marks = word(`${base36}_-`, 22, 22);

test("[O1] an attempt prints and reads back equal, with its proof", () => {
  fc.assert(
    fc.property(attempts, marks, (attempt, proof) => {
      expect(readAttempt(printAttempt(attempt, proof))).toEqual({ attempt, proof });
    }),
  );
});

test("[O1] a text with one character changed into a line feed, doubled space or nothing is no attempt", () => {
  fc.assert(
    fc.property(attempts, marks, fc.nat(), (attempt, proof, at) => {
      const text = printAttempt(attempt, proof);
      const index = at % text.length;
      for (const wrong of ["\n", "  ", "é"]) {
        expect(readAttempt(text.slice(0, index) + wrong + text.slice(index + 1))).toBeNull();
      }
      expect(readAttempt(text.slice(0, -1))).toBeNull();
    }),
  );
});

test("[O2] the proven text differs for attempts and requests that differ", () => {
  fc.assert(
    fc.property(attempts, requests, attempts, requests, (attempt, request, other, otherRequest) => {
      const isSame = JSON.stringify([attempt, request]) === JSON.stringify([other, otherRequest]);
      expect(provenText(attempt, request) === provenText(other, otherRequest)).toBe(isSame);
    }),
  );
});

test("[O3] an outcome counts only with the mark of its attempt", () => {
  fc.assert(
    fc.property(marks, marks, (mark, other) => {
      for (const outcome of ["task", "ready", "refused", "gone", "full", "duplicate", "broken"] as const) {
        const text = printOutcome(outcome, mark);
        expect(readOutcome(text, mark)).toBe(outcome);
        if (other !== mark) expect(readOutcome(text, other)).toBeNull();
        expect(readOutcome(outcome, mark)).toBeNull();
      }
      expect(readOutcome(`delivered ${mark}`, mark)).toBeNull();
      expect(readOutcome(null, mark)).toBeNull();
    }),
  );
  expect(isUndelivered("refused") && isUndelivered("gone") && isUndelivered("full")).toBe(true);
  expect(isUndelivered("broken") || isUndelivered("duplicate") || isUndelivered("task")).toBe(false);
});
