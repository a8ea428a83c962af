// The flags of a static server, named as in HAProxy, and the request body built from them.

import type { Command, Option } from "commander";
import type { ServerBody } from "../../protocol/server.ts";
import { parseDurationMs } from "../duration.ts";
import { usageError } from "../errors.ts";
import { choiceFlag, listFlag, valueFlag } from "../flags.ts";
import { readCountArgument } from "../values.ts";

type CheckBody = NonNullable<ServerBody["check"]>;
type HttpCheckBody = NonNullable<CheckBody["http"]>;

export type ServerFlags = {
  readonly weight?: number;
  readonly backup?: boolean;
  readonly maxconn?: number;
  readonly cookie?: string;
  readonly ssl?: boolean;
  readonly check?: boolean;
  readonly inter?: number;
  readonly fastinter?: number;
  readonly downinter?: number;
  readonly checkTimeout?: number;
  readonly checkPort?: number;
  readonly rise?: number;
  readonly fall?: number;
  readonly httpchk?: Pick<HttpCheckBody, "method" | "uri" | "version">;
  readonly httpHeader?: NonNullable<HttpCheckBody["headers"]>;
  readonly expect?: NonNullable<HttpCheckBody["expect"]>;
};

/** Adds the flags. @param verb `set` has --no-… flags as well */
export function serverFlags(command: Command, verb: "add" | "set"): Command {
  const no = (flag: string, description: string) => {
    if (verb === "set") command.option(flag, description);
  };
  command
    .addOption(valueFlag("--weight <number>", "share of the requests, 0 to 256", readCountArgument))
    .option("--backup", "use only while no other server is up");
  no("--no-backup", "use like the other servers");
  command
    .addOption(
      valueFlag(
        "--maxconn <count>",
        "maximum number of concurrent requests; 0: unlimited",
        readCountArgument,
      ),
    )
    .addOption(
      valueFlag("--cookie <value>", "value of the service's sticky cookie for this server", (text) => text),
    )
    .option("--ssl", "send requests over TLS");
  no("--no-ssl", "send requests without TLS");
  command.option("--check", "enable health checks: every 2 s, down after 3 failures, up after 2 passes");
  no("--no-check", "disable health checks: the server counts as up");
  for (const flag of checkFlags()) command.addOption(flag.helpGroup("Health checks:"));
  return command;
}

function checkFlags(): readonly Option[] {
  return [
    valueFlag("--inter <duration>", "interval between checks", readCheckDurationMs),
    valueFlag("--fastinter <duration>", "interval while the state is changing", readCheckDurationMs),
    valueFlag("--downinter <duration>", "interval while the server is down", readCheckDurationMs),
    valueFlag("--check-timeout <duration>", "maximum duration of a check", readCheckDurationMs),
    valueFlag("--check-port <port>", "port to check, if not the server's port", readCountArgument),
    valueFlag("--rise <count>", "consecutive passes until the server is up", readCountArgument),
    valueFlag("--fall <count>", "consecutive failures until the server is down", readCountArgument),
    valueFlag("--httpchk <request>", "HTTP check: a path, or 'GET /health HTTP/1.1'", readHttpchk),
    listFlag("--http-header <name:value>", "header of the HTTP check; repeatable", readHeader),
    valueFlag(
      "--expect <what>",
      "expected response: 'status 200-299', 'string TEXT', '! rstring PATTERN'",
      readExpect,
    ),
  ];
}

/** The admin state of a server or task, as HAProxy names it. */
export function adminFlag(): Option {
  return choiceFlag("--admin <state>", "admin state: all requests, only sticky ones, or none", [
    "ready",
    "drain",
    "maint",
  ]);
}

/** The server with the flags applied; other members stay. */
export function withFlags(before: ServerBody, flags: ServerFlags): ServerBody {
  return {
    ...before,
    ...(flags.weight !== undefined && { weight: flags.weight }),
    ...(flags.backup !== undefined && { backup: flags.backup }),
    ...(flags.maxconn !== undefined && { maxConn: flags.maxconn }),
    ...(flags.cookie !== undefined && { cookie: flags.cookie === "" ? null : flags.cookie }),
    ...(flags.ssl !== undefined && { tls: flags.ssl }),
    check: checkWith(before.check ?? null, flags),
  };
}

/** The check with the flags applied. Any check flag enables checks. */
function checkWith(before: CheckBody | null, flags: ServerFlags): CheckBody | null {
  if (flags.check === false) return null;
  const http = httpWith(before?.http ?? null, flags);
  const changes = {
    ...(flags.inter !== undefined && { interMs: flags.inter }),
    ...(flags.fastinter !== undefined && { fastInterMs: flags.fastinter }),
    ...(flags.downinter !== undefined && { downInterMs: flags.downinter }),
    ...(flags.checkTimeout !== undefined && { timeoutMs: flags.checkTimeout }),
    ...(flags.checkPort !== undefined && { port: flags.checkPort }),
    ...(flags.rise !== undefined && { rise: flags.rise }),
    ...(flags.fall !== undefined && { fall: flags.fall }),
    ...(http !== null && { http }),
  };
  if (before === null && flags.check !== true && Object.keys(changes).length === 0) return null;
  return { ...before, ...changes };
}

function httpWith(
  before: HttpCheckBody | null,
  { httpchk, httpHeader, expect }: ServerFlags,
): HttpCheckBody | null {
  if (before === null && httpchk === undefined && httpHeader === undefined && expect === undefined)
    return null;
  return {
    ...before,
    ...httpchk,
    ...(httpHeader !== undefined && { headers: httpHeader }),
    ...(expect !== undefined && { expect }),
  };
}

/** A duration in Docker's syntax, or HAProxy's: a number without a unit is in milliseconds. */
function readCheckDurationMs(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Math.round(parseDurationMs(text));
}

function readHttpchk(text: string): Pick<HttpCheckBody, "method" | "uri" | "version"> {
  const words = text.trim().split(/\s+/);
  if (words.length === 1) return { method: "GET", uri: words[0] ?? "/" };
  const [method, uri, version = "HTTP/1.0"] = words;
  if (words.length > 3 || (version !== "HTTP/1.0" && version !== "HTTP/1.1")) {
    throw usageError("must be a path, METHOD PATH, or METHOD PATH HTTP/1.1");
  }
  return { method, uri, version };
}

function readHeader(text: string): NonNullable<HttpCheckBody["headers"]> {
  const [, name, value] = /^([^:]+):(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw usageError("must be NAME: VALUE");
  return [{ name, value: value.trimStart() }];
}

function readExpect(text: string): NonNullable<HttpCheckBody["expect"]> {
  const [, not, kind, pattern] = /^(!\s*)?(status|rstatus|string|rstring)\s+(\S.*)$/.exec(text) ?? [];
  if (kind === undefined || pattern === undefined) {
    throw usageError("must be status, rstatus, string or rstring with a pattern, such as 'status 200'");
  }
  return { kind: kind as "status", pattern, not: not !== undefined };
}

/** Parses `172.31.46.128:8080`, `[fd00::1]:80`, `node1.example.com:8080`. */
export function readAddress(text: string): { readonly host: string; readonly port: number } {
  const [, v6, name, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? name;
  if (host !== undefined) return { host, port: Number(port) };
  throw usageError(
    `cannot read address "${text}"`,
    "write it as 172.31.46.128:8080, [fd00::1]:8080 or node1.example.com:8080",
  );
}

/** Parses `my-web/node1`. */
export function readServerRef(text: string): { readonly service: string; readonly name: string } {
  const [service, name, ...rest] = text.split("/");
  if (service && name && rest.length === 0) return { service, name };
  throw usageError(`cannot read server "${text}"`, "write it as SERVICE/SERVER: my-web/node1");
}

/** Path of the routes of one server, without /mesh. */
export function serverPath(text: string): string {
  const { service, name } = readServerRef(text);
  return `/servers/${encodeURIComponent(service)}/${encodeURIComponent(name)}`;
}
