// `waggle trace`: the way a request takes through the mesh, of a real one or of one that is only thought of.

import type { Command } from "commander";
import type { RouteExplanation } from "../../protocol/route.ts";
import type { Cli } from "../cli.ts";
import type { MeshClient } from "../client.ts";
import { CliError, exitCodes, usageError } from "../errors.ts";
import { connect, listFlag, type MeshFlags, meshFlags, valueFlag } from "../flags.ts";
import { printJson } from "../json.ts";
import { readCountArgument } from "../values.ts";
import type { TraceRequest } from "./request.ts";
import { readTracedRoute } from "./traced-route.ts";
import type { TraceResult } from "./view.ts";

/** More would be a load test, which this is not. */
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

The request is real, and carries the token for the mesh to tell its way; the task does not get to see it. Where the mesh
does not know the URL as its own, or it is less protected than the control URL, the token stays here.`;

export function registerTrace(program: Command, cli: Cli): void {
  const command = program
    .command("trace")
    .argument("<url>", "what to ask for, as a client would: http://HOST:PORT/PATH")
    .summary("show the way of a request: entry, service, node, tasks, time")
    .description(
      "Send a request and show its way: where it comes in, which service, node and tasks, how long each took.",
    )
    .addOption(valueFlag("-X, --request <method>", "method (default: GET, or POST with --data)", readMethod))
    .addOption(
      listFlag("-H, --header <header>", "header to send, as 'NAME: VALUE'", (text) => [readHeader(text)]),
    )
    .option("-d, --data <text>", "body to send")
    .addOption(
      valueFlag("-n, --count <count>", "send so many, one after the other", readRequestCount).default(1),
    )
    .option("--explain", "send nothing: say what would happen, by the mesh's present routing table")
    .option("--node <node>", "with --explain: as if it came in at this node")
    .option("--send-token", "send the token also where the mesh does not know the URL as its own");
  meshFlags(command, { hostLetter: false })
    .addHelpText("after", traceHelp)
    .action((url: string, flags: Flags) => trace(cli, command, url, flags));
}

async function trace(cli: Cli, command: Command, text: string, flags: Flags): Promise<void> {
  const url = readUrl(text);
  if (flags.node !== undefined && !flags.explain)
    throw usageError("--node goes with --explain: what is sent goes where the URL says");
  const sent = requestOf(url, flags);
  const mesh = await connect(command, cli);
  if (flags.explain) return printExplanation(cli, flags, await explain(mesh, sent, flags.node));
  const explanation = await explain(mesh, sent).catch((error: unknown) => {
    // Requests go through without the registry; only the reasons are missing then.
    if (error instanceof CliError && error.exitCode === exitCodes.unreachable) return null;
    throw error;
  });
  await sendAll(cli, mesh, sent, explanation, flags);
}

async function sendAll(
  cli: Cli,
  mesh: MeshClient,
  sent: TraceRequest,
  explanation: RouteExplanation | null,
  flags: Flags,
): Promise<void> {
  const { sendTraceRequest } = await import("./request.ts");
  const { canSendToken } = await import("./token-scope.ts");
  const { spreadText, traceText } = await import("./view.ts");
  const withToken = flags.sendToken === true || canSendToken(sent.url, mesh.target.url, explanation);
  const { token } = mesh.target;
  const asked = withToken && token !== null ? { "x-waggle-debug": "1", "x-waggle-token": token } : {};
  if (!withToken) cli.err.write(tokenWithheldText(sent.url));
  const traced: TraceResult[] = [];
  for (let left = flags.count; left > 0; left -= 1) {
    const answer = await sendTraceRequest(
      { ...sent, headers: { ...sent.headers, ...asked } },
      performance.now.bind(performance),
    ).catch(async (error: NodeJS.ErrnoException) => {
      if (!flags.json && explanation !== null) await printExplanation(cli, flags, explanation);
      throw unansweredError(sent.url, error, explanation);
    });
    traced.push({ response: answer, route: readTracedRoute(answer.headers) });
  }
  if (flags.json) return printJson(cli.out, { request: requestLine(sent), explanation, traced });
  const [only] = traced;
  if (only !== undefined && traced.length === 1)
    cli.out.write(traceText(requestLine(sent), only, explanation));
  else cli.out.write(`${requestLine(sent)}\n${spreadText(traced)}`);
}

function unansweredError(
  url: URL,
  error: NodeJS.ErrnoException,
  explanation: RouteExplanation | null,
): CliError {
  const hint = explanation?.match.by === "nothing" ? "the mesh publishes nothing there" : "";
  const why = error.message || String(error.code);
  return new CliError(exitCodes.unreachable, `cannot reach ${url.host}: ${why}`, hint, error);
}

async function printExplanation(cli: Cli, flags: Flags, explanation: RouteExplanation): Promise<void> {
  if (flags.json) return printJson(cli.out, explanation);
  const { explanationText } = await import("./view.ts");
  cli.out.write(explanationText(explanation));
}

function explain(
  mesh: MeshClient,
  { url, method, headers }: TraceRequest,
  node?: string,
): Promise<RouteExplanation> {
  const { host } = headers;
  return mesh.getNative<RouteExplanation>("/route", {
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
  return `waggle: the mesh does not know ${url.host} as its own, so the token stays here and the answer cannot tell its way (--send-token sends it)\n`;
}

function readUrl(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw usageError(`cannot read the URL "${text}"`, "write it as http://127.0.0.2:8080/");
}

function readMethod(text: string): string {
  if (/^CONNECT$/i.test(text)) throw usageError("asks for a tunnel, which a mesh does not make");
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}$/.test(text)) return text;
  throw usageError("must be a method such as GET or POST");
}

function readHeader(text: string): readonly [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): *([\t\x20-\x7e]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw usageError("must be NAME: VALUE");
  return [name.toLowerCase(), value];
}

function readRequestCount(text: string): number {
  const count = readCountArgument(text);
  if (count < 1 || count > maxTraceRequests) throw usageError(`must be between 1 and ${maxTraceRequests}`);
  return count;
}
