// The walk of the lab: real machines in network namespaces, the Docker CLI, HAProxy and nginx.

import { beforeAll, describe, expect, test } from "vitest";
import { whatIsMissing } from "../../infra/lab/requirements.ts";
import { expectStep, type LabRun, runLab } from "../support/lab-program.ts";

/** A program with the start of its lab, on a busy machine. */
const labTimeoutMs = 300_000;

const missing = whatIsMissing();
describe.skipIf(missing !== null)(`the lab${missing === null ? "" : ` (skipped: ${missing})`}`, () => {
  let run: LabRun;
  beforeAll(async () => {
    run = await runLab("walk");
  }, labTimeoutMs);

  test("[O200] three nodes join, one of them behind NAT", () => expectStep(run, "O200"));
  test("[O201] service create shows its progress", () => expectStep(run, "O201"));
  test("[O202] service ps lists two tasks on two nodes", () => expectStep(run, "O202"));
  test("[O203] a port is chosen, another one added", () => expectStep(run, "O203"));
  test("[O204] each node's published port responds", () => expectStep(run, "O204"));
  test("[O205] HAProxy in front of the nodes spreads evenly", () => expectStep(run, "O205"));
  test("[O206] the edge is that balancer", () => expectStep(run, "O206"));
  test("[O207] import takes the configuration over", () => expectStep(run, "O207"));

  test("[O208] nothing of the walk is left", () => {
    expect(run.report).toMatch(/^8 ok, 0 FAILED, 0 not run$/m);
    expect(run.left).toEqual([]);
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
