// A reporter for vitest that names, after all else, what was skipped and why. A suite that may be skipped says the
// reason in its title: "skipped: no docker command; apt-get install docker.io".

import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node";

export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) => [...module.children]).flatMap(reasons);
    if (lines.length > 0) process.stdout.write(`\n${[...new Set(lines)].join("\n")}\n`);
  }
}

/** What a filter passes over has no reason in its title and is not named. */
function reasons(entry: TestCase | TestSuite): readonly string[] {
  if (/\bskipped: /.test(entry.name)) return [entry.name];
  return entry.type === "suite" ? [...entry.children].flatMap(reasons) : [];
}
