// HTTP at the mesh and at HAProxy in front of the same server: the same bytes through both.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HaproxyProcess } from "../support/haproxy.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { missingPrograms } from "../support/program.ts";
import { type Exchange, exchange, type RawResponse, readResponses } from "../support/raw-exchange.ts";
import { okAnswer, probePath, type RecordedRequest, RecordingServer } from "../support/recording-server.ts";
import { until } from "../support/until.ts";
import { bodyRows } from "./conformance/bodies.ts";
import { connectionRows } from "./conformance/connections.ts";
import { framingRows } from "./conformance/framing.ts";
import { headerRows } from "./conformance/headers.ts";
import { requestLineRows } from "./conformance/request-lines.ts";
import { responseRows } from "./conformance/responses.ts";
import type { Outcome, Row } from "./conformance/row.ts";

const missing = missingPrograms(["haproxy"]);
const skipPrefix = missing.length === 0 ? "" : `skipped: not installed: ${missing.join(", ")}: `;

const proxies = ["haproxy", "mesh"] as const;
type Proxy = (typeof proxies)[number];

const folder = mkdtempSync(join(tmpdir(), "waggle-conformance-"));
const ports: Record<Proxy, number> = { haproxy: 0, mesh: 0 };
/** Where a body that stalls for 2 s is refused. HAProxy reads it before it connects to a server, as the mesh does. */
const bodyTimeoutPorts: Record<Proxy, number> = { haproxy: 0, mesh: 0 };

let mesh: MeshProcess;
let haproxy: HaproxyProcess | null = null;
/** What has come from each proxy for a request whose head stalls. It takes the mesh 15 s, so the rows run meanwhile. */
const stalledHeads: Partial<Record<Proxy, Promise<Exchange>>> = {};
/** One for each proxy, so that a late request of one is not taken for a request of the other. */
const servers: Partial<Record<Proxy, RecordingServer>> = {};

const probe = `GET ${probePath} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`;

/** A response other than 1xx has begun. 101 is final. */
const finalResponse = /HTTP\/1\.\d ([2-9]\d\d|101) .*?\r\n\r\n/s;

type Observed = {
  /** Without the response to the probe. */
  readonly responses: readonly RawResponse[];
  /** What follows the last complete response. */
  readonly rest: string;
  readonly isClosed: boolean;
  readonly hasProbe: boolean;
};

/** Sends a row's bytes and, once a response has begun, a request that shows whether the connection is usable. */
async function observe(row: Row, proxy: Proxy): Promise<Observed> {
  serverOf(proxy).expect(row.answer);
  const expected = row[proxy];
  const methods = [...String(row.send[0]).matchAll(/(?:^|\r\n)([A-Za-z-]+) [^\r\n]+ HTTP\/1\.\d\r\n/g)];
  const names = methods.map((found) => found[1] ?? "");
  const steps =
    expected.connection === undefined ? row.send : [...row.send, { after: finalResponse, send: probe }];
  const isDone = (text: string): boolean => {
    if (expected.connection !== undefined) return false;
    // What follows an upgrade has no end of its own.
    const upgraded = /^HTTP\/1\.1 101 .*?\r\n\r\n(.*)$/s.exec(text)?.[1];
    if (upgraded !== undefined) return upgraded.length >= (expected.body?.length ?? 0);
    return readResponses(text, names, false).responses.length >= expected.statuses.length;
  };
  const { text, isClosed } = await exchange(ports[proxy], steps, { withinMs: 15_000, isDone });
  const { responses, rest } = readResponses(text, names, true);
  const hasProbe = responses.at(-1)?.body === "probe";
  return { responses: hasProbe ? responses.slice(0, -1) : responses, rest, isClosed, hasProbe };
}

function serverOf(proxy: Proxy): RecordingServer {
  const server = servers[proxy];
  if (server === undefined) throw new Error("the servers do not run");
  return server;
}

/** What differs from the expected outcome, in words; empty if nothing does. */
function differences(
  expected: Outcome,
  requests: readonly RecordedRequest[],
  { responses, rest, isClosed, hasProbe }: Observed,
): readonly string[] {
  const last = responses.at(-1);
  const statuses = responses.map(({ status }) => status);
  const hasStatuses =
    statuses.length === expected.statuses.length &&
    expected.statuses.every((wanted, at) => [wanted].flat().includes(statuses[at] ?? 0));
  const connection = hasProbe ? "usable" : isClosed ? "closed" : "open";
  return [
    hasStatuses
      ? ""
      : `statuses ${statuses.join(" ")} instead of ${JSON.stringify(expected.statuses)}: ${last?.body}`,
    expected.connection === undefined || expected.connection === connection
      ? ""
      : `the connection is ${connection}`,
    expected.isBroken === true && !rest.startsWith("HTTP/1.1 200") ? "no broken response" : "",
    expected.body === undefined || expected.body === last?.body ? "" : `body ${JSON.stringify(last?.body)}`,
    expected.trailers === undefined || expected.trailers.join() === last?.trailers.map(lowerName).join()
      ? ""
      : `trailers ${last?.trailers.join()}`,
    ...lineDifferences("the response", last?.headers ?? [], expected),
    ...requestDifferences(expected.task, requests),
  ].filter((text) => text !== "");
}

function requestDifferences(
  expected: Outcome["task"],
  requests: readonly RecordedRequest[],
): readonly string[] {
  if (expected === null) return requests.length === 0 ? [] : [`the server received ${requests[0]?.head}`];
  const [first] = requests;
  if (expected === "incomplete") {
    return requests
      .filter(({ message }) => message !== null)
      .map(({ head }) => `the server received all of ${head}`);
  }
  if (first === undefined) return ["the server received nothing"];
  const { message, head } = first;
  const [start = "", ...lines] = head.split("\r\n").slice(0, -1);
  const headers = message?.headers ?? lines.map(lowerName);
  const { body, trailers } = expected;
  return [
    requests.length <= (expected.atMost ?? 1) ? "" : `the server received ${requests.length} requests`,
    expected.start === undefined || expected.start === start ? "" : `request line ${start}`,
    body === undefined || body === message?.body ? "" : `request body ${JSON.stringify(message?.body)}`,
    trailers === undefined || trailers.join() === message?.trailers.map(lowerName).join()
      ? ""
      : `request trailers ${message?.trailers.join()}`,
    ...lineDifferences("the request", headers, expected),
  ];
}

function lineDifferences(
  what: string,
  headers: readonly string[],
  { has = [], lacks = [] }: { readonly has?: readonly string[]; readonly lacks?: readonly string[] },
): readonly string[] {
  const shown = headers.map((line) => line.slice(0, 100));
  const missing = has.filter((line) => !headers.includes(line));
  const present = lacks.filter((text) =>
    headers.some((line) => line === text || line.startsWith(`${text}: `)),
  );
  return [
    ...missing.map((line) => `${what} has no "${line.slice(0, 100)}" among ${JSON.stringify(shown)}`),
    ...present.map((text) => `${what} has "${text}"`),
  ];
}

/** `X-Sum: 1` as `x-sum: 1`. */
function lowerName(line: string): string {
  return line.replace(/^[^:]*/, (name) => name.toLowerCase());
}

async function check(row: Row, proxy: Proxy): Promise<void> {
  const observed = await observe(row, proxy);
  expect(differences(row[proxy], serverOf(proxy).requests, observed)).toEqual([]);
}

const allRows = [
  ...[...framingRows, ...requestLineRows, ...headerRows],
  ...[...bodyRows, ...responseRows, ...connectionRows],
];

test("[Q46] each difference from HAProxy is a row of the table in docs/http.md, and each row is shown", () => {
  const text = readFileSync(fileURLToPath(new URL("../../docs/http.md", import.meta.url)), "utf8");
  const section = /\n## Does not pass\n(.*?)\n## /s.exec(text)?.[1] ?? "";
  const documented = [...section.matchAll(/^\| ([^|]+) \|/gm)].map((found) => found[1]).slice(1);
  const shown = new Set(allRows.flatMap(({ differs }) => differs ?? []));
  expect(documented).not.toEqual([]);
  expect([...shown].sort()).toEqual([...documented].sort());
  const unexplained = allRows.filter(({ haproxy, mesh, differs }) => {
    return (JSON.stringify(haproxy) === JSON.stringify(mesh)) !== (differs === null);
  });
  expect(unexplained.map(({ title }) => title)).toEqual([]);
});

describe.skipIf(missing.length > 0)(`${skipPrefix}HTTP beside HAProxy`, () => {
  beforeAll(async () => {
    const [behindHaproxy, behindMesh] = [await RecordingServer.start(), await RecordingServer.start()];
    Object.assign(servers, { haproxy: behindHaproxy, mesh: behindMesh });
    ports.haproxy = await freePort();
    bodyTimeoutPorts.haproxy = await freePort();
    haproxy = await HaproxyProcess.start(
      folder,
      "haproxy",
      `defaults
    mode http
    timeout connect 2s
    timeout client  2s
    timeout server  2s
listen web
    bind 127.0.0.1:${ports.haproxy}
    server recorder 127.0.0.1:${behindHaproxy.port}
listen buffering
    bind 127.0.0.1:${bodyTimeoutPorts.haproxy}
    option http-buffer-request
    server recorder 127.0.0.1:${behindHaproxy.port}
`,
    );
    mesh = await MeshProcess.start(["--nodes", "0"]);
    ports.mesh = await freePort();
    bodyTimeoutPorts.mesh = await freePort();
    const address = `127.0.0.1:${behindMesh.port}`;
    for (const [service, port, ...labels] of [
      ["web", ports.mesh],
      ["impatient", bodyTimeoutPorts.mesh, "--label", "waggle.body-timeout=2s"],
    ] as const) {
      const command = ["server", "add", service, "recorder", address, "--publish", String(port), ...labels];
      const added = await mesh.waggle(...command);
      expect(added, added.err).toMatchObject({ code: 0 });
    }
    for (const port of [...Object.values(ports), ...Object.values(bodyTimeoutPorts)]) {
      await until("the proxy to serve", async () => (await exchange(port, [probe])).text.endsWith("probe"));
    }
    for (const proxy of proxies) {
      const head = "GET / HTTP/1.1\r\nHost: a.exa";
      stalledHeads[proxy] = exchange(ports[proxy], [head], { withinMs: 40_000 });
    }
  });

  afterAll(async () => {
    await haproxy?.stop();
    await mesh?.remove();
    for (const server of Object.values(servers)) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  describe("framing and header lines of requests", () => {
    test.for(framingRows)("[Q40] HAProxy: $title", (row) => check(row, "haproxy"));
    test.for(framingRows)("[Q40] the mesh: $title", (row) => check(row, "mesh"));
  });

  describe("request lines", () => {
    test.for(requestLineRows)("[Q41] HAProxy: $title", (row) => check(row, "haproxy"));
    test.for(requestLineRows)("[Q41] the mesh: $title", (row) => check(row, "mesh"));
  });

  describe("headers of requests", () => {
    test.for(headerRows)("[Q42] HAProxy: $title", (row) => check(row, "haproxy"));
    test.for(headerRows)("[Q42] the mesh: $title", (row) => check(row, "mesh"));
  });

  describe("bodies of requests", () => {
    test.for(bodyRows)("[Q43] HAProxy: $title", (row) => check(row, "haproxy"));
    test.for(bodyRows)("[Q43] the mesh: $title", (row) => check(row, "mesh"));
  });

  describe("responses", () => {
    test.for(responseRows)("[Q44] HAProxy: $title", (row) => check(row, "haproxy"));
    test.for(responseRows)("[Q44] the mesh: $title", (row) => check(row, "mesh"));
  });

  describe("upgrades and connections", () => {
    test.for(connectionRows)("[Q45] HAProxy: $title", (row) => check(row, "haproxy"));
    test.for(connectionRows)("[Q45] the mesh: $title", (row) => check(row, "mesh"));
  });

  describe.concurrent("time", () => {
    test.for(proxies)("[Q47] a head that stalls is 408 at %s", async (proxy) => {
      expect((await stalledHeads[proxy])?.text).toMatch(/^HTTP\/1\.[01] 408 /);
    });

    test.for(["POST", "PUT", "DELETE"].flatMap((method) => proxies.map((proxy) => ({ method, proxy }))))(
      "[Q47] a $method whose body stalls is 408 at $proxy",
      async ({ method, proxy }) => {
        const head = `${method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\n`;
        const isDone = (read: string) => finalResponse.test(read);
        const { text } = await exchange(bodyTimeoutPorts[proxy], [`${head}abc`], { isDone });
        expect(text).toMatch(/^HTTP\/1\.[01] 408 /);
      },
    );
  });

  describe("clients that leave", () => {
    test.for(proxies)("[Q48] a client that ends its side still gets its response from %s", async (proxy) => {
      serverOf(proxy).expect(okAnswer);
      const read = await new Promise<string>((resolve, reject) => {
        const socket = connect({ port: ports[proxy], host: "127.0.0.1", allowHalfOpen: true });
        let text = "";
        socket.end("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
        socket.on("data", (bytes) => {
          text += bytes;
        });
        socket.on("error", reject);
        socket.on("close", () => resolve(text));
      });
      expect(read).toMatch(/^HTTP\/1\.1 200 /);
    });

    const event = ": quiet\n\n";

    /** Reads the first event of a stream, and resets the connection. */
    async function resetStream(proxy: Proxy): Promise<RecordingServer> {
      const server = serverOf(proxy);
      server.expect({
        bytes: `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n${event}`,
        isStream: true,
      });
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ port: ports[proxy], host: "127.0.0.1" });
        socket.write("GET /events HTTP/1.1\r\nHost: a.example\r\n\r\n");
        socket.on("data", (bytes) => {
          if (!bytes.includes(event)) return;
          socket.resetAndDestroy();
          resolve();
        });
        socket.on("error", reject);
      });
      return server;
    }

    test("[Q48] HAProxy ends a stream whose client has reset it when the task sends more", async () => {
      const server = await resetStream("haproxy");
      await until("the task's connection to end", () => {
        server.push(event);
        return server.requests[0]?.ended !== "open";
      });
    });

    test("[Q48] the mesh ends a quiet stream whose client has reset it within a second", async () => {
      const server = await resetStream("mesh");
      await until("the task's connection to end", () => server.requests[0]?.ended !== "open", {
        withinMs: 1_000,
      });
    });
  });
});
