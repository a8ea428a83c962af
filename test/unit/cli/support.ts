// A mesh that answers what a test says, and a way to run the command against it inside this process.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Command } from "commander";
import type { Cli, TextSink } from "../../../src/cli/cli.ts";
import { buildProgram, run } from "../../../src/cli/program.ts";
import type { ServerStatus } from "../../../src/protocol/server.ts";

/** The instant at which every test of the command takes place. */
export const nowMs = Date.parse("2026-11-24T12:00:00.000Z");

/** An RFC 3339 time so many seconds before `nowMs`. */
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
  readonly text?: string;
  readonly headers?: Record<string, string>;
};

/** Answers by `METHOD /path`, without the API version; what is not there is Docker's 404. */
export type Routes = Readonly<Record<string, Reply | ((call: Call) => Reply)>>;

export type FakeMesh = {
  readonly url: string;
  readonly calls: readonly Call[];
  readonly server: Server;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

/** Starts a mesh of canned answers on a free port. */
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
    response.writeHead(reply.status ?? 200, { "content-type": type, ...reply.headers });
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

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** Runs one command line. Time stands still but for sleeping, which takes none. */
export async function runCli(args: readonly string[], over: Partial<Cli> = {}): Promise<Ran> {
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
    ...over,
  });
  return { code, out, err };
}

function collector(write: (text: string) => void): TextSink {
  return { write, columns: 100 };
}

/** Runs one command line against a mesh. */
export function runOn(mesh: FakeMesh, args: readonly string[], over: Partial<Cli> = {}): Promise<Ran> {
  return runCli(args, { ...over, env: { WAGGLE_HOST: mesh.url, WAGGLE_TOKEN: "secret", ...over.env } });
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

/** A command of the tree that help shows, with the words that lead to it; the whole program has none. */
export type CommandAt = { readonly path: readonly string[]; readonly command: Command };

/** The program and every command in it, but for `help`. */
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

/** A static server of the service `legacy`, with HAProxy's word for how it is. */
export function serverStatus(name: string, word: string): ServerStatus {
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
    status: word,
    lastCheck: "",
    sinceMs: null,
    fails: 0,
    downs: 0,
    downtimeMs: 0,
    last: null,
    regions: {},
  };
}
