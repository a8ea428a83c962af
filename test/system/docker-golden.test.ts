// What the Docker CLI prints on a mesh, as golden files. `diff -ru test/golden/docker/28.2/dockerd
// test/golden/docker/28.2/mesh` lists the differences from a single-node Swarm, and docs/docker.md says why.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { compareWithGolden, dockerCommands, noDockerCommand } from "../support/docker-transcripts.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { missingPrograms } from "../support/program.ts";

const [noNginx] = missingPrograms(["nginx"]).map((name) => `no ${name}; apt-get install ${name}`);
const problem = noDockerCommand ?? noNginx ?? null;
const title = "the Docker CLI's output on a mesh";

describe.skipIf(problem !== null)(problem === null ? title : `${title} (skipped: ${problem})`, () => {
  let mesh: MeshProcess;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "waggle-golden-"));
    const images = join(folder, "images.json");
    writeFileSync(images, JSON.stringify({ busybox: { command: ["/usr/bin/env"] } }));
    const socket = join(folder, "mesh.sock");
    mesh = await MeshProcess.start(["--empty", "--nodes", "1", "--images", images, "--socket", socket]);
  });

  afterAll(async () => {
    await mesh?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(dockerCommands)(
    "[D100] Docker CLI %s prints the golden files of a mesh",
    async (version, command) => {
      await compareWithGolden(version, command, {
        name: "mesh",
        host: `unix://${join(folder, "mesh.sock")}`,
        node: "node1",
        ports: [await freePort(), await freePort(), await freePort()],
        replacements: [[`127.0.0.1:${mesh.controlPort}`, "<control>"]],
      });
    },
    120_000,
  );
});
