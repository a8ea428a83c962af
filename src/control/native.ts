// The native routes under /mesh/, for features that the Engine API does not have.

import { Hono } from "hono";
import { z } from "zod";
import { unwrap } from "../domain/model/error.ts";
import { maxEventsKept } from "../domain/model/event.ts";
import { tunnelPath } from "../gateway/tunnel/relay.ts";
import {
  clientHeader,
  type DependencyReply,
  isAcceptedProtocol,
  JoinRequest,
  protocolVersion,
} from "../protocol/agent.ts";
import { readAgentUpgrade } from "../protocol/agent-upgrade.ts";
import { readAs } from "../protocol/engine/read.ts";
import { readTableFormats } from "../protocol/router.ts";
import type { ServiceView } from "../registry/api.ts";
import { operatorOnly } from "./auth.ts";
import { readBody } from "./body.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest, httpError, problem } from "./errors.ts";
import { readMeshView } from "./mesh-view.ts";
import { readJudgedTraffic, readProblemContext } from "./problem-inputs.ts";
import { readCountParameter, readFlag } from "./query.ts";
import { routeExplanation } from "./route.ts";
import { meshStatus } from "./status.ts";

/** A join request of any version. */
const AnyProtocol = z.object({ protocol: z.unknown().optional() });

/** Events in a response without a limit. */
const defaultEvents = 100;

/** Routes without a bearer token: the registry checks join tokens and credentials of agents. */
export function openNativeRoutes({ mesh, forward, openTunnel }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/health", (c) => c.json({ ok: true }));
  routes.post("/join", async (c) => {
    const body = await readBody(c.req.raw);
    checkProtocol(body);
    const { token, node } = readAs(JoinRequest, body, "the join request");
    return c.json(unwrap(await mesh.join({ token, ...node })));
  });
  routes.get("/agent", (c) => {
    const request = upgradeRequest(c.req.raw, "/mesh/agent");
    const { client } = c.env;
    if (client === null) request.headers.delete(clientHeader);
    else request.headers.set(clientHeader, client);
    return forward(request);
  });
  routes.get("/agent/dependencies/:id", async (c) => {
    const claim = readAgentUpgrade(c.req.raw.headers);
    if ("status" in claim) return problem(c, claim.status, claim.message);
    const { nodeId, credential } = claim;
    const data = unwrap(await mesh.taskDependency(nodeId, credential, c.req.param("id")));
    return c.json({ data } satisfies DependencyReply, 200, { "cache-control": "no-store" });
  });
  routes.get("/tunnel", async (c) => {
    const request = upgradeRequest(c.req.raw, tunnelPath);
    const claim = readAgentUpgrade(request.headers);
    if ("status" in claim) return problem(c, claim.status, claim.message);
    const refused = await mesh.refuseNode(claim);
    if (refused !== null) return problem(c, refused.status, refused.message);
    // The object needs no credential.
    request.headers.delete("authorization");
    const response = await openTunnel?.(claim.nodeId, request);
    return response ?? problem(c, 404, "this mesh has no tunnels: its Worker binds no TUNNEL");
  });
  return routes;
}

export function nativeRoutes(deps: ControlDeps): ControlRoutes {
  const { mesh, telemetry, forward, now, entrySettings, connector } = deps;
  const routes = new Hono<ControlEnv>();
  routes.get("/watch", (c) => {
    const since = c.req.query("since");
    const query =
      since === undefined ? "" : `?since=${readCountParameter("since", since, Number.MAX_SAFE_INTEGER, 0)}`;
    return forward(upgradeRequest(c.req.raw, `/mesh/watch${query}`));
  });
  routes.get("/events", async (c) => {
    const limit = readCountParameter("limit", c.req.query("limit"), maxEventsKept, defaultEvents);
    const since = c.req.query("since");
    if (since === undefined) return c.json(await mesh.newestEvents(limit));
    return c.json(await mesh.events(readCountParameter("since", since, Number.MAX_SAFE_INTEGER, 0), limit));
  });
  routes.get("/table", async (c) => {
    const after = c.req.query("after");
    const knownVersion =
      after === "-1" ? -1 : readCountParameter("after", after, Number.MAX_SAFE_INTEGER, -1);
    const formats = readTableFormats(c.req.query("formats"));
    if (formats === null) throw badRequest("cannot read formats: use numbers, the newest first, such as 3,2");
    const { version, text, refusal } = await mesh.table(knownVersion, now(), formats);
    if (refusal !== undefined) return problem(c, 406, refusal);
    const headers = { "x-waggle-table-version": String(version) };
    return text === null ? c.body(null, 304, headers) : c.text(text, 200, headers);
  });
  routes.get("/route", async (c) => {
    const { url, method, node, host } = c.req.query();
    return c.json(await routeExplanation(mesh, entrySettings, { url, method, node, host }));
  });
  routes.get("/connect", operatorOnly, async (c) => {
    const { service = "", port = "" } = c.req.query();
    const published = readCountParameter("port", port, 65_535, 0);
    requireUpgrade(c.req.raw);
    const asked = { service, port: published, client: c.env.client ?? "unknown" };
    const response = await connector?.(c.req.raw).open(asked);
    return response ?? problem(c, 400, whyNotConnected(unwrap(await mesh.service(service)), published));
  });
  routes.post("/gateway-key/rotate", operatorOnly, async (c) => {
    await mesh.rotateGatewayKey("operator");
    return c.body(null, 204);
  });
  routes.get("/telemetry", async (c) => {
    const { service, node, tasks = "true", trend, series, colos } = c.req.query();
    const filter = {
      ...(service !== undefined && { service }),
      ...(node !== undefined && { node }),
      tasks: readFlag(tasks),
      trend: readFlag(trend),
      series: readFlag(series),
      colos: readFlag(colos),
      live: true,
    };
    return c.json(await telemetry.snapshot(filter));
  });
  routes.get("/status", async (c) => {
    const view = await readMeshView(deps.mesh);
    const [traffic, context] = await Promise.all([readJudgedTraffic(deps, view), readProblemContext(deps)]);
    return c.json(meshStatus(view, traffic?.services ?? null, now(), context, traffic?.leftOut));
  });
  return routes;
}

/** Why a service has no TCP connections at a port. */
function whyNotConnected({ spec, ports }: ServiceView, port: number): string {
  if (spec.labels["waggle.mode"] !== "tcp")
    return `service ${spec.name} gets HTTP requests: set waggle.mode=tcp if it does not speak HTTP`;
  const known = ports.map(({ published }) => published);
  return `service ${spec.name} does not publish port ${port}: it publishes ${known.join(", ") || "no port"}`;
}

/** Checks the version before the rest of the body is read: another version may have other fields. */
function checkProtocol(body: unknown): void {
  const { protocol: version } = readAs(AnyProtocol, body, "the join request");
  if (typeof version !== "number") throw badRequest("cannot read the join request: protocol is missing");
  if (isAcceptedProtocol(version)) return;
  const advice = version < protocolVersion ? "update the agent" : "update the mesh first";
  throw httpError(426, `this agent speaks protocol ${version} and the mesh ${protocolVersion}: ${advice}`);
}

/** The request with the registry's URL, whatever URL it came with. */
function upgradeRequest(request: Request, path: string): Request {
  requireUpgrade(request);
  return new Request(`https://registry${path}`, request);
}

function requireUpgrade({ headers }: Request): void {
  if (headers.get("upgrade")?.toLowerCase() === "websocket") return;
  throw httpError(426, "this route is a WebSocket: send Upgrade: websocket");
}
