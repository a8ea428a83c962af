// Reads the output of vitest's JSON reporter: prints skipped tests, then "PASSED FAILED" for the shell.

import { readFileSync } from "node:fs";

const { testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const tests = testResults.flatMap((file) => file.assertionResults);
const inState = (...states) => tests.filter((test) => states.includes(test.status));
// A file that cannot be loaded, or whose set-up fails, has no failed test of its own.
const brokenFiles = testResults.filter(
  (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
);
for (const file of brokenFiles) console.error(`did not run: ${file.name}: ${file.message}`);
for (const test of inState("skipped", "pending", "todo", "disabled"))
  console.error(`skipped: ${test.fullName}`);
console.log(inState("passed").length, inState("failed").length + brokenFiles.length);
