// Attacks on a real mesh over real sockets: by a node that has joined, by clients without a token, and by a
// page that plants cookies.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { MeshEvent } from "../../src/domain/model/event.ts";
import { freePort, loopbackHost, MeshProcess, run } from "../support/mesh-process.ts";
import { exchange } from "../support/raw-exchange.ts";
import { until } from "../support/until.ts";

let mesh: MeshProcess;
/** A port that is published for a service whose one task records upgrades. */
let published: number;
let task: Server;
/** The request targets and header lines of the upgrades that the task received, one text each. */
const upgrades: string[] = [];

beforeAll(async () => {
  task = createServer((_request, response) => response.end("ok"));
  new WebSocketServer({ server: task }).on("connection", (_socket, { url, rawHeaders }) => {
    upgrades.push(`${url}\n${rawHeaders.join("\n")}`);
  });
  await new Promise<void>((resolve) => task.listen(0, "127.0.0.1", resolve));
  mesh = await MeshProcess.start(["--nodes", "1", "--empty"]);
  published = await freePort();
  const address = `${loopbackHost}:${(task.address() as AddressInfo).port}`;
  await waggle("server", "add", "sockets", "a", address, "-p", `${published}:80`);
  await until("the published port to be open", async () => {
    const response = await fetch(`http://127.0.0.1:${published}/`);
    return (await response.text()) === "ok";
  });
});

afterAll(async () => {
  await mesh?.remove();
  task?.closeAllConnections();
  task?.close();
});

/** What the command prints, without an error. */
async function waggle(...args: string[]): Promise<string> {
  const { code, out, err } = await mesh.waggle(...args);
  expect([code, err]).toEqual([0, ""]);
  return out;
}

const hostile = "\x1b]0;pwned\x07\x9b31m\u202egnp\n<script>alert(1)</script>\u2066";

/** What a node says about itself; the HTML is text that a node may send. */
function description(change: Readonly<Record<string, unknown>> = {}) {
  return {
    hostname: "mallory",
    address: "127.0.0.66",
    gateway: { port: 7946, tls: false },
    platform: { os: '"><script>alert(1)</script>', arch: '"\\{}' },
    resources: { nanoCpus: 1e9, memoryBytes: 1e9 },
    engineVersion: '<b>\\n"',
    runtime: "process",
    ...change,
  };
}

type Credentials = { readonly nodeId: string; readonly credential: string };

async function join(node: unknown): Promise<{ readonly status: number; readonly text: string }> {
  const { JoinTokens } = await mesh.get<{ JoinTokens: { Worker: string } }>("/swarm");
  const body = JSON.stringify({ protocol: 2, token: JoinTokens.Worker, node });
  const response = await fetch(`${mesh.control}/mesh/join`, { method: "POST", body });
  return { status: response.status, text: await response.text() };
}

async function joined(hostname: string): Promise<Credentials> {
  const { status, text } = await join(description({ hostname }));
  expect(status, text).toBe(200);
  return JSON.parse(text) as Credentials;
}

/** An open socket of a node. */
function openSocket({ nodeId, credential }: Credentials): Promise<WebSocket> {
  const headers = {
    authorization: `Bearer ${credential}`,
    "x-waggle-node": nodeId,
    "x-waggle-protocol": "2",
  };
  const socket = new WebSocket(`${mesh.control.replace("http", "ws")}/mesh/agent`, { headers });
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve(socket)).once("error", reject);
  });
}

/** Sends a frame on a new socket, and resolves with the reason of its close. */
async function refusalOf(node: Credentials, frame: string): Promise<string> {
  const socket = await openSocket(node);
  const reason = new Promise<string>((resolve) => socket.once("close", (_code, text) => resolve(`${text}`)));
  socket.send(frame);
  return reason;
}

function hello(change: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ type: "hello", node: description(change), tasks: [] });
}

/** Characters that a terminal acts on, or that reverse or hide text; line ends and tabs aside. */
const acting = /[^\P{C}\n\t]/u;

describe("a node that has joined", () => {
  test("[M83] nothing that it sends and the mesh refuses acts on a reader's terminal", async () => {
    for (const node of [
      description({ hostname: hostile }),
      description({ address: hostile }),
      description({ runtime: hostile }),
      description({ engineVersion: hostile }),
      description({ hostname: "x".repeat(1_000_000) }),
    ]) {
      const { status, text } = await join(node);
      expect(status).toBe(400);
      expect(text.length).toBeLessThan(1_000);
      expect(text).not.toMatch(acting);
    }
    const node = await joined("mallory");
    for (const frame of [
      hostile,
      hello({ hostname: hostile }),
      hello({ address: hostile }),
      JSON.stringify({ type: hostile }),
      "x".repeat(1_100_000),
    ]) {
      const reason = await refusalOf(node, frame);
      expect(reason).not.toBe("");
      expect(reason).not.toMatch(acting);
    }
    const socket = await openSocket(node);
    socket.send(hello());
    await until("mallory to be ready", async () => (await waggle("node", "ls")).includes("mallory"));
    socket.close();
    const readers: readonly (readonly [string, Promise<string>])[] = [
      ...[["node", "ls"], ["status"], ["events", "--since", "0"], ["node", "inspect", "mallory"]].map(
        (args) => [args.join(" "), waggle(...args)] as const,
      ),
      ...[["node", "ls"], ["node", "inspect", "mallory"], ["node", "ps", "mallory"], ["info"]].map(
        (args) =>
          [`docker ${args.join(" ")}`, mesh.docker(...args).then(({ out, err }) => out + err)] as const,
      ),
      ...["/mesh/events?limit=2000", "/mesh/status", "/metrics", "/nodes", "/haproxy?stats"].map(
        (path) => [path, textOf(path)] as const,
      ),
    ];
    for (const [reader, text] of readers) {
      expect((await text).length, reader).toBeGreaterThan(0);
      expect(await text, reader).not.toMatch(acting);
    }
  });

  test("[M83] nothing that it sends is markup on a page", async () => {
    const { cookie } = await signedIn();
    for (const path of ["", "nodes", "nodes/mallory", "events", "services/sockets"]) {
      const response = await fetch(`${mesh.control}/dashboard/${path}`, { headers: { cookie } });
      const html = await response.text();
      expect(response.status, path).toBe(200);
      expect(html, path).not.toContain("<script>alert");
      expect(html, path).not.toMatch(acting);
    }
    expect(await textOf("/haproxy?stats")).not.toContain("<script>alert");
  });

  test("[A72] [M82] its flood of events hides no event of operators and other nodes, under any name", async () => {
    const node = await joined("flood");
    const socket = await openSocket(node);
    const [{ seq } = { seq: 0 }] = await mesh.get<MeshEvent[]>("/mesh/events?limit=1");
    for (let round = 0; round < 600; round += 1) {
      socket.send(hello({ hostname: `flood-${round}` }));
      socket.send(JSON.stringify({ type: "goodbye", reason: `round ${round}` }));
    }
    await until(
      "the last hello to be handled",
      async () => (await waggle("node", "ls")).includes("flood-599"),
      {
        withinMs: 30_000,
      },
    );
    socket.close();
    const events = await mesh.get<MeshEvent[]>(`/mesh/events?limit=2000&since=${seq}`);
    expect(events.length).toBeLessThan(300);
    expect(await waggle("events", "--tail", "2000")).toMatch(/server\.add +sockets\/a +by operator/);
    expect(await waggle("events", "--tail", "2000")).toMatch(/node\.ready +node1 /);
  });
});

/** The text of a control route with the operator's token. */
async function textOf(path: string): Promise<string> {
  const headers = { authorization: `Bearer ${mesh.token}` };
  return (await fetch(mesh.control + path, { headers })).text();
}

/** Signs in to the dashboard. */
async function signedIn(cookie = ""): Promise<{ readonly cookie: string }> {
  const response = await fetch(`${mesh.control}/dashboard/sign-in`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: mesh.control, cookie },
    body: new URLSearchParams({ token: mesh.token }),
  });
  expect(response.status).toBe(303);
  const [setCookie = ""] = response.headers.getSetCookie();
  return { cookie: setCookie.split(";", 1)[0] ?? "" };
}

async function eventsAfter(
  seq: number,
): Promise<readonly { readonly seq: number; readonly action: string }[]> {
  const events = JSON.parse(await textOf("/mesh/events?limit=2000"));
  return events.filter((event: { readonly seq: number }) => event.seq > seq);
}

describe("a client without a token", () => {
  test("[A75] its requests, wrong tokens and joins record no event and leave nothing in the registry", async () => {
    const [before] = await eventsAfter(0).then((events) => events.slice(-1));
    const wrong = { authorization: "Bearer not-a-token-of-this-mesh" };
    const post = (path: string, body: string, headers: Record<string, string> = {}) =>
      fetch(mesh.control + path, { method: "POST", body, headers, redirect: "manual" });
    for (let round = 0; round < 20; round += 1) {
      const node = description({ hostname: `stranger-${round}` });
      const responses = await Promise.all([
        post("/services/create", "{}", wrong),
        post("/mesh/join", JSON.stringify({ protocol: 2, token: `SWMTKN-1-a-${round}`, node })),
        post("/mesh/join", "x".repeat(900_000)),
        post("/dashboard/sign-in", "token=wrong", { origin: mesh.control }),
        post("/dashboard/services/sockets/remove", "form=x", { cookie: "waggle=operator.a.9999999999999.x" }),
        fetch(`${mesh.control}/mesh/events`, { headers: wrong }),
      ]);
      for (const { status } of responses) expect([303, 400, 401, 413, 415, 429]).toContain(status);
      const headers = { ...wrong, "x-waggle-node": "a".repeat(25), "x-waggle-protocol": "2" };
      const socket = new WebSocket(`${mesh.control.replace("http", "ws")}/mesh/agent`, { headers });
      const error = await new Promise<Error>((resolve) => socket.once("error", resolve));
      expect(error.message).toContain("401");
    }
    const recorded = await eventsAfter(before?.seq ?? 0);
    // Tasks of services that earlier tests removed may still end.
    expect(recorded.filter(({ action }) => !action.startsWith("task."))).toEqual([]);
    expect(await waggle("node", "ls")).not.toContain("stranger");
  });
});

describe("a page that plants cookies", () => {
  test("[A73] no planted cookie becomes a session, and a sign-in ends those that were sent", async () => {
    const own = await signedIn();
    const [name = "", value = ""] = own.cookie.split("=");
    const planted = [
      `${name}=${value.replace(/\.[^.]*$/, ".")}${"A".repeat(43)}`,
      `${name}=operator.planted.9999999999999.${"A".repeat(43)}`,
      `__Host-${own.cookie}`,
      `waggle=${value}`,
      `${name}-x=${value}`,
    ];
    const statusWith = async (cookie: string) =>
      (await fetch(`${mesh.control}/dashboard/`, { headers: { cookie }, redirect: "manual" })).status;
    expect(await statusWith(own.cookie)).toBe(200);
    for (const cookie of planted) {
      expect(await statusWith(cookie), cookie).toBe(303);
      const { cookie: fresh } = await signedIn(cookie);
      expect(fresh.split(".")[1], cookie).not.toBe(cookie.split(".")[1]);
      expect(await statusWith(cookie), cookie).toBe(303);
      expect(await statusWith(`${cookie}; ${fresh}`), cookie).toBe(200);
    }
    await signedIn(`${planted[0]}; ${own.cookie}`);
    expect(await statusWith(own.cookie)).toBe(303);
  });
});

test("[X169] the credentials of a registry that a Docker client sends are stored nowhere as they are", async () => {
  const secret = "eyJwYXNzd29yZCI6InJlZ2lzdHJ5LXNlY3JldCJ9";
  const response = await fetch(`${mesh.control}/v1.44/services/create`, {
    method: "POST",
    headers: { authorization: `Bearer ${mesh.token}`, "x-registry-auth": secret },
    body: JSON.stringify({
      Name: "pulled",
      TaskTemplate: { ContainerSpec: { Image: "waggle/whoami" } },
      Mode: { Replicated: { Replicas: 1 } },
    }),
  });
  expect(response.status).toBe(201);
  await until("its task to run", async () => (await waggle("service", "ps", "pulled")).includes("Running"));
  const { out } = await run("grep", ["-rlaF", secret, mesh.stateDir]);
  expect(out).toBe("");
  const known = await run("grep", ["-rlaF", "pulled", mesh.stateDir]);
  expect(known.out).toContain("registry");
});

const handshake = [
  "Host: sockets",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

const hasHead = (text: string) => text.includes("\r\n\r\n");

describe("an upgrade", () => {
  /** Sends a handshake to the edge, and to the node's ingress. */
  async function upgrade(lines: readonly string[], target = "/"): Promise<readonly string[]> {
    upgrades.length = 0;
    const head = `GET ${target} HTTP/1.1\r\n${[...handshake, ...lines].join("\r\n")}\r\n\r\n`;
    for (const host of ["127.0.0.1", "127.0.0.2"]) {
      const { text } = await exchange(published, [head], { host, isDone: hasHead });
      expect(text, host).toMatch(/^HTTP\/1\.1 101 /);
    }
    expect(upgrades).toHaveLength(2);
    return upgrades;
  }

  test("[X166] carries no credential of the mesh to a task, in any form that the mesh accepts", async () => {
    const { cookie } = await signedIn();
    const { credential } = await joined("upgrading");
    const { JoinTokens } = await mesh.get<{ JoinTokens: { Worker: string } }>("/swarm");
    for (const secret of [mesh.token, credential, JoinTokens.Worker]) {
      const basic = Buffer.from(`admin:${secret}`).toString("base64");
      for (const line of [
        `Authorization: Bearer ${secret}`,
        `Authorization: Basic ${basic}`,
        `X-Waggle-Token: ${secret}`,
        `Proxy-Authorization: Bearer ${secret}`,
        `Cookie: a=1; ${cookie}; b=2`,
      ])
        for (const received of await upgrade([line, "X-Own: kept"])) {
          expect(received).toContain("X-Own\nkept");
          for (const text of [secret, basic, cookie]) expect(received, line).not.toContain(text);
        }
    }
  });

  test("[X167] keeps what belongs to the task: other credentials, X-Registry-Auth, subprotocols and the query", async () => {
    const lines = [
      "Authorization: Bearer of-the-application",
      "X-Registry-Auth: eyJ1c2VybmFtZSI6ImEifQ==",
      "Sec-WebSocket-Protocol: chat, base64url.bearer.of-the-application",
    ];
    for (const received of await upgrade(lines, "/socket?token=of-the-application")) {
      for (const line of lines)
        expect(received.toLowerCase()).toContain(line.replace(": ", "\n").toLowerCase());
      expect(received).toContain("/socket?token=of-the-application\n");
    }
  });

  test("[X168] the mesh accepts no token in a query, a subprotocol, a cookie or another header than Authorization", async () => {
    const attempts: readonly (readonly [path: string, lines: readonly string[]])[] = [
      ...["/mesh/watch", "/mesh/agent", "/dashboard/live"].flatMap((path) =>
        ["token", "access_token", "authorization", "code"].map(
          (name) => [`${path}?since=0&${name}=${mesh.token}`, []] as const,
        ),
      ),
      ...["/mesh/watch?since=0", "/dashboard/live?since=0"].flatMap((path) =>
        [
          `Sec-WebSocket-Protocol: ${mesh.token}`,
          `Sec-WebSocket-Protocol: bearer, ${mesh.token}`,
          `X-Registry-Auth: ${mesh.token}`,
          `X-Waggle-Token: ${mesh.token}`,
          `Proxy-Authorization: Bearer ${mesh.token}`,
          `Cookie: token=${mesh.token}; authorization=${mesh.token}`,
        ].map((line) => [path, [line]] as const),
      ),
    ];
    for (const [path, lines] of attempts) {
      const head = `GET ${path} HTTP/1.1\r\n${[...handshake, ...lines].join("\r\n")}\r\n\r\n`;
      const { text } = await exchange(mesh.controlPort, [head], { isDone: hasHead });
      expect(text, `${path} ${lines.join()}`).toMatch(/^HTTP\/1\.1 (?:400|401|426) /);
    }
  });
});
