// Docker commands on a real Swarm of three nodes and on a mesh with Docker on the same nodes, compared.

import { describe, expect, test } from "vitest";
import { whatDockerMisses } from "../../infra/lab/requirements.ts";
import { runLab } from "../support/lab-program.ts";

const missing = whatDockerMisses();
const title = `a Swarm and a mesh${missing === null ? "" : ` (skipped: ${missing})`}`;

describe.skipIf(missing !== null)(title, () => {
  test("[D140] print the same for Docker's commands, but for the listed differences", async () => {
    const { report, left } = await runLab("compare");
    const [, differences = report] = report.split("\n== what differs");
    expect(differences).toMatch(/^compared: \d+ commands, 0 differ$/m);
    expect(left).toEqual([]);
  }, 600_000);
});
