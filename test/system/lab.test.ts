// The programs of the lab: real machines in network namespaces, the Docker CLI, HAProxy and nginx.

import { beforeAll, describe, expect, test } from "vitest";
import { whatDockerMisses, whatIsMissing } from "../../infra/lab/requirements.ts";
import { type LabRun, runLab } from "../support/lab-program.ts";

/** A program with the start of its lab, on a busy machine. */
const labTimeoutMs = 300_000;

const missing = whatIsMissing();
describe.skipIf(missing !== null)(`the lab${skipped(missing)}`, () => {
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

const dockerMissing = whatDockerMisses();
describe.skipIf(dockerMissing !== null)(`the lab with Docker${skipped(dockerMissing)}`, () => {
  test(
    "[N400] the walk passes with containers on three daemons, and leaves nothing",
    async () => {
      const { report, left } = await runLab("walk", "--docker");
      expect(report).toMatch(/^8 ok, 0 FAILED, 0 not run$/m);
      expect(left).toEqual([]);
    },
    labTimeoutMs,
  );

  describe("under load", () => {
    let run: LabRun;
    beforeAll(async () => {
      run = await runLab("load", "--rate=40");
    }, labTimeoutMs);

    test("[N402] a rolling update of nginx containers fails no request", () => expectStep(run, "N402"));
    test("[N403] the tasks of a node that is cut off run elsewhere, and it comes back without duplicates", () =>
      expectStep(run, "N403"));
    test("[N404] a daemon that ends its containers fails no request of a service with tasks elsewhere", () =>
      expectStep(run, "N404"));
    test("[N405] a daemon with live-restore keeps its containers, and fails no request", () =>
      expectStep(run, "N405"));
    test("[N406] an agent that is stopped and started keeps its containers, and fails no request", () =>
      expectStep(run, "N406"));
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

/** Checks the step of a rule by its line in the report. */
function expectStep({ report }: LabRun, rule: string): void {
  expect(report).toMatch(new RegExp(`^ok ${rule}$`, "m"));
}

function skipped(reason: string | null): string {
  return reason === null ? "" : ` (skipped: ${reason})`;
}
