// Balancing policies in workerd with real backends. Rules: docs/spec.md W.

import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TableService } from "../../src/domain/table/table.ts";
import { type Backend, echo, http, type ReceivedRequest } from "../support/backends.ts";
import { operatorToken, serviceOf, startPlane, type TestPlane, tableOf } from "../support/dataplane.ts";
import { until } from "../support/until.ts";

const backends: Backend[] = [];
let plane: TestPlane;
let version = 1;
let port = 8100;
const names = ["a", "b", "c"];
let origins: readonly string[];

beforeAll(async () => {
  plane = await startPlane(tableOf(version));
  for (const name of names) backends.push(await echo(name));
  origins = backends.map(({ origin }) => origin);
});

afterAll(async () => {
  await plane.stop();
  await Promise.all(backends.map((backend) => backend.stop()));
});

type HttpResponse = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };
type RequestOptions = {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly client?: string;
  readonly at?: number;
  readonly started?: (request: ClientRequest) => void;
};

const debug = { "x-waggle-debug": "1", "x-waggle-token": operatorToken };

function send({
  path = "/",
  method = "GET",
  headers = {},
  client,
  at = port,
  started,
}: RequestOptions = {}): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const entry = plane.entry({ port: at, ...(client !== undefined && { client }) });
    const options = { method, headers: { ...entry, ...headers }, agent: false };
    const request = httpRequest(plane.origin + path, options, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    request.on("error", reject);
    request.end();
    started?.(request);
  });
}

/** Publishes services at new ports, and waits until the data plane has them. */
async function publish(...services: ((port: number) => TableService)[]): Promise<void> {
  version += 1;
  port += 2;
  plane.setTable(tableOf(version, ...services.map((service, index) => service(port + index))));
  await until(`table version ${version}`, async () => {
    const { headers } = await send({ at: 9, headers: debug });
    return headers["x-waggle-table-version"] === String(version);
  });
}

/** The backends that respond to `count` requests, sent one after the other. */
async function answers(
  count: number,
  optionsOf: (index: number) => RequestOptions = () => ({}),
): Promise<string[]> {
  const backendNames: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const { status, text } = await send(optionsOf(index));
    expect(status, text).toBe(200);
    backendNames.push((JSON.parse(text) as ReceivedRequest).name);
  }
  return backendNames;
}

const tally = (list: readonly string[]) =>
  names.map((name) => list.filter((candidate) => candidate === name).length);

const weighted = (at: number, weights: readonly number[], more: Partial<TableService> = {}) => {
  const service = serviceOf("my-web", at, origins, more);
  return {
    ...service,
    tasks: service.tasks.map((task, index) => ({ ...task, weight: weights[index] ?? 1 })),
  };
};

test("[W8] requests are spread exactly by weight", async () => {
  await publish((at) => weighted(at, [3, 2, 1]));
  const [a = 0, b = 0, c = 0] = tally(await answers(30));
  expect(Math.max(Math.abs(a - 15), Math.abs(b - 10), Math.abs(c - 5))).toBeLessThanOrEqual(1);
});

test("[W10] equal headers, client addresses and paths lead to the same task", async () => {
  await publish((at) => serviceOf("my-web", at, origins, { policy: "hdr(x-user)" }));
  const users = ["ann", "bob", "eve", "joe", "kim", "lea", "max", "noa"];
  const first = await answers(users.length, (index) => ({ headers: { "x-user": users[index] ?? "" } }));
  expect(await answers(users.length, (index) => ({ headers: { "x-user": users[index] ?? "" } }))).toEqual(
    first,
  );
  expect(new Set(first).size).toBeGreaterThan(1);
  await publish((at) => serviceOf("my-web", at, origins, { policy: "source" }));
  expect(new Set(await answers(4, () => ({ client: "198.51.100.4" }))).size).toBe(1);
  expect(new Set(await answers(20, (index) => ({ client: `198.51.100.${index}` }))).size).toBeGreaterThan(1);
  await publish((at) => serviceOf("my-web", at, origins, { policy: "uri" }));
  expect(new Set(await answers(4, (index) => ({ path: `/page?n=${index}` }))).size).toBe(1);
  expect(new Set(await answers(20, (index) => ({ path: `/page/${index}` }))).size).toBeGreaterThan(1);
});

test("[W13][W14] a client that keeps cookies stays with its task, which does not see the cookie", async () => {
  await publish((at) => serviceOf("my-web", at, origins, { options: { sticky: "SRV" } }));
  const first = await send({ headers: debug });
  const [line = ""] = first.headers["set-cookie"] ?? [];
  expect(line).toMatch(/^SRV=[0-9a-z]+\.[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/);
  expect(first.headers["x-waggle-sticky"]).toBe("new");
  const cookie = `theme=dark; ${line.split(";")[0]}`;
  const { name } = JSON.parse(first.text) as ReceivedRequest;
  for (let i = 0; i < 6; i += 1) {
    const { text, headers } = await send({ headers: { cookie, ...debug } });
    const received = JSON.parse(text) as ReceivedRequest;
    expect([received.name, received.headers.cookie, headers["set-cookie"]]).toEqual([
      name,
      "theme=dark",
      undefined,
    ]);
    expect(headers["x-waggle-sticky"]).toBe("kept");
  }
  // Without its task, the client gets another task and another cookie.
  const removed = names.indexOf(name);
  await publish((at) => {
    const service = serviceOf("my-web", at, origins, { options: { sticky: "SRV" } });
    return { ...service, tasks: service.tasks.filter((_task, index) => index !== removed) };
  });
  const moved = await send({ headers: { cookie } });
  expect((JSON.parse(moved.text) as ReceivedRequest).name).not.toBe(name);
  expect(moved.headers["set-cookie"]?.[0]).toMatch(/^SRV=/);
});

test("[W3] a backup serves if no other task takes requests", async () => {
  const service = (at: number, share: { weight: number }) => {
    const base = serviceOf("my-web", at, origins);
    const tasks = base.tasks.map((task, index) => {
      return index === 2 ? { ...task, backup: true as const } : { ...task, ...share };
    });
    return { ...base, tasks };
  };
  await publish((at) => service(at, { weight: 1 }));
  expect(tally(await answers(10))).toEqual([5, 5, 0]);
  await publish((at) => service(at, { weight: 0 }));
  expect(tally(await answers(4))).toEqual([0, 0, 4]);
});

test("[W18] a canary gets its share of requests, and those with its header", async () => {
  const canary = { service: "next", percent: 25, header: { name: "x-canary" } };
  await publish(
    (at) => serviceOf("my-web", at, [origins[0] ?? ""], { options: { canary } }),
    (at) => serviceOf("next", at, [origins[1] ?? ""]),
  );
  const [, share = 0] = tally(await answers(200));
  expect(share).toBeGreaterThan(20);
  expect(share).toBeLessThan(85);
  expect(tally(await answers(5, () => ({ headers: { "x-canary": "always" } })))).toEqual([0, 5, 0]);
  expect(tally(await answers(5, () => ({ headers: { "x-canary": "never" } })))).toEqual([5, 0, 0]);
});

/** A task that holds its requests until the test releases them, and counts open requests. */
async function holdingTask() {
  const waiting: (() => void)[] = [];
  let open = 0;
  let maxOpen = 0;
  const backend = await http((_request, response) => {
    open += 1;
    maxOpen = Math.max(maxOpen, open);
    waiting.push(() => {
      open -= 1;
      response.end("ok");
    });
  });
  backends.push(backend);
  return { origin: backend.origin, waiting, maxOpen: () => maxOpen };
}

test("[W16] a task gets at most maxconn open requests; the others queue", async () => {
  const task = await holdingTask();
  await publish((at) => serviceOf("my-web", at, [task.origin], { options: { maxconn: 2 } }));
  const done: number[] = [];
  const sent = Array.from({ length: 6 }, (_, index) =>
    send({ method: "POST" }).then(({ status }) => done.push(index) && status),
  );
  for (let openCount = 6; openCount > 0; openCount -= 1) {
    await until("requests at the task", async () => task.waiting.length >= Math.min(2, openCount));
    task.waiting.shift()?.();
    await until("one more answer", async () => done.length === 7 - openCount);
  }
  expect(await Promise.all(sent)).toEqual(Array(6).fill(200));
  expect(task.maxOpen()).toBe(2);
});

test("[W17] a full queue and a queue timeout are refused with the reason", async () => {
  const task = await holdingTask();
  const options = { maxconn: 1, queue: 1, queueTimeoutMs: 300 };
  await publish((at) => serviceOf("my-web", at, [task.origin], { options }));
  const first = send({ method: "POST" });
  await until("the request to be at the task", async () => task.waiting.length === 1);
  const [second, third] = await Promise.all([send({ method: "POST" }), send({ method: "POST" })]);
  const reasons = [second, third].map(({ status, text }) => `${status} ${JSON.parse(text).message}`).sort();
  expect(reasons).toEqual([
    "503 every task of my-web is at its maximum of open requests, and the queue of 1 is full",
    "503 every task of my-web was at its maximum of open requests for 0.3 s",
  ]);
  task.waiting.shift()?.();
  expect((await first).status).toBe(200);
});

test("[W17] a client that disconnects while queued or served frees its slot", async () => {
  const task = await holdingTask();
  await publish((at) =>
    serviceOf("my-web", at, [task.origin], { options: { maxconn: 1, queueTimeoutMs: 20_000 } }),
  );
  const leaving: ClientRequest[] = [];
  const options = { method: "POST", started: (request: ClientRequest) => leaving.push(request) };
  const served = send(options).catch(() => "disconnected");
  await until("the request to be at the task", async () => task.waiting.length === 1);
  const queued = send(options).catch(() => "disconnected");
  const last = send({ method: "POST" });
  for (const request of leaving) request.destroy();
  expect(await Promise.all([served, queued])).toEqual(["disconnected", "disconnected"]);
  task.waiting.shift()?.();
  await until("the last request to be at the task", async () => task.waiting.length === 1);
  task.waiting.shift()?.();
  expect((await last).status).toBe(200);
});
