// `waggle trace`: sends requests and shows their routes, or explains the route of a hypothetical request.

import type { Command } from "commander";
import type { RouteExplanation } from "../../protocol/route.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { connectionFailure } from "../connection-failure.ts";
import { CliError, exitCodes, usageError } from "../errors.ts";
import { connect, listFlag, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../json.ts";
import type { Shape } from "../shapes.ts";
import { readCountArgument } from "../values.ts";
import type { TraceRequest } from "./request.ts";
import { readTracedRoute } from "./traced-route.ts";
import type { TraceResult } from "./view.ts";

/** More requests would be a load test. */
const maxTraceRequests = 1_000;

type Flags = MeshFlags & {
  readonly request?: string;
  readonly header?: readonly (readonly [string, string])[];
  readonly data?: string;
  readonly count: number;
  readonly explain?: boolean;
  readonly node?: string;
  readonly sendToken?: boolean;
};

const traceHelp = `
Examples:
  waggle trace http://127.0.0.2:8080/
  waggle trace -n 20 http://127.0.0.1:8080/          how requests spread over the tasks
  waggle trace -X POST -d '{}' -H 'content-type: application/json' http://127.0.0.1:8080/cart
  waggle trace --explain --node node2 http://127.0.0.1:8080/

The request is real. It carries the mesh's token, so that the response reports its route; tasks do
not see the token. The token is not sent if the mesh does not know the URL, or if the URL is less
protected than the control URL.`;

export function registerTrace(program: Command, cli: Cli): void {
  const command = program
    .command("trace")
    .argument("<url>", "URL to request: http://HOST:PORT/PATH")
    .summary("show the route of a request: entry, service, node, tasks, time")
    .description("Send a request and show its route: entry point, service, node, each attempt and its time.")
    .addOption(valueFlag("-X, --request <method>", "method (default: GET, or POST with --data)", readMethod))
    .addOption(
      listFlag("-H, --header <header>", "header to send: 'NAME: VALUE'", (text) => [readHeader(text)]),
    )
    .option("-d, --data <text>", "body to send")
    .addOption(
      valueFlag("-n, --count <count>", "number of requests, sent one by one", readRequestCount).default(1),
    )
    .option("--explain", "send nothing; show what the current routing table would do")
    .option("--node <node>", "with --explain: enter at this node")
    .option("--send-token", "send the token even if the mesh does not know the URL");
  meshFlags(command, { hostLetter: false })
    .addHelpText("after", traceHelp)
    .action((url: string, flags: Flags) => trace(cli, command, url, flags));
}

async function trace(cli: Cli, command: Command, urlText: string, flags: Flags): Promise<void> {
  const url = readUrl(urlText);
  if (flags.node !== undefined && !flags.explain)
    throw usageError("--node needs --explain: a real request enters where its URL points");
  const request = requestOf(url, flags);
  const mesh = await connect(command, cli);
  if (flags.explain) return printExplanation(cli, flags, await explain(mesh, request, flags.node));
  const explanation = await explain(mesh, request).catch((error: unknown) => {
    // Requests do not need the registry. Without it, only the reasons are missing.
    if (error instanceof CliError && error.exitCode === exitCodes.unreachable) return null;
    throw error;
  });
  const results = await sendAll(cli, mesh, request, explanation, flags);
  await printResults(cli, flags, request, explanation, results);
}

/**
 * Sends the request `--count` times, one by one.
 *
 * @throws CliError with exit code 3 for the first one that gets no response, after printing the explanation
 */
async function sendAll(
  cli: Cli,
  mesh: MeshClient,
  request: TraceRequest,
  explanation: RouteExplanation | null,
  flags: Flags,
): Promise<readonly TraceResult[]> {
  const { sendTraceRequest } = await import("./request.ts");
  const debugHeaders = await debugHeadersFor(cli, mesh, request.url, explanation, flags);
  const tracedRequest = { ...request, headers: { ...request.headers, ...debugHeaders } };
  const results: TraceResult[] = [];
  while (results.length < flags.count) {
    const response = await sendTraceRequest(tracedRequest, () => performance.now()).catch(
      async (error: NodeJS.ErrnoException) => {
        if (!flags.json && explanation !== null) await printExplanation(cli, flags, explanation);
        throw noResponseError(request.url, error, explanation);
      },
    );
    results.push({ response, route: readTracedRoute(response.headers) });
  }
  return results;
}

/** Headers that make the mesh report the route. Prints a notice if the token is withheld. */
async function debugHeadersFor(
  cli: Cli,
  { target }: MeshClient,
  url: URL,
  explanation: RouteExplanation | null,
  flags: Flags,
): Promise<Readonly<Record<string, string>>> {
  if (flags.sendToken !== true && !canSendToken(url, target.url, explanation)) {
    cli.err.write(tokenWithheldText(url));
    return {};
  }
  return target.token === null ? {} : { "x-waggle-debug": "1", "x-waggle-token": target.token };
}

/**
 * True if the URL belongs to the mesh (a node, a host name of a service, or the host of the control API) and
 * is no less protected than the control URL.
 *
 * @param explanation what the mesh knows about the URL; null if the registry is unreachable
 */
export function canSendToken(url: URL, controlUrl: string, explanation: RouteExplanation | null): boolean {
  const control = new URL(controlUrl);
  if (isLoopback(url) && isLoopback(control)) return true;
  if (url.protocol !== "https:" && control.protocol === "https:") return false;
  if (url.hostname === control.hostname) return true;
  if (explanation === null) return false;
  return (
    explanation.entry.role === "ingress" || explanation.match.by === "host" || explanation.match.by === "name"
  );
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

async function printResults(
  cli: Cli,
  flags: Flags,
  request: TraceRequest,
  explanation: RouteExplanation | null,
  results: readonly TraceResult[],
): Promise<void> {
  const line = requestLine(request);
  if (flags.json) return printJson(cli.out, { request: line, explanation, traced: results });
  const { spreadText, traceText } = await import("./view.ts");
  const [first] = results;
  const isSingle = first !== undefined && results.length === 1;
  cli.out.write(isSingle ? traceText(line, first, explanation) : `${line}\n${spreadText(results)}`);
}

function noResponseError(
  url: URL,
  error: NodeJS.ErrnoException,
  explanation: RouteExplanation | null,
): CliError {
  const hint = explanation?.match.by === "nothing" ? "the mesh publishes nothing there" : "";
  const { reason, advice } = connectionFailure(error, 0);
  return new CliError(exitCodes.unreachable, `cannot reach ${url.host}: ${reason}`, hint || advice, error);
}

async function printExplanation(cli: Cli, flags: Flags, explanation: RouteExplanation): Promise<void> {
  if (flags.json) return printJson(cli.out, explanation);
  const { explanationText } = await import("./view.ts");
  cli.out.write(explanationText(explanation));
}

async function explain(
  mesh: MeshClient,
  { url, method, headers }: TraceRequest,
  node?: string,
): Promise<RouteExplanation> {
  const { RouteExplanation } = await import("../../protocol/route.ts");
  const { host } = headers;
  return mesh.getNative("/route", RouteExplanation as unknown as Shape<RouteExplanation>, {
    url: url.href,
    method,
    ...(host !== undefined && { host }),
    ...(node !== undefined && { node }),
  });
}

function requestOf(url: URL, { request, header = [], data }: Flags): TraceRequest {
  const headers = Object.fromEntries(header);
  const length = data === undefined ? {} : { "content-length": String(Buffer.byteLength(data)) };
  return {
    method: request ?? (data === undefined ? "GET" : "POST"),
    url,
    headers: { accept: "*/*", "user-agent": "waggle-trace", ...length, ...headers },
    body: data ?? null,
  };
}

function requestLine({ method, url, headers }: TraceRequest): string {
  return `${method} ${url.href}${headers.host === undefined ? "" : ` (Host: ${headers.host})`}`;
}

function tokenWithheldText(url: URL): string {
  const reason = `the mesh does not know ${url.host}, or it is less protected than the control URL`;
  return `waggle: token not sent, so the route is not shown: ${reason} (--send-token sends it)\n`;
}

function readUrl(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw usageError(`cannot read the URL "${text}"`, "write it as http://127.0.0.2:8080/");
}

function readMethod(text: string): string {
  if (/^CONNECT$/i.test(text)) throw usageError("opens a tunnel, which the mesh does not support");
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}$/.test(text)) return text;
  throw usageError("must be a method such as GET or POST");
}

function readHeader(text: string): readonly [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw usageError("must be NAME: VALUE");
  return [name.toLowerCase(), value.replace(/^ +/, "")];
}

function readRequestCount(text: string): number {
  const count = readCountArgument(text);
  if (count < 1 || count > maxTraceRequests) throw usageError(`must be between 1 and ${maxTraceRequests}`);
  return count;
}
