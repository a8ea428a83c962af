// The walk of the lab: real machines in network namespaces, the Docker CLI, HAProxy and nginx.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { whatIsMissing } from "../../infra/lab/requirements.ts";

const program = fileURLToPath(new URL("../../infra/lab/lab.sh", import.meta.url));
const missing = whatIsMissing();

/** The walk with the start of its lab, on a busy machine. */
const walkTimeoutMs = 300_000;

describe.skipIf(missing !== null)(`the lab${missing === null ? "" : ` (skipped: ${missing})`}`, () => {
  let child: ChildProcess;
  let folder: string;
  let report = "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lab-test-"));
    child = spawn(program, ["walk"], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (bytes) => {
        report += bytes;
      });
    }
    await new Promise((resolve) => child.once("close", resolve));
  }, walkTimeoutMs);

  afterAll(() => {
    child?.kill("SIGTERM");
    rmSync(folder, { recursive: true, force: true });
  });

  /** Checks the step of a rule by its line in the report. A step that this version cannot take has the reason. */
  function expectStep(rule: string, { skip }: TestContext): void {
    const reason = new RegExp(`^skipped ${rule}: (.*)$`, "m").exec(report)?.[1];
    if (reason !== undefined) skip(reason);
    expect(report).toMatch(new RegExp(`^ok ${rule}$`, "m"));
  }

  test("[O200] three nodes join, one of them behind NAT", (context) => expectStep("O200", context));
  test("[O201] service create shows its progress", (context) => expectStep("O201", context));
  test("[O202] service ps lists two tasks on two nodes", (context) => expectStep("O202", context));
  test("[O203] a port is chosen, another one added", (context) => expectStep("O203", context));
  test("[O204] each node's published port responds", (context) => expectStep("O204", context));
  test("[O205] HAProxy in front of the nodes spreads evenly", (context) => expectStep("O205", context));
  test("[O206] the edge is that balancer", (context) => expectStep("O206", context));
  test("[O207] import takes the configuration over", (context) => expectStep("O207", context));

  test("[O208] nothing of the walk is left", () => {
    expect(report).toMatch(/^\d ok, \d skipped, 0 FAILED, 0 not run$/m);
    expect(readdirSync(folder)).toEqual([]);
    const pids = spawnSync("pgrep", ["-f", folder], { encoding: "utf8" }).stdout;
    expect(pids).toBe("");
  });
});

describe("a machine that cannot run the lab", () => {
  test("[O208] is reported with what helps", () => {
    expect(whatIsMissing(1000)).toBe("the lab needs root, to make network namespaces");
    expect(whatIsMissing(0, "/nonexistent")).toMatch(
      /^no ip, iptables, .*; apt-get install iproute2 iptables /,
    );
  });
});
