// The rule for commit subjects, held against the history itself.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The first author date to which the rule applies; a rebase keeps author dates. */
const firstDay = "2026-11-28";

const maxSubjectChars = 72;

/** Subjects that git or GitHub writes. */
const generated = /^(Merge |Revert "|fixup! |squash! |amend! )/;

/** First words that end like a participle or like the third person, and are neither. */
const imperativeExceptions =
  /^(bring|embed|feed|need|ping|seed|shed|speed|spring|string|address|\w+(ss|us|xis))$/i;

const isCheckout = existsSync(join(root, ".git"));

test.skipIf(!isCheckout)(
  "[U70] commit subjects are imperative and short (skipped outside a git checkout)",
  () => {
    const log = execFileSync("git", ["log", "--no-merges", "--format=%as %h %s"], {
      cwd: root,
      encoding: "utf8",
    });
    const faults = log
      .split("\n")
      .filter((line) => line.slice(0, firstDay.length) >= firstDay)
      .flatMap((line) => {
        const [, hash = "", subject = ""] = /^\S+ (\S+) (.*)$/.exec(line) ?? [];
        return faultsOf(subject).map((fault) => `${hash} ${subject}: ${fault}`);
      });
    expect(faults).toEqual([]);
  },
);

test.each([
  ["Add a glossary check", []],
  ["Process reports in order", []],
  ['Revert "Added a glossary check"', []],
  ["Added a glossary check", ["begin with an imperative verb"]],
  ["Adds a glossary check", ["begin with an imperative verb"]],
  ["Adding a glossary check", ["begin with an imperative verb"]],
  ["add a glossary check", ["begin with a capital letter"]],
  ["Add a glossary check.", ["end without a period"]],
  [`Add ${"a".repeat(69)}`, ["use at most 72 characters, not 73"]],
])("[U70] %s", (subject, faults) => {
  expect(faultsOf(subject)).toEqual(faults);
});

/** What to change in a commit subject; empty if it keeps the rule. */
function faultsOf(subject: string): readonly string[] {
  if (generated.test(subject)) return [];
  const [verb = ""] = subject.split(" ");
  const isImperative = !/(ed|ing|s)$/.test(verb) || imperativeExceptions.test(verb);
  return [
    ...(subject.length > maxSubjectChars
      ? [`use at most ${maxSubjectChars} characters, not ${subject.length}`]
      : []),
    ...(/^[A-Z]/.test(subject) ? [] : ["begin with a capital letter"]),
    ...(isImperative ? [] : ["begin with an imperative verb"]),
    ...(subject.endsWith(".") ? ["end without a period"] : []),
  ];
}
