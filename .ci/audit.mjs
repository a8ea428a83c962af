// Reads the output of `npm audit --json` from stdin. Fails on vulnerabilities of high or critical severity in the
// packages that a JSON file names, those whose code users install, and on output that it cannot read. A registry without the audit endpoint is reported and does not fail.

import { readFileSync } from "node:fs";

const installed = new Set(JSON.parse(readFileSync(process.argv[2], "utf8")));
const text = readFileSync(0, "utf8");
const report = parse(text);
if (report?.metadata !== undefined) {
  const severe = Object.values(report.vulnerabilities ?? {}).filter(
    ({ name, severity }) => installed.has(name) && ["high", "critical"].includes(severity),
  );
  for (const { name, severity, range, via } of severe) {
    const titles = via.flatMap((cause) => (typeof cause === "string" ? [] : `${cause.title} (${cause.url})`));
    console.log(`${severity}: ${name} ${range}${titles.length === 0 ? "" : `: ${titles.join("; ")}`}`);
  }
  console.log(`${installed.size} packages that users install were checked`);
  process.exitCode = severe.length === 0 ? 0 : 1;
} else if (report?.error !== undefined) {
  const reason = report.message || report.error.summary || report.error.code || "no reason given";
  console.log(`npm audit was skipped: the registry does not answer it (${reason})`);
} else {
  console.error(`cannot read the output of npm audit: ${JSON.stringify(text.slice(0, 200))}`);
  process.exitCode = 1;
}

function parse(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
