// Configurations in the shapes that people publish: read by HAProxy and by `waggle import`, and served by both.

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  addressesOf,
  type CorpusAddresses,
  type CorpusFile,
  type CorpusRequest,
  isSectionStart,
  type Placement,
  place,
  readCorpusFile,
} from "../support/corpus-file.ts";
import { checkHaproxyConfig, HaproxyProcess, PortTaken } from "../support/haproxy.ts";
import { freePort, MeshProcess, run } from "../support/mesh-process.ts";
import { missingPrograms } from "../support/program.ts";
import { exchange, readResponses } from "../support/raw-exchange.ts";
import { until } from "../support/until.ts";
import { runCli } from "../unit/cli/support.ts";

const corpus = fileURLToPath(new URL("../corpus/haproxy/", import.meta.url));
const namesIn = (dir: string) => readdirSync(dir).filter((name) => name.endsWith(".cfg"));
const files = namesIn(corpus).map((name) => readCorpusFile(name, readFileSync(join(corpus, name), "utf8")));
const invalid = namesIn(join(corpus, "invalid"));

const folder = mkdtempSync(join(tmpdir(), "waggle-corpus-"));
const etc = join(folder, "etc");

const missing = missingPrograms(["haproxy", "openssl"]);
const skipPrefix = missing.length === 0 ? "" : `skipped: not installed: ${missing.join(", ")}: `;

let mesh: MeshProcess;

/** Runs a command in this process: a process for each file would take most of the time. */
function waggle(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const [nowMs, sleep] = [() => Date.now(), (ms: number) => wait(ms)];
  return runCli(args, { env: { ...process.env, ...env }, nowMs, sleep });
}

/** Line of a file and what import says of it, as `waggle import --json` prints. */
type Claim = {
  readonly line: number;
  readonly text: string;
  readonly outcome: string;
  readonly note: string;
};
type DryRun = { readonly code: number; readonly err: string; readonly claims: readonly Claim[] };

const dryRuns = new Map<string, Promise<DryRun>>();

/** The dry run of a file, once. */
function dryRun(file: string, env: CorpusFile["env"]): Promise<DryRun> {
  const known = dryRuns.get(file) ?? startDryRun(file, env);
  dryRuns.set(file, known);
  return known;
}

async function startDryRun(file: string, env: CorpusFile["env"]): Promise<DryRun> {
  const { code, out, err } = await waggle(["import", "--dry-run", "--json", file], env);
  const { diagnostics = [] } = out === "" ? {} : (JSON.parse(out) as { diagnostics?: readonly Claim[] });
  return { code, err, claims: diagnostics };
}

/** Writes a file with its addresses as they are; only the paths under /etc/haproxy exist. */
function writeOriginal(name: string, text: string): string {
  const path = join(folder, name.replaceAll("/", "-"));
  writeFileSync(path, text.replaceAll("/etc/haproxy/", `${etc}/`));
  return path;
}

/** The real servers of a file. Each responds with its address in the file and with what it received. */
class CorpusServers {
  readonly ports = new Map<string, number>();
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #upgraded = new Set<Socket>();

  static async start(addresses: CorpusAddresses, states: CorpusFile["servers"]): Promise<CorpusServers> {
    const servers = new CorpusServers();
    for (const { address } of addresses.servers) {
      const state = states.get(address);
      const port = await freePort();
      servers.ports.set(address, port);
      if (state !== "down") await servers.#listen(address, port, state ?? 200);
    }
    return servers;
  }

  async #listen(address: string, port: number, checkStatus: number): Promise<void> {
    const server = createServer((request, response) => {
      const path = request.url?.split("?")[0] ?? "";
      const waitMs = Number(/^\/slow\/(\d+)$/.exec(path)?.[1] ?? 0);
      const isCheck = /health|status|live|ready|master/.test(path);
      response.setHeader("content-type", "text/plain");
      if (isCheck) response.statusCode = checkStatus;
      const forwardedFor = request.headers["x-forwarded-for"] ?? "";
      request.resume();
      setTimeout(() => response.end(`${address} for=${forwardedFor}${" ".repeat(2_000)}`), waitMs);
    });
    // A request that a proxy in mode tcp lets pass.
    server.on("clientError", (_error, socket) => socket.end("HTTP/1.1 418 Unreadable\r\n\r\n"));
    server.on("upgrade", ({ headers }, socket: Socket) => {
      socket.on("error", () => undefined).resume();
      const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
      const accept = createHash("sha1").update(key).digest("base64");
      const frame = `\x81${String.fromCharCode(address.length)}${address}`;
      const lines = ["Connection: Upgrade", "Upgrade: websocket", `Sec-WebSocket-Accept: ${accept}`];
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n${frame}`, "latin1");
      this.#upgraded.add(socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
    this.#stops.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#upgraded) socket.destroy();
    await Promise.all(this.#stops.map((stop) => stop()));
  }
}

/** What a client sees of one request and its repetitions. */
type Seen = {
  /** Statuses and the servers that responded, each with the number of responses. */
  readonly counts: Readonly<Record<string, number>>;
  readonly cookies: readonly string[];
  readonly forwardedFor: string;
  readonly encoding: string;
};

function requestBytes({ method, target, headers }: CorpusRequest, more: readonly string[] = []): string {
  const lines = [...headers, ...more];
  if (method === "UPGRADE") {
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    return `GET ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n${upgrade}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  }
  const verb = method === "STICK" ? "GET" : method === "STALL" ? "POST" : method;
  const body = method === "STALL" ? "abc" : verb === "POST" || verb === "PUT" ? "abc" : null;
  const length = method === "STALL" ? 1_000 : 3;
  const bodyLines = body === null ? [] : [`Content-Length: ${length}`];
  return `${[`${verb} ${target} HTTP/1.1`, ...lines, ...bodyLines, "Connection: close"].join("\r\n")}\r\n\r\n${body ?? ""}`;
}

/** Sends the request once. A connection that is refused or closed without a response has status 0. */
async function send(request: CorpusRequest, port: number, cookies: readonly string[] = []) {
  const more = cookies.length === 0 ? [] : [`Cookie: ${cookies.join("; ")}`];
  const isUpgrade = request.method === "UPGRADE";
  const isStall = request.method === "STALL";
  const { text } = await exchange(port, [requestBytes(request, more)], {
    // A WebSocket stays open after its first frame. So may a connection that was not upgraded or whose body stalls.
    isDone: (read) => (isUpgrade && /\x81./s.test(read)) || ((isUpgrade || isStall) && hasResponse(read)),
    // Some configurations have no timeout for a body; others have a second.
    ...(isStall && { withinMs: 5_000 }),
  });
  const method = request.method === "HEAD" ? "HEAD" : "GET";
  const response = readResponses(text, [method]).responses.at(-1);
  const body = isUpgrade ? text : (response?.body ?? "");
  const headerValues = (name: string) =>
    (response?.headers ?? [])
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2));
  return {
    status: response?.status ?? 0,
    server: /(\d+\.\d+\.\d+\.\d+:\d+)/.exec(body)?.[1] ?? "",
    forwardedFor: /for=(\S*)/.exec(body)?.[1] ?? "",
    cookies: headerValues("set-cookie").map((line) => line.split(";")[0] ?? ""),
    encoding: headerValues("content-encoding").join(),
  };
}

/** True if a response other than that of a handshake is complete. */
function hasResponse(read: string): boolean {
  const [response] = readResponses(read, [], false).responses;
  return response !== undefined && response.status !== 101;
}

async function observe(request: CorpusRequest, port: number): Promise<Seen> {
  const first = await send(request, port);
  const cookies = request.method === "STICK" ? first.cookies : [];
  const next = () => send(request, port, cookies);
  const others = Array.from({ length: request.repeat - 1 });
  const answers = [first];
  if (request.isParallel) answers.push(...(await Promise.all(others.map(next))));
  else for (const _ of others) answers.push(await next());
  const counts: Record<string, number> = {};
  for (const { status, server } of answers) {
    const key = `${status} ${server}`.trim();
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return {
    counts: Object.fromEntries(Object.entries(counts).sort()),
    cookies: first.cookies.map((pair) => pair.split("=")[0] ?? ""),
    forwardedFor: first.forwardedFor,
    encoding: first.encoding,
  };
}

/** A request that only a proxy that reads HTTP refuses. */
const malformed = (port: number): CorpusRequest => ({
  text: `${port} a malformed request`,
  port,
  method: "GET",
  target: "/",
  headers: ["Host: a.example", "Not A Header: 1"],
  repeat: 1,
  isParallel: false,
});

/** All that clients see of a file. @param binds the port for each port of the file */
async function observeAll(file: CorpusFile, binds: Placement["binds"]): Promise<Record<string, Seen>> {
  const ports = [...new Set(file.requests.map(({ port }) => port))];
  const requests = [...file.requests, ...ports.map(malformed)];
  const seen: Record<string, Seen> = {};
  for (const request of requests) seen[request.text] = await observe(request, binds.get(request.port) ?? 0);
  return seen;
}

/**
 * Parameters of a server or bind line with the number of their values, for lines that are imported without them.
 * `verify` and `ca-file` stay, because HAProxy refuses `ssl` without them.
 */
const parameterValues: Readonly<Record<string, number>> = {
  ...{ addr: 1, alpn: 1, crt: 1, maxqueue: 1, proto: 1, ssl: 0, track: 1, sni: 1, name: 1 },
  ...{ "accept-proxy": 0, "strict-sni": 0, "no-check": 0, httponly: 0, "send-proxy-v2": 0 },
};

/**
 * The file without the lines that could not be imported. A section whose head could not be imported goes as a whole.
 * Lines keep their numbers.
 */
function withoutRefused(text: string, claims: readonly Claim[]): string {
  const claimsAt = Map.groupBy(claims, ({ line }) => line);
  let isRefusedSection = false;
  return text
    .split("\n")
    .map((line, index) => {
      const lineClaims = claimsAt.get(index + 1) ?? [];
      const refusals = lineClaims.filter(({ outcome }) => outcome === "could not");
      const isRefused = refusals.length > 0 && refusals.length === lineClaims.length;
      if (isSectionStart(line)) isRefusedSection = isRefused;
      if (isRefusedSection || isRefused) return "";
      return refusals.reduce(withoutParameter, line);
    })
    .join("\n");
}

/** @param note `track: each server is checked separately` */
function withoutParameter(line: string, { note }: Claim): string {
  const [, name = ""] = /^([\w-]+): /.exec(note) ?? [];
  const values = parameterValues[name];
  if (values === undefined) return line;
  const names = name === "ssl" ? ["ssl", "crt", "alpn", "strict-sni"] : [name];
  return names.reduce((rest, word) => {
    const count = parameterValues[word] ?? 0;
    return rest.replace(new RegExp(`\\s${word}${"\\s+\\S+".repeat(count)}(?=\\s|$)`), "");
  }, line);
}

/** Free ports for those of a file; neighbors of a range stay neighbors. */
async function freeBinds(binds: readonly number[]): Promise<Map<number, number>> {
  const placed = new Map<number, number>();
  for (const port of [...binds].sort((a, b) => a - b)) {
    const previous = placed.get(port - 1);
    placed.set(port, previous === undefined ? await freePort() : previous + 1);
  }
  return placed;
}

/** A file placed on this machine, without the lines that import refuses. */
type Served = {
  readonly file: CorpusFile;
  readonly servers: CorpusServers;
  readonly addresses: CorpusAddresses;
  readonly claims: readonly Claim[];
  readonly kept: string;
};

/** A file that is served, and what clients of HAProxy see of it; null if HAProxy refuses it. */
type ServedByHaproxy = Served & { readonly seenAtHaproxy: Record<string, Seen> | null };

const servedFiles = new Map<string, Promise<ServedByHaproxy>>();
const startedServers: CorpusServers[] = [];

/** Serves a file, once. */
function serve(file: CorpusFile): Promise<ServedByHaproxy> {
  const known = servedFiles.get(file.name) ?? startServing(file);
  servedFiles.set(file.name, known);
  return known;
}

async function startServing(file: CorpusFile): Promise<ServedByHaproxy> {
  const addresses = addressesOf(file);
  const { claims } = await dryRun(writeOriginal(file.name, file.text), file.env);
  const servers = await CorpusServers.start(addresses, file.servers);
  startedServers.push(servers);
  const served: Served = { file, addresses, servers, claims, kept: withoutRefused(file.text, claims) };
  return { ...served, seenAtHaproxy: await observeHaproxy(served, served.kept, file.name) };
}

/** What clients of HAProxy see with this text. @returns null if HAProxy refuses it */
async function observeHaproxy(
  served: Served,
  text: string,
  name: string,
  startsLeft = 3,
): Promise<Record<string, Seen> | null> {
  const { file, servers, addresses } = served;
  const binds = await freeBinds(addresses.binds);
  const placed = place({ text, env: file.env }, { servers: servers.ports, binds, etc });
  try {
    await using haproxy = await HaproxyProcess.start(folder, name, placed.text, {
      env: placed.env,
      waitsForChecks: file.servers.size > 0,
    });
    return haproxy === null ? null : await observeAll(file, binds);
  } catch (error) {
    if (!(error instanceof PortTaken) || startsLeft <= 1) throw error;
    return observeHaproxy(served, text, name, startsLeft - 1);
  }
}

const hashing = /^\s*balance\s+(source|uri|hdr|url_param)/m;
const unordered = /^\s*balance\s+(random|leastconn)/m;

/** The policy of the section that has all these servers, if it is not round robin. */
function policyOf(served: Served, servers: readonly string[]): "hashing" | "unordered" | "round robin" {
  const sections = served.addresses.servers
    .filter(({ address }) => servers.includes(address))
    .map((server) => server.sections);
  const common = sections[0]?.filter((name) => sections.every((names) => names.includes(name))) ?? [];
  const blocks = served.kept.split(/\n(?=[a-z])/);
  const texts = blocks.filter((block) =>
    common.some((name) => new RegExp(`^(backend|listen) ${name}\\b`).test(block)),
  );
  if (texts.some((text) => hashing.test(text))) return "hashing";
  return texts.some((text) => unordered.test(text)) ? "unordered" : "round robin";
}

/**
 * What must be equal at HAProxy and at the mesh. Which server a hash names is each balancer's own; that it is always
 * the same one is not. Counts matter only for weights, that is if a request is repeated often.
 */
function comparable(served: Served, request: string, { counts, cookies, forwardedFor, encoding }: Seen) {
  const keys = Object.keys(counts).sort();
  const servers = keys.map((key) => key.split(" ")[1] ?? "");
  const policy = / STICK /.test(request) ? "hashing" : policyOf(served, servers);
  const statuses = [...new Set(keys.map((key) => key.split(" ")[0]))];
  const sections = [
    ...new Set(
      served.addresses.servers.filter(({ address }) => servers.includes(address)).flatMap((s) => s.sections),
    ),
  ];
  const spread =
    policy === "hashing"
      ? { statuses, sections, servers: servers.length }
      : policy === "unordered"
        ? { statuses, sections }
        : request.includes("repeat 20") || request.includes("repeat 12")
          ? { counts }
          : { keys };
  const isForwarding = /^\s*option forwardfor/m.test(served.kept);
  return { ...spread, cookies, encoding, ...(isForwarding && { forwardedFor }) };
}

function allComparable(served: Served, seen: Record<string, Seen>) {
  return Object.fromEntries(
    Object.entries(seen).map(([request, one]) => [request, comparable(served, request, one)]),
  );
}

let meshIsFree: Promise<unknown> = Promise.resolve();

/** Calls `use` when the earlier calls are done: files have services of the same names. */
function withMesh(use: () => Promise<void>): Promise<void> {
  const used = meshIsFree.then(use).finally(removeServices);
  meshIsFree = used.catch(() => undefined);
  return used;
}

/** Removes all services of the mesh. */
async function removeServices(): Promise<void> {
  for (const { ID } of await mesh.get<{ ID: string }[]>("/services")) {
    const headers = { authorization: `Bearer ${mesh.token}` };
    await fetch(`${mesh.control}/services/${ID}`, { method: "DELETE", headers });
  }
}

const routed = files.filter(({ requests }) => requests.length > 0);

/** HAProxy processes of a file at a time. */
const parallelProcesses = 4;

function takenLines({ claims, file }: Served): readonly number[] {
  const lines = file.text.split("\n");
  const taken = claims.filter(({ outcome }) => outcome === "taken").map(({ line }) => line);
  return [...new Set(taken)].filter((line) => !isSectionStart(lines[line - 1] ?? ""));
}

/** Lines whose effect no request shows. */
const invisible: readonly (readonly [RegExp, reason: string])[] = [
  [/^balance (roundrobin|static-rr)$/, "it is the default"],
  [/^mode tcp$/, "it is the default"],
  [/^balance leastconn$/, "it differs from round robin only while requests of unequal length are open"],
  [
    /^timeout \S+ (\d+(s|m|h|min)|[1-9]\d{3,})/,
    "no client waits that long here; 59-short-timeouts.cfg has short ones",
  ],
  [
    /^default-server /,
    "how often servers are checked, how slowly they start: none of it shows at one moment",
  ],
  [/^retries \d+$/, "it counts attempts after a failed one, and no connection to a running server fails"],
  [/^server .*( disabled| weight 0)\b/, "it gets no requests, like a server that is not there"],
];

/** Checks of servers that are all up have no effect until one of them fails. */
const aboutChecks = /^(option httpchk|http-check|timeout check)/;

function isInvisible(line: number, { file, kept, addresses }: Served): boolean {
  const text = file.text.split("\n")[line - 1]?.trim().replaceAll(/\s+/g, " ") ?? "";
  const [, address = ""] = /^server \S+ (\S+)/.exec(text) ?? [];
  const section = file.text.split("\n").slice(0, line).findLast(isSectionStart) ?? "";
  return (
    invisible.some(([pattern]) => pattern.test(text)) ||
    file.invisible.some((part) => text.includes(part)) ||
    (file.servers.size === 0 && aboutChecks.test(text)) ||
    // A server that is out of service is like one that is not there.
    addresses.servers.some((server) => server.address === address && file.servers.has(address)) ||
    (section.startsWith("backend ") && !isReached(section.split(/\s+/)[1] ?? "", kept))
  );
}

/** True if a rule or a `default_backend` that was imported names the backend. */
function isReached(backend: string, kept: string): boolean {
  return kept
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .some(
      ([keyword, name]) => (keyword === "use_backend" || keyword === "default_backend") && name === backend,
    );
}

describe.skipIf(missing.length > 0).concurrent(`${skipPrefix}published configurations`, () => {
  beforeAll(async () => {
    mkdirSync(join(etc, "certs"), { recursive: true });
    mkdirSync(join(etc, "errors"));
    const [key, certificate] = [join(folder, "key.pem"), join(etc, "ca.pem")];
    const subject = ["-subj", "/CN=www.example.com", "-days", "2"];
    const made = await run("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...[...subject, "-keyout", key, "-out", certificate],
    ]);
    expect(made, made.err).toMatchObject({ code: 0 });
    writeFileSync(join(etc, "certs/site.pem"), readFileSync(certificate, "utf8") + readFileSync(key, "utf8"));
    writeFileSync(
      join(etc, "errors/503.http"),
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsoon",
    );
    writeFileSync(join(etc, "blocked.lst"), "192.0.2.0/24\n");
    writeFileSync(join(etc, "hosts.map"), "one.example.com bk_one\n");
    mesh = await MeshProcess.start(["--nodes", "0"]);
  });

  afterAll(async () => {
    await mesh?.remove();
    for (const servers of startedServers) await servers[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test.for(files)("[I60] $name is valid for HAProxy, and import reads it", async ({ name, text, env }) => {
    const path = writeOriginal(name, text);
    const checked = await checkHaproxyConfig(path, env);
    expect(checked, checked.err).toMatchObject({ code: 0 });
    const { code, err, claims } = await dryRun(path, env);
    expect(err).not.toMatch(/cannot parse/);
    // A file of which nothing can be imported is read and then refused.
    if (code !== 0) expect(err).toContain("no services to import");
    expect(claims.filter(({ outcome, note }) => outcome === "could not" && note === "")).toEqual([]);
  });

  test.for(invalid)("[I61] invalid/%s is refused by HAProxy, and by import with the line", async (name) => {
    const path = writeOriginal(`invalid/${name}`, readFileSync(join(corpus, "invalid", name), "utf8"));
    const checked = await checkHaproxyConfig(path);
    expect(checked).toMatchObject({ code: 1 });
    const { code, err } = await waggle(["import", "--dry-run", path]);
    expect(code).toBe(1);
    expect(err).toMatch(/\.cfg:\d+: /);
    expect(err).toContain("cannot parse");
  });

  // In turns, so that a file waits for the mesh while others need HAProxy only.
  describe.for(routed)("$name", (file) => {
    test("[I62] clients see the same at HAProxy and at the mesh", async () => {
      const served = await serve(file);
      const { kept, seenAtHaproxy } = served;
      if (seenAtHaproxy === null) throw new Error(`HAProxy refuses what is left of ${file.name}:\n${kept}`);
      const expected = allComparable(served, seenAtHaproxy);
      await withMesh(async () => {
        const binds = await freeBinds(served.addresses.binds);
        const placed = place(file, { servers: served.servers.ports, binds, etc });
        const path = join(folder, `mesh-${file.name}`);
        writeFileSync(path, placed.text);
        const env = { ...placed.env, WAGGLE_HOST: mesh.control, WAGGLE_TOKEN: mesh.token };
        const imported = await waggle(["import", path], env);
        expect(imported, imported.out + imported.err).toMatchObject({ code: 0 });
        let last: ReturnType<typeof allComparable> = {};
        await until(
          "clients of the mesh to see what those of HAProxy see",
          async () => {
            last = allComparable(served, await observeAll(file, binds));
            return JSON.stringify(last) === JSON.stringify(expected);
          },
          { withinMs: 12_000, everyMs: 100 },
        ).catch(() => expect(last).toEqual(expected));
      });
    });

    test("[I63] each line that is taken has an effect that a client sees", async () => {
      const served = await serve(file);
      const lines = served.kept.split("\n");
      const isWithoutEffect = async (line: number): Promise<boolean> => {
        const rest = lines.with(line - 1, "").join("\n");
        // Without `mode http` the effect depends on whether a request has arrived when its connection is accepted.
        for (let observation = 0; observation < 3; observation += 1) {
          const seen = await observeHaproxy(served, rest, `${file.name}-${line}`);
          // Without a line that others need HAProxy refuses the file, which is an effect as well.
          if (seen === null || JSON.stringify(seen) !== JSON.stringify(served.seenAtHaproxy)) return false;
        }
        return true;
      };
      const withoutEffect: string[] = [];
      const visible = takenLines(served).filter((line) => !isInvisible(line, served));
      for (let at = 0; at < visible.length; at += parallelProcesses) {
        const some = visible.slice(at, at + parallelProcesses);
        const results = await Promise.all(some.map(isWithoutEffect));
        const original = file.text.split("\n");
        withoutEffect.push(
          ...some.filter((_, index) => results[index]).map((line) => `${line} ${original[line - 1]}`),
        );
      }
      expect(withoutEffect).toEqual([]);
    });
  });
});
