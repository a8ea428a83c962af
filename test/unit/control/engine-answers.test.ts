// The answers of the Engine API's part, by the schemas of test/support/engine-api.

import { beforeAll, expect, test } from "vitest";
import { type Answer, faultsOf } from "../../support/engine-api/answers.ts";
import { everyField } from "../../support/engine-api/every-field.ts";
import { filtered, publishing, TestControl } from "./support.ts";

const minors = [24, 40, 41, 42, 43, 44, 46, 47, 48, 49, 50, 51];

const routes = [
  ...["/version", "/info", "/swarm", "/swarm/unlockkey", "/system/df", "/nodes", "/nodes/node1"],
  ...["/services?status=true", "/services/full?insertDefaults=true", "/services/job", "/tasks", "/networks"],
  ...["/secrets", "/configs", "/containers/json?all=1", "/images/json", "/volumes", "/plugins"],
  ...["/events?since=0&until=1"],
  ...["/services/nosuch", "/tasks/nosuch", "/nosuch", filtered("/nodes", { bogus: ["x"] })],
];

async function controlWithServices(): Promise<TestControl> {
  const control = new TestControl();
  await control.create("web", publishing({ TargetPort: 80 }));
  await control.create("everywhere", {
    Mode: { Global: {} },
    ...publishing({ TargetPort: 81, PublishedPort: 9_000, PublishMode: "host" }),
  });
  await control.create("job", {
    Mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 2 } },
    EndpointSpec: {},
  });
  await control.create("full", everyField("waggle/whoami"));
  await control.update("web", (spec) => ({
    ...spec,
    TaskTemplate: { ...spec.TaskTemplate, ForceUpdate: 1 },
  }));
  control.mesh.work();
  return control;
}

function answerOf(path: string, status: number, contentType: string | null, body: string): Answer {
  return { method: "GET", path, status, contentType, body, bytes: Buffer.from(body) };
}

/** The faults of the answers to these requests. */
async function faultsAt(prefix: string, minor: number, paths: readonly string[]) {
  const faults: string[] = [];
  for (const path of paths) {
    const { status, headers, text } = await control.ask(`GET ${prefix}${path}`);
    const [bare = ""] = path.split("?");
    const contentType = headers.get("content-type");
    faults.push(...faultsOf(answerOf(bare, status, contentType, text), minor));
  }
  return faults;
}

/** One for all tests, which only read. */
let control: TestControl;

beforeAll(async () => {
  control = await controlWithServices();
});

test.each(minors)(
  "[A400] [A404] answers at API version 1.%i have the fields of that version",
  async (minor) => {
    const containers = (await control.ask("GET /containers/json?all=1")).json as { Id: string }[];
    const tasks = (await control.ask("GET /tasks")).json as { ID: string }[];
    expect(Math.min(containers.length, tasks.length)).toBeGreaterThan(3);
    const paths = [
      ...routes,
      ...containers.map(({ Id }) => `/containers/${Id}/json`),
      ...tasks.map(({ ID }) => `/tasks/${ID}`),
    ];
    expect(await faultsAt(`/v1.${minor}`, minor, paths)).toEqual([]);
  },
);

test("[A404] a request without a version gets the fields of the newest", async () => {
  expect(await faultsAt("", 51, routes)).toEqual([]);
});

test("[A403] every response of the Engine API states its version, also a refusal; Waggle's own routes do not", async () => {
  const versionAt = async (path: string) => (await control.ask(`GET ${path}`)).headers.get("api-version");
  for (const path of ["/_ping", "/v1.44/nodes", "/services/nosuch", "/v1.99/nodes", "/v1.2/nodes", "/nosuch"])
    expect([path, await versionAt(path)]).toEqual([path, "1.51"]);
  for (const path of ["/mesh/status", "/mesh/health", "/metrics"])
    expect([path, await versionAt(path)]).toEqual([path, null]);
});

test("[A400] an answer with a missing, an unknown or a null field is a fault", () => {
  const volumes = (value: object) =>
    faultsOf(answerOf("/volumes", 200, "application/json", JSON.stringify(value)), 44);
  expect(volumes({ Volumes: [], Warnings: null })).toEqual([]);
  for (const wrong of [
    { Volumes: [] },
    { Volumes: null, Warnings: null },
    { Volumes: [], Warnings: [] },
    { Volumes: [], Warnings: null, Odd: 1 },
  ])
    expect(volumes(wrong)).toHaveLength(1);
});

test("[A400] a log stream is frames with a time, three ids and a line each", () => {
  const id = "a".repeat(25);
  const text = `2026-11-28T20:07:24.753653043Z com.docker.swarm.node.id=${id},com.docker.swarm.service.id=${id},com.docker.swarm.task.id=${id} out\n`;
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, Buffer.byteLength(text)]);
  const frame = Buffer.concat([header, Buffer.from(text)]);
  const type = "application/vnd.docker.multiplexed-stream";
  const faults = (bytes: Buffer, contentType = type) =>
    faultsOf({ ...answerOf("/services/web/logs", 200, contentType, ""), bytes }, 44);
  expect(faults(Buffer.concat([frame, frame]))).toEqual([]);
  expect(faults(frame, "text/plain")).toHaveLength(1);
  expect(faults(frame.subarray(0, -1))).toHaveLength(1);
  expect(faults(Buffer.from(text))).toHaveLength(1);
});
