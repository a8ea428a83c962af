// Which schema the answer of each route has: the table that checks of answers use.

import { z } from "zod";
import { swarm, unlockKey } from "./cluster.ts";
import { config } from "./config.ts";
import { container } from "./container.ts";
import { containerSummary } from "./container-summary.ts";
import { diskUsage, pruned } from "./disk-usage.ts";
import { event } from "./event.ts";
import { imageSummary } from "./image.ts";
import { logFaults } from "./log-stream.ts";
import { network, networkCreated } from "./network.ts";
import { node } from "./node.ts";
import { problem } from "./problem.ts";
import { fileCreated, secret } from "./secret.ts";
import { service, serviceCreated, serviceUpdated } from "./service.ts";
import { systemInfo } from "./system-info.ts";
import { systemVersion } from "./system-version.ts";
import { task } from "./task.ts";
import type { ApiMinor } from "./values.ts";
import { volumeList } from "./volume.ts";

/** An answer of the Engine API. */
export type Answer = {
  readonly method: string;
  /** Without a version and query. */
  readonly path: string;
  readonly status: number;
  readonly contentType: string | null;
  readonly body: string;
  /** The body as it was sent. */
  readonly bytes: Buffer;
};

type Route = {
  /** Method and path. */
  readonly pattern: RegExp;
  readonly status: number;
  /** Null: an empty body. */
  readonly schema: ((minor: ApiMinor) => z.ZodType) | null;
};

const route = (pattern: RegExp, schema: Route["schema"], status = 200): Route => ({
  pattern,
  schema,
  status,
});
const list = (schema: (minor: ApiMinor) => z.ZodType) => (minor: ApiMinor) => z.array(schema(minor));

const routes: readonly Route[] = [
  route(/^GET \/version$/, () => systemVersion),
  route(/^GET \/info$/, systemInfo),
  route(/^GET \/system\/df$/, diskUsage),
  route(/^GET \/swarm$/, () => swarm),
  route(/^GET \/swarm\/unlockkey$/, () => unlockKey),
  route(/^POST \/swarm\/update$/, null),
  route(
    /^GET \/nodes$/,
    list(() => node),
  ),
  route(/^GET \/nodes\/[^/]+$/, () => node),
  route(/^POST \/nodes\/[^/]+\/update$/, null),
  route(/^GET \/services$/, list(service)),
  route(/^POST \/services\/create$/, () => serviceCreated, 201),
  route(/^GET \/services\/[^/]+$/, service),
  route(/^POST \/services\/[^/]+\/update$/, () => serviceUpdated),
  route(/^DELETE \/services\/[^/]+$/, null),
  route(/^GET \/tasks$/, list(task)),
  route(/^GET \/tasks\/[^/]+$/, task),
  route(/^GET \/networks$/, list(network)),
  route(/^POST \/networks\/create$/, () => networkCreated, 201),
  route(/^GET \/networks\/[^/]+$/, network),
  route(/^DELETE \/networks\/[^/]+$/, null, 204),
  route(
    /^GET \/secrets$/,
    list(() => secret),
  ),
  route(/^POST \/(?:secrets|configs)\/create$/, () => fileCreated, 201),
  route(/^GET \/secrets\/[^/]+$/, () => secret),
  route(
    /^GET \/configs$/,
    list(() => config),
  ),
  route(/^GET \/configs\/[^/]+$/, () => config),
  route(/^DELETE \/(?:secrets|configs)\/[^/]+$/, null, 204),
  route(/^GET \/containers\/json$/, list(containerSummary)),
  route(/^GET \/containers\/[^/]+\/json$/, container),
  route(/^POST \/containers\/prune$/, () => pruned("ContainersDeleted")),
  route(/^GET \/images\/json$/, list(imageSummary)),
  route(/^POST \/images\/prune$/, () => pruned("ImagesDeleted")),
  route(/^GET \/volumes$/, () => volumeList),
  route(/^POST \/volumes\/prune$/, () => pruned("VolumesDeleted")),
  route(/^GET \/events$/, () => event),
  route(/^GET \/plugins$/, () => z.array(z.never())),
];

/**
 * What is wrong with an answer, a line for each fault; empty if it is as a daemon's.
 *
 * @param minor of the request, or of the daemon for a request without a version
 */
export function faultsOf(answer: Answer, minor: ApiMinor): readonly string[] {
  const { method, path, status, body, contentType } = answer;
  const name = `${method} ${path} (1.${minor}, ${status})`;
  if (path.endsWith("/logs") && status === 200)
    return logFaults(answer.bytes, contentType, minor).map((fault) => `${name}: ${fault}`);
  const known = routes.find(({ pattern }) => pattern.test(`${method} ${path}`));
  if (known === undefined && status < 400) return [`${name}: no schema for this route`];
  const expected = status >= 400 ? { schema: () => problem, status } : known;
  const faults = status === expected?.status ? [] : [`${name}: expected status ${expected?.status}`];
  if (!expected?.schema) return body === "" ? faults : [...faults, `${name}: expected an empty body`];
  if (contentType !== "application/json") faults.push(`${name}: Content-Type is ${contentType}`);
  const lines = path === "/events" && status === 200 ? body.split("\n").filter(Boolean) : [body];
  return [...faults, ...lines.flatMap((line) => bodyFaults(name, expected.schema?.(minor), line))];
}

function bodyFaults(name: string, schema: z.ZodType | undefined, text: string): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [`${name}: not JSON: ${text.slice(0, 60)}`];
  }
  const parsed = schema?.safeParse(value);
  return (parsed?.error?.issues ?? [])
    .flatMap((issue) => issueLines(issue))
    .map((line) => `${name}: ${line}`);
}

/** Of the alternatives of a union, those that fail at the deepest place say most. */
function issueLines(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[] = []): readonly string[] {
  const path = [...prefix, ...issue.path];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) {
    return [`${path.map(String).join(".") || "the answer"}: ${issue.message}`];
  }
  const depth = (issues: readonly z.core.$ZodIssue[]) =>
    Math.max(...issues.map((inner) => inner.path.length));
  const [best = []] = issue.errors.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length);
  return best.flatMap((inner) => issueLines(inner, path));
}
