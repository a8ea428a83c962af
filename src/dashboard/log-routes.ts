// The lines of a log pane, as a text that goes on: TIME, STREAM, TASK and LINE, with tabs between them.

import { type Context, Hono } from "hono";
import type { LogOptions } from "../control/logs/log-options.ts";
import { type LogReading, type NamedLine, serviceLogs, taskLogs } from "../control/logs/log-reading.ts";
import { unwrap } from "../domain/model/error.ts";
import { printableUpTo } from "../domain/model/printable.ts";
import { taskName } from "../domain/model/task.ts";
import type { DashboardDeps, DashboardEnv, DashboardRoutes, Identity, RequestOrigin } from "./context.ts";
import { requireIdentity } from "./identity.ts";

/** Last lines of each task that a pane begins with. */
const paneTailLines = 100;
/** Bytes of lines that a pane gets at once, and in a second. */
const paneListBytes = 65_536;
const paneBytesPerSecond = 327_680;
/** The rest of a longer line is left out. */
const paneLineCharacters = 4_000;

const options: LogOptions = {
  streams: ["stdout", "stderr"],
  follow: true,
  timestamps: false,
  details: false,
  tail: paneTailLines,
  since: null,
};

/** Why a user sees no logs, as a sentence; null if they may. */
export function logRefusal({ role, by }: Identity, { sharesOrigin }: RequestOrigin): string | null {
  if (role !== "operator") {
    return by === "access"
      ? "Logs are for operators: ask for your address to be added to ACCESS_OPERATORS."
      : "Logs are for operators: sign in with the operator token.";
  }
  return sharesOrigin
    ? "Logs are not shown here, because services share this host name and their pages could read them. Give the control API its own host name with CONTROL_HOST, or use waggle logs."
    : null;
}

export function logRoutes(deps: DashboardDeps): DashboardRoutes {
  const { mesh } = deps;
  const routes = new Hono<DashboardEnv>();
  routes.get("/services/:ref/logs", async (c) => {
    const refusal = logRefusal(requireIdentity(c), c.env);
    if (refusal !== null) return c.text(refusal, 403);
    const { id, spec } = unwrap(await mesh.service(c.req.param("ref")));
    return sendLines(c, serviceLogs(deps, id, options), await namesOf(deps, spec.name));
  });
  routes.get("/tasks/:id/logs", async (c) => {
    const refusal = logRefusal(requireIdentity(c), c.env);
    if (refusal !== null) return c.text(refusal, 403);
    const { id, serviceId } = unwrap(await mesh.task(c.req.param("id")));
    const service = await mesh.service(serviceId);
    const name = service.ok ? service.value.spec.name : serviceId;
    return sendLines(c, taskLogs(deps, id, options), await namesOf(deps, name));
  });
  return routes;
}

type NameOf = (line: NamedLine) => string;

async function namesOf({ mesh }: DashboardDeps, serviceName: string): Promise<NameOf> {
  const hostnames = new Map((await mesh.nodes()).map(({ id, hostname }) => [id, hostname]));
  return ({ of }) => {
    const node = hostnames.get(of.nodeId ?? "") ?? of.nodeId;
    return `${taskName(serviceName, { ...of, nodeId: node })}@${node}`;
  };
}

/** A browser takes whatever comes, so that a flood is slowed down here. */
function sendLines(c: Context<DashboardEnv>, reading: LogReading, nameOf: NameOf): Response {
  const encoder = new TextEncoder();
  let nextAtMs = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      // So that the browser shows an empty log at once.
      start: (controller) => controller.enqueue(encoder.encode("\n")),
      async pull(controller) {
        await sleep(nextAtMs - Date.now());
        const lines = await reading.next(paneListBytes);
        if (lines === null) return controller.close();
        const bytes = encoder.encode(lines.map((line) => rowOf(line, nameOf(line))).join(""));
        nextAtMs = Math.max(nextAtMs, Date.now()) + (bytes.length / paneBytesPerSecond) * 1_000;
        controller.enqueue(bytes);
      },
      cancel: () => reading.close(),
    },
    { highWaterMark: 0 },
  );
  return c.body(body, 200, { "content-type": "text/plain; charset=utf-8" });
}

function rowOf({ time, stream, text }: NamedLine, name: string): string {
  const line = new TextDecoder().decode(text).replace(/\r?\n$/, "");
  return `${[time, stream, name].join("\t")}\t${printableUpTo(line, paneLineCharacters)}\n`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
