// A vitest reporter that lists the skipped suites and their reasons at the end. The title of such a suite
// holds the reason: "skipped: no docker command; apt-get install docker.io".

import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node";

export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) => [...module.children]).flatMap(reasons);
    if (lines.length > 0) process.stdout.write(`\n${[...new Set(lines)].join("\n")}\n`);
  }
}

/** Tests excluded by a filter have no reason in their title and are not listed. */
function reasons(entry: TestCase | TestSuite): readonly string[] {
  if (/\bskipped: /.test(entry.name)) return [entry.name];
  return entry.type === "suite" ? [...entry.children].flatMap(reasons) : [];
}
