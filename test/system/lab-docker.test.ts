// The lab with a Docker daemon on each node: the walk with containers, and containers under load.

import { beforeAll, describe, expect, test } from "vitest";
import { whatDockerMisses } from "../../infra/lab/requirements.ts";
import { expectStep, type LabRun, runLab } from "../support/lab-program.ts";

/** A program with the start of its lab, on a busy machine. */
const labTimeoutMs = 300_000;

const missing = whatDockerMisses();
const title = `the lab with Docker${missing === null ? "" : ` (skipped: ${missing})`}`;

describe.skipIf(missing !== null)(title, () => {
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
    test("[N408] a secret is on no disk, and in memory only where its task runs", () =>
      expectStep(run, "N408"));
  });
});
