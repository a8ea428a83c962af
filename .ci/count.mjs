// Reads what vitest's JSON reporter wrote: prints the tests that were skipped, then "PASSED FAILED" for the shell.

import { readFileSync } from "node:fs";

const { testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const tests = testResults.flatMap((file) => file.assertionResults);
const with_ = (...states) => tests.filter((test) => states.includes(test.status));
// A file that cannot be loaded, or whose set-up fails, has no failed test.
const broken = testResults.filter(
  (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
);
for (const file of broken) console.error(`did not run: ${file.name}: ${file.message}`);
for (const test of with_("skipped", "pending", "todo", "disabled"))
  console.error(`skipped: ${test.fullName}`);
console.log(with_("passed").length, with_("failed").length + broken.length);
