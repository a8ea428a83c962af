// What a mesh answers as a Docker engine, beside a real dockerd: the schemas of test/support/engine-api hold for both.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiVersion } from "../../src/protocol/engine/version.ts";
import { dockerdProblem, PrivateDockerd } from "../support/dockerd.ts";
import { faultsOf } from "../support/engine-api/answers.ts";
import { callEngine, type EngineAddress } from "../support/engine-api/client.ts";
import { type Tour, takeTour } from "../support/engine-api/tour.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";

const problem = dockerdProblem();
const title = problem === null ? "a real dockerd" : `a real dockerd (skipped: ${problem})`;

const minorOf = (version: string): number => Number(version.slice("1.".length));

/** The faults of all answers, each once. @param newest the version of answers to requests without one */
function faultsIn(tour: Tour, newest: string): readonly string[] {
  const faults = tour.answers.flatMap((answer) => faultsOf(answer, minorOf(answer.version || newest)));
  return [...new Set(faults)];
}

/** The refusals of the versions before the lowest and after the newest. */
async function versionRefusals(address: EngineAddress): Promise<readonly string[]> {
  const { ApiVersion, MinAPIVersion } = (await callEngine(address, "", "GET", "/version")).json() as {
    ApiVersion: string;
    MinAPIVersion: string;
  };
  const around = [`1.${minorOf(MinAPIVersion) - 1}`, `1.${minorOf(ApiVersion) + 1}`];
  const answers = await Promise.all(around.map((version) => callEngine(address, version, "GET", "/info")));
  return answers.map(({ status, body, headers }, at) => {
    const text = body
      .replace(around[at] ?? "", "ASKED")
      .replace(ApiVersion, "NEWEST")
      .replace(MinAPIVersion, "LOWEST")
      .trim();
    return `${status} ${text} ${headers["api-version"] === ApiVersion}`;
  });
}

const tooOld =
  "client version ASKED is too old. Minimum supported API version is LOWEST, please upgrade your client to a newer version";
const tooNew = "client version ASKED is too new. Maximum supported API version is NEWEST";
const json = (message: string) => JSON.stringify({ message });

describe.skipIf(problem !== null)(title, () => {
  let dockerd: PrivateDockerd;

  beforeAll(async () => {
    dockerd = await PrivateDockerd.start();
    await dockerd.importImages();
    await dockerd.docker("swarm", "init", "--advertise-addr", "127.0.0.1");
  }, 120_000);

  afterAll(async () => {
    await dockerd?.remove();
  }, 60_000);

  test("[A400] the schemas and the texts of refusals are those of dockerd", async () => {
    const images = { server: "nginx", shell: "busybox", port: 18_080 };
    const tour = await takeTour({ socketPath: dockerd.socket }, ["1.41", ""], images);
    expect(faultsIn(tour, "1.41")).toEqual([]);
    expect(tour.wrong).toEqual([]);
    const created = tour.answers.filter(({ status }) => status === 201).map(({ path }) => path);
    for (const kind of ["networks", "secrets", "configs"]) expect(created).toContain(`/${kind}/create`);
  }, 120_000);

  test("[A400] dockerd refuses versions that it does not have as a mesh does, the lowest as plain text", async () => {
    expect(await versionRefusals({ socketPath: dockerd.socket })).toEqual([
      `400 ${tooOld} true`,
      `400 ${json(tooNew)} true`,
    ]);
  });
});

describe("a mesh as a Docker engine", () => {
  let mesh: MeshProcess;
  let folder: string;
  let address: EngineAddress;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "waggle-engine-"));
    const images = join(folder, "images.json");
    writeFileSync(images, JSON.stringify({ busybox: { command: ["/usr/bin/env"] } }));
    mesh = await MeshProcess.start(["--empty", "--images", images]);
    const headers = { authorization: `Bearer ${mesh.token}` };
    address = { host: "127.0.0.1", port: mesh.controlPort, headers };
  });

  afterAll(async () => {
    await mesh?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("[A400] answers have the schemas and the texts of dockerd, with each API version", async () => {
    const versions = ["1.41", "1.44", "1.47", "1.50", ""];
    const images = { server: "waggle/whoami", shell: "busybox", port: await freePort() };
    const tour = await takeTour(address, versions, images);
    expect(faultsIn(tour, apiVersion)).toEqual([]);
    expect(tour.wrong).toEqual([]);
    expect(tour.answers.length).toBeGreaterThan(400);
  }, 120_000);

  test("[A2] [A403] versions before the lowest and after the newest are refused in dockerd's words", async () => {
    expect(await versionRefusals(address)).toEqual([`400 ${json(tooOld)} true`, `400 ${json(tooNew)} true`]);
  });

  test("[A403] the headers of a ping are those that clients negotiate by", async () => {
    for (const method of ["GET", "HEAD"]) {
      const { status, headers, body } = await callEngine({ ...address, headers: {} }, "", method, "/_ping");
      expect([status, body]).toEqual([200, method === "GET" ? "OK" : ""]);
      expect(headers).toMatchObject({
        "api-version": apiVersion,
        "docker-experimental": "false",
        ostype: "linux",
        swarm: "active/manager",
        "content-type": expect.stringMatching(/^text\/plain/i),
      });
    }
  });
});
