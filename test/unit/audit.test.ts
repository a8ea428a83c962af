import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "waggle-audit-"));
const installed = join(folder, "packages.json");
writeFileSync(installed, JSON.stringify(["ws", "zod"]));
afterAll(() => rmSync(folder, { recursive: true }));

const script = fileURLToPath(new URL("../../.ci/audit.mjs", import.meta.url));

function audit(output: unknown): { readonly status: number | null; readonly text: string } {
  const input = typeof output === "string" ? output : JSON.stringify(output);
  const args = [script, installed];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { input, encoding: "utf8" });
  return { status, text: stdout + stderr };
}

/** The form of npm 11. */
const reportOf = (severity: string, name = "ws") => ({
  auditReportVersion: 2,
  vulnerabilities: {
    ws: { name, severity, range: "<8.17.1", via: [{ title: "DoS", url: "https://example.com/a" }] },
  },
  metadata: { vulnerabilities: { total: 1 }, dependencies: { prod: 8 } },
});

test.each(["high", "critical"])("[U111] a %s vulnerability of an installed package fails", (severity) => {
  expect(audit(reportOf(severity))).toEqual({
    status: 1,
    text: `${severity}: ws <8.17.1: DoS (https://example.com/a)\n2 packages that users install were checked\n`,
  });
});

test("[U111] a lower severity passes, and so does a package that only builds or tests use", () => {
  expect(audit(reportOf("moderate"))).toMatchObject({ status: 0 });
  expect(audit(reportOf("high", "vitest"))).toMatchObject({ status: 0 });
});

test("[U111] a registry without the audit endpoint is reported and passes", () => {
  const message = "405 Method Not Allowed - POST https://registry.example.com/advisories/bulk";
  expect(audit({ message, statusCode: 405, error: { summary: "", detail: "" } })).toEqual({
    status: 0,
    text: `npm audit was skipped: the registry does not answer it (${message})\n`,
  });
});

test.each(["", "<html>", "{}"])("[U111] output that cannot be read (%j) fails", (output) => {
  expect(audit(output)).toMatchObject({ status: 1 });
});
