import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { humanAgo, parseDurationNs, printDurationNs } from "../../../src/cli/duration.ts";
import { compareNaturally } from "../../../src/cli/output.ts";
import { readScale } from "../../../src/cli/service/scale.ts";
import { withTag } from "../../../src/cli/service/spec.ts";
import {
  readBytes,
  readCountArgument,
  readEnv,
  readLabel,
  readNanoCpus,
  readWords,
} from "../../../src/cli/values.ts";
import { humanDuration } from "../../../src/domain/model/human-duration.ts";

describe("[L4] single values", () => {
  const valid: [string, unknown, unknown][] = [
    ["a count", readCountArgument("0"), 0],
    ["a large count", readCountArgument("1000000000"), 1_000_000_000],
    ["CPUs", readNanoCpus("0.5"), 500_000_000],
    ["bytes", readBytes("512"), 512],
    ["mebibytes", readBytes("512m"), 512 * 2 ** 20],
    ["gibibytes", readBytes("1.5GiB"), 1.5 * 2 ** 30],
    ["a label", readLabel("a=b=c"), ["a", "b=c"]],
    ["a label without a value", readLabel("a"), ["a", ""]],
    ["a variable", readEnv("A=b c", {}), "A=b c"],
    ["a variable from the environment", readEnv("A", { A: "x=y" }), "A=x=y"],
    [
      "words",
      readWords(`serve --name "my web" 'a "b"' c\\ d`),
      ["serve", "--name", "my web", 'a "b"', "c d"],
    ],
    ["no words", readWords("  "), []],
    ["an empty word", readWords(`a ""`), ["a", ""]],
    ["a scale", readScale("my-web=3"), { ref: "my-web", replicas: 3 }],
    ["an image without a tag", withTag("reg.example:5000/a/b"), "reg.example:5000/a/b:latest"],
    ["an image with a tag", withTag("nginx:1"), "nginx:1"],
    ["an image with a digest", withTag("nginx@sha256:ab"), "nginx@sha256:ab"],
  ];
  test.each(valid)("[L4] %s is parsed", (_title, value, expected) => {
    expect(value).toEqual(expected);
  });

  const refused: [string, () => unknown, string][] = [
    ["a negative count", () => readCountArgument("-1"), "must be a whole number, 0 or more"],
    ["a count in words", () => readCountArgument("two"), "must be a whole number, 0 or more"],
    ["memory without a number", () => readBytes("lots"), "must be an amount of memory such as 512m or 1g"],
    ["negative CPUs", () => readNanoCpus("-1"), "must be a number of CPUs such as 0.5 or 2"],
    ["a variable that is not set", () => readEnv("A", {}), "A is not set in the environment; write A=VALUE"],
    ["a label without a key", () => readLabel("=b"), "must be KEY=VALUE"],
    ["an open quote", () => readWords(`a "b`), `unclosed quote at ""b"`],
    ["a scale without a number", () => readScale("my-web"), "invalid scale specifier 'my-web'"],
    [
      "a scale with an invalid number",
      () => readScale("my-web=x"),
      `invalid replicas value "x": must be a whole number, 0 or more`,
    ],
    ["a duration without a unit", () => parseDurationNs("10"), `invalid duration "10"`],
    ["a negative duration", () => parseDurationNs("-1s"), `invalid duration "-1s"`],
  ];
  test.each(refused)("[L4] %s is refused with the accepted syntax", (_title, read, message) => {
    expect(read).toThrow(expect.objectContaining({ message, exitCode: 2 }));
  });
});

test("[L4] a printed duration parses to the same value", () => {
  expect(parseDurationNs("1m30s")).toBe(90e9);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e15 }), (ns) => {
      expect(parseDurationNs(printDurationNs(ns))).toBe(ns);
    }),
  );
});

test.each([
  [0.4, "Less than a second"],
  [1, "1 second"],
  [8.9, "8 seconds"],
  [60, "About a minute"],
  [150, "2 minutes"],
  [3_600, "About an hour"],
  [7_200, "2 hours"],
  [200_000, "2 days"],
  [2_000_000, "3 weeks"],
  [6_000_000, "2 months"],
  [100_000_000, "3 years"],
])("[L5] %d s is printed as in Docker: %s", (seconds, text) => {
  expect(humanDuration(seconds * 1000)).toBe(text);
});

test("[L5] a time in the future counts as now", () => {
  expect(humanAgo(2_000, 1_000)).toBe("less than a second ago");
});

test("[L5] names are in natural order", () => {
  expect(["web10", "web2", "web", "api", "web2a"].sort(compareNaturally)).toEqual([
    "api",
    "web",
    "web2",
    "web2a",
    "web10",
  ]);
});
