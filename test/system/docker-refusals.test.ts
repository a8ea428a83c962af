// What the control API refuses, beside a real dockerd that is a Swarm manager.

import { request } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerdProblem, PrivateDockerd } from "../support/dockerd.ts";
import { TestControl } from "../unit/control/support.ts";

const problem = dockerdProblem();
const reason = problem === null ? "" : ` (skipped: ${problem})`;

describe.skipIf(problem !== null)(`refusals beside a Swarm manager${reason}`, () => {
  const control = new TestControl(1);
  let dockerd: PrivateDockerd;
  let count = 0;

  beforeAll(async () => {
    dockerd = await PrivateDockerd.start();
    await dockerd.docker("swarm", "init", "--advertise-addr", "127.0.0.1");
  }, 120_000);

  afterAll(async () => {
    await dockerd?.remove();
  });

  /** What both respond to the creation of a service: `created`, or the status and message. */
  async function bothTo(Resources: object): Promise<readonly [mesh: string, docker: string]> {
    count += 1;
    const TaskTemplate = { ContainerSpec: { Image: "busybox:latest", Command: ["sleep", "60"] }, Resources };
    const body = { Name: `service${count}`, TaskTemplate };
    const own = await control.ask("POST /services/create", { body });
    return [verdict(own.status, own.text), await createAt(dockerd.socket, body)];
  }

  test.each([
    { Limits: { MemoryBytes: 1_024 } },
    { Limits: { MemoryBytes: 4_194_303 } },
    { Limits: { MemoryBytes: 4_194_304 } },
    { Limits: { MemoryBytes: -5 } },
    { Limits: { NanoCPUs: 50_000 } },
    { Limits: { NanoCPUs: 1, MemoryBytes: 1 } },
    { Limits: { NanoCPUs: -9_000_000_000_000_000 } },
    { Limits: { NanoCPUs: 1e6 } },
    { Reservations: { MemoryBytes: 1_024 } },
    { Reservations: { NanoCPUs: 123_456 } },
    { Limits: { MemoryBytes: 2 }, Reservations: { MemoryBytes: 1 } },
    {
      Limits: { NanoCPUs: 5e8, MemoryBytes: 2 ** 24 },
      Reservations: { NanoCPUs: 1e9, MemoryBytes: 2 ** 25 },
    },
  ])("[D161] dockerd gives the same verdict about %j", async (resources) => {
    const [mesh, docker] = await bothTo(resources);
    expect(mesh).toBe(docker);
  });
});

function verdict(status: number, body: string): string {
  return status === 201 ? "created" : `${status} ${(JSON.parse(body) as { message: string }).message}`;
}

/** Creates a service at a daemon's socket. */
function createAt(socketPath: string, body: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const options = { socketPath, method: "POST", path: "/services/create", headers };
    const call = request(options, (response) => {
      text(response).then((read) => resolve(verdict(response.statusCode ?? 0, read)), reject);
    });
    call.on("error", reject);
    call.end(JSON.stringify(body));
  });
}
