// A fake mesh with canned responses, and helpers that run the command against it in this process.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Command } from "commander";
import type { Cli, TextSink } from "../../../src/cli/cli.ts";
import { buildProgram, run } from "../../../src/cli/program.ts";
import type { ServerStatus } from "../../../src/protocol/server.ts";

/** The time of every test of the command. */
export const nowMs = Date.parse("2026-11-24T12:00:00.000Z");

/** The RFC 3339 time `seconds` before `nowMs`. */
export function secondsAgo(seconds: number): string {
  return new Date(nowMs - seconds * 1000).toISOString();
}

export type Call = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly token: string | undefined;
};

export type Reply = {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string | Uint8Array;
  readonly headers?: Record<string, string>;
};

/** Replies by `METHOD /path`, without the API version. Other paths get Docker's 404. */
export type Routes = Readonly<Record<string, Reply | ((call: Call) => Reply)>>;

export type FakeMesh = {
  readonly url: string;
  readonly calls: readonly Call[];
  readonly server: Server;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

/** Starts a fake mesh on a free port. */
export async function fakeMesh(routes: Routes): Promise<FakeMesh> {
  const calls: Call[] = [];
  const server = createServer(async (request, response) => {
    const call = await readCall(request);
    calls.push(call);
    const route = routes[`${call.method} ${call.path}`];
    const reply =
      typeof route === "function"
        ? route(call)
        : (route ?? { status: 404, json: { message: "page not found" } });
    const type = reply.text === undefined ? "application/json" : "text/plain";
    const marks = { "content-type": type, "x-request-id": "request-1" };
    response.writeHead(reply.status ?? 200, { ...marks, ...reply.headers });
    response.end(reply.text ?? (reply.json === undefined ? "" : JSON.stringify(reply.json)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    server,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type RunResult = { readonly code: number; readonly out: string; readonly err: string };

/** Runs one command line. The clock advances only by sleeping, which takes no real time. */
export async function runCli(args: readonly string[], overrides: Partial<Cli> = {}): Promise<RunResult> {
  let out = "";
  let err = "";
  let clockMs = nowMs;
  const code = await run(args, {
    out: collector((text) => {
      out += text;
    }),
    err: collector((text) => {
      err += text;
    }),
    env: {},
    nowMs: () => clockMs,
    random: () => 0.5,
    sleep: async (ms) => {
      clockMs += ms;
    },
    onInterrupt: () => new AbortController().signal,
    ...overrides,
  });
  return { code, out, err };
}

function collector(write: (text: string) => void): TextSink {
  return { write, columns: 100 };
}

/** Runs one command line against a mesh. */
export function runOn(
  mesh: FakeMesh,
  args: readonly string[],
  overrides: Partial<Cli> = {},
): Promise<RunResult> {
  return runCli(args, {
    ...overrides,
    env: { WAGGLE_HOST: mesh.url, WAGGLE_TOKEN: "secret", ...overrides.env },
  });
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? "/", "http://mesh");
  const text = Buffer.concat(chunks).toString();
  return {
    method: request.method ?? "",
    path: decodeURIComponent(url.pathname.replace(/^\/v[\d.]+/, "")),
    query: url.searchParams,
    body: text === "" ? undefined : JSON.parse(text),
    token: request.headers.authorization,
  };
}

/** A visible command with its path in the command tree; the path of the program is empty. */
export type CommandAt = { readonly path: readonly string[]; readonly command: Command };

/** The program and all its visible commands except `help`. */
export function everyCommand(): readonly CommandAt[] {
  const silent = { write: () => {} };
  return commandsOf(
    buildProgram({
      out: silent,
      err: silent,
      env: {},
      nowMs: () => nowMs,
      random: () => 0,
      sleep: async () => {},
      onInterrupt: () => new AbortController().signal,
    }),
    [],
  );
}

function commandsOf(command: Command, path: readonly string[]): readonly CommandAt[] {
  const children = command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== "help");
  return [{ path, command }, ...children.flatMap((child) => commandsOf(child, [...path, child.name()]))];
}

/** A static server of the service `legacy`. @param status as HAProxy prints it: `UP 2/3` */
export function serverStatus(name: string, status: string): ServerStatus {
  return {
    id: `id-${name}`,
    service: "legacy",
    version: 1,
    admin: "ready",
    spec: {
      name,
      host: "172.31.46.128",
      port: 8080,
      tls: false,
      weight: 1,
      backup: false,
      maxConn: 0,
      cookie: null,
      check: null,
    },
    status,
    lastCheck: "",
    sinceMs: null,
    fails: 0,
    downs: 0,
    downtimeMs: 0,
    last: null,
    regions: {},
  };
}
