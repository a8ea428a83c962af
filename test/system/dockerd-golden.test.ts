// What the Docker CLI prints on a single-node Swarm of a real dockerd, as golden files beside those of a mesh.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareWithGolden, dockerCommands, noDockerCommand } from "../support/docker-transcripts.ts";
import { dockerdProblem, PrivateDockerd } from "../support/dockerd.ts";

const problem = noDockerCommand ?? dockerdProblem();
const title = "the Docker CLI on a real dockerd";

describe.skipIf(problem !== null)(problem === null ? title : `${title} (skipped: ${problem})`, () => {
  let dockerd: PrivateDockerd;

  beforeAll(async () => {
    dockerd = await PrivateDockerd.start();
    await dockerd.importImages();
    await dockerd.docker("swarm", "init", "--advertise-addr", "127.0.0.1");
  }, 120_000);

  afterAll(async () => {
    await dockerd?.remove();
  }, 60_000);

  test.each(dockerCommands)(
    "[D100] Docker CLI %s prints the golden files of dockerd",
    async (version, command) => {
      const format = ["--format", "{{.Name}} {{.ServerVersion}}"];
      const [node = "", serverVersion = ""] = (await dockerd.docker("info", ...format)).split(" ");
      expect(serverVersion).not.toBe("");
      await compareWithGolden(version, command, {
        name: "dockerd",
        host: `unix://${dockerd.socket}`,
        node,
        ports: [8_080, 8_081, 8_090],
        replacements: [
          [dockerd.dir, "/data"],
          [serverVersion, "<version>"],
        ],
      });
    },
    120_000,
  );
});
