// Request and response heads byte by byte: the data plane in workerd in front of a task that shows what it
// was sent. docs/http.md has the results as tables.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { TableService } from "../../src/domain/table/table.ts";
import {
  operatorToken,
  serviceOf,
  startPlane,
  type TestEntry,
  type TestPlane,
  tableOf,
} from "../support/dataplane.ts";
import { lines, type RawTask, rawSend, rawTask, requestLine } from "../support/raw-http.ts";
import { until } from "../support/until.ts";

const tasks: RawTask[] = [];
let plane: TestPlane;

beforeAll(async () => {
  plane = await startPlane(tableOf(1), { TRUSTED_PROXIES: "198.51.100.0/24" });
});

afterAll(async () => {
  await plane.stop();
  await Promise.all(tasks.map((task) => task.stop()));
});

/** Starts a task that responds with these bytes. */
async function use(respond: (request: string) => string = () => ok("ok")): Promise<RawTask> {
  const task = await rawTask(respond);
  tasks.push(task);
  return task;
}

let version = 1;
/** Publishes services, and waits until the data plane has the new table. */
async function publish(...services: TableService[]): Promise<void> {
  version += 1;
  plane.setTable(tableOf(version, ...services));
  const headers = `X-Waggle-Debug: 1\r\nX-Waggle-Token: ${operatorToken}\r\n`;
  await until(`table version ${version}`, async () => {
    const { text } = await send(9, "/", { headers });
    return lines(text, "x-waggle-table-version")[0] === String(version);
  });
}

let lastPort = 8100;
/** Publishes a service with one task. @returns its port */
async function publishTask(task: RawTask, more: Partial<TableService> = {}): Promise<number> {
  lastPort += 1;
  await publish(serviceOf("app", lastPort, [task.origin], more));
  return lastPort;
}

function ok(body: string, headers = ""): string {
  return `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

type RawRequest = {
  readonly entry?: TestEntry;
  readonly method?: string;
  readonly host?: string;
  /** Lines that end with CRLF. */
  readonly headers?: string;
  readonly body?: string;
};

/** Sends a request to a published port. */
function send(port: number, target: string, more: RawRequest = {}) {
  const { entry = {}, method = "GET", host = "www.example.com", headers = "", body = "" } = more;
  const facts = plane.entry({ ...entry, port })["x-waggle-entry"];
  const head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nX-Waggle-Entry: ${facts}\r\n${headers}\r\n`;
  return rawSend(plane.port, head + body);
}

test.each([
  ["/a^b{c}", "/a%5Eb%7Bc%7D"],
  ["/a'|b", "/a'|b"],
  ["/a\\b", "/a/b"],
  ['/a"b', "/a%22b"],
  ["/q?a=^{}|\\b", "/q?a=^{}|\\b"],
  ["/q?a='b'", "/q?a=%27b%27"],
  ["/q?", "/q?"],
  ["/a%2fb;c=%41//d", "/a%2fb;c=%41//d"],
  ["/a/%2E%2e/b/./c", "/b/c"],
  ["/caf\xc3\xa9", "/caf%C3%A9"],
  ["/a#b", "/a"],
])("[Q24] the target %s reaches a task as %s", async (target, expected) => {
  const task = await use();
  expect((await send(await publishTask(task), target)).status).toBe(200);
  expect(task.requests.map(requestLine)).toEqual([`GET ${expected} HTTP/1.1`]);
});

test("[X120] a path rule compares the path that the task sees, in every spelling of its dots", async () => {
  const [own, admin] = [await use(), await use()];
  const paths = { at: ["app"], rules: [{ host: null, path: "/admin", exact: false }] };
  await publish(
    serviceOf("app", 9102, [own.origin]),
    serviceOf("admin", 9103, [admin.origin], { options: { paths } }),
  );
  const targets = ["/admin", "/x/../admin", "/%2e/admin", "/x/%2E%2E/admin", "/x\\..\\admin", "/;a/../admin"];
  for (const target of targets) expect((await send(9102, target)).status).toBe(200);
  for (const target of ["//admin", "/..;/admin", "/%2fadmin", "/%252e/admin"]) await send(9102, target);
  expect(admin.requests.map(requestLine)).toEqual(targets.map(() => "GET /admin HTTP/1.1"));
  expect(own.requests.map((request) => request.split(" ")[1])).toEqual([
    "//admin",
    "/..;/admin",
    "/%2fadmin",
    "/%252e/admin",
  ]);
});

test("[W46] a hash of the path is that of the path that the task sees", async () => {
  const own = await Promise.all(Array.from({ length: 8 }, () => use()));
  await publish(
    serviceOf(
      "app",
      9104,
      own.map(({ origin }) => origin),
      { policy: "uri" },
    ),
  );
  const spellings = (path: string) => [path, `/x/..${path}`, `/%2e${path}`, `${path}?query`];
  for (const path of ["/a", "/b", "/c", "/d", "/e"]) {
    for (const spelling of spellings(path)) await send(9104, spelling);
    const withIt = own.filter(({ requests }) =>
      requests.some((request) => request.startsWith(`GET ${path}`)),
    );
    expect(withIt).toHaveLength(1);
  }
});
