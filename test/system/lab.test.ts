// The walk of the lab: real machines in network namespaces, the Docker CLI, HAProxy and nginx.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

  /** Checks the step of a rule by its line in the report. */
  function expectStep(rule: string): void {
    expect(report).toMatch(new RegExp(`^ok ${rule}$`, "m"));
  }

  test("[O200] three nodes join, one of them behind NAT", () => expectStep("O200"));
  test("[O201] service create shows its progress", () => expectStep("O201"));
  test("[O202] service ps lists two tasks on two nodes", () => expectStep("O202"));
  test("[O203] a port is chosen, another one added", () => expectStep("O203"));
  test("[O204] each node's published port responds", () => expectStep("O204"));
  test("[O205] HAProxy in front of the nodes spreads evenly", () => expectStep("O205"));
  test("[O206] the edge is that balancer", () => expectStep("O206"));
  test("[O207] import takes the configuration over", () => expectStep("O207"));

  test("[O208] nothing of the walk is left", () => {
    expect(report).toMatch(/^8 ok, 0 FAILED, 0 not run$/m);
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
