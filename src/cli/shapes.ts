// What a response of the Engine API must have for the command to read it. A shape checks the members without
// which a verb cannot work, and lets everything else through; responses of native routes without one are checked by their schemas in src/protocol/.

import { z } from "zod";
import type { ServerStatus } from "../protocol/server.ts";
import type { MeshStatus } from "../protocol/status.ts";
import type { EngineChangeResponse, EngineNode, EngineService, EngineSwarm, EngineTask } from "./engine.ts";

/** Checks the JSON of a response. */
export type Shape<T> = z.ZodType<T>;

const version = z.looseObject({ Index: z.number() });
const ports = z.looseObject({ Ports: z.array(z.looseObject({ TargetPort: z.number() })).nullish() });
const labels = z.record(z.string(), z.string()).nullish();

const taskTemplate = z.looseObject({
  ContainerSpec: z.looseObject({
    Image: z.string(),
    Command: z.array(z.string()).nullish(),
    Args: z.array(z.string()).nullish(),
    Env: z.array(z.string()).nullish(),
  }),
  Placement: z.looseObject({ Constraints: z.array(z.string()).nullish() }).nullish(),
});

export const engineService = z.looseObject({
  ID: z.string(),
  Version: version,
  Spec: z.looseObject({
    Name: z.string(),
    Labels: labels,
    TaskTemplate: taskTemplate,
    Mode: z.looseObject({}).nullish(),
    EndpointSpec: ports.nullish(),
  }),
  Endpoint: ports.nullish(),
}) as unknown as Shape<EngineService>;

export const engineTask = z.looseObject({
  ID: z.string(),
  ServiceID: z.string(),
  Spec: z.looseObject({}),
  DesiredState: z.string(),
  Status: z.looseObject({ State: z.string(), PortStatus: ports.nullish() }),
}) as unknown as Shape<EngineTask>;

export const engineNode = z.looseObject({
  ID: z.string(),
  Version: version,
  Spec: z.looseObject({ Labels: labels }),
  Description: z.looseObject({ Engine: z.looseObject({ Labels: labels }).nullish() }).nullish(),
}) as unknown as Shape<EngineNode>;

export const engineSwarm = z.looseObject({
  JoinTokens: z.looseObject({ Worker: z.string(), Manager: z.string() }),
}) as unknown as Shape<EngineSwarm>;

export const engineChange = z.looseObject({
  ID: z.string().optional(),
  Warnings: z.array(z.string()).nullish(),
}) as unknown as Shape<EngineChangeResponse>;

const text = z.string();

/** A server of `GET /mesh/servers`, which has more in src/protocol/server.ts. */
export const serverStatus = z.looseObject({
  id: text,
  service: text,
  version: z.number(),
  spec: z.looseObject({ name: text, host: text, port: z.number(), weight: z.number() }),
  status: text,
  lastCheck: text,
}) as unknown as Shape<ServerStatus>;

const statusTask = z.looseObject({
  id: text,
  name: text,
  state: text,
  err: text,
  haproxy: text,
  endpoints: z.array(z.looseObject({ target: z.number(), origin: text })),
});

/**
 * The response of `GET /mesh/status`. Words that a later mesh may add, such as states, are not checked; its schema is
 * in src/protocol/status.ts.
 */
export const meshStatus = z.looseObject({
  mesh: z.looseObject({ name: text, tableVersion: z.number() }),
  nowMs: z.number(),
  nodes: z.array(
    z.looseObject({
      id: text,
      name: text,
      address: text,
      state: text,
      availability: text,
      engineVersion: text,
    }),
  ),
  services: z.array(
    z.looseObject({
      id: text,
      name: text,
      image: text,
      running: z.number(),
      desired: z.number(),
      ports: z.array(z.looseObject({ published: z.number() })),
      hosts: z.array(text),
      tasks: z.array(statusTask),
    }),
  ),
  servers: z
    .array(z.looseObject({ service: text, status: text, spec: z.looseObject({ name: text }) }))
    .nullish(),
  problems: z.array(z.looseObject({ what: text, why: text, next: text })),
}) as unknown as Shape<MeshStatus>;

/** The response of `GET /version`. */
export const engineVersion = z.looseObject({ Version: z.string(), ApiVersion: z.string() });

/** An empty response, as of a change that returns nothing. */
export const emptyBody: Shape<null> = z.null();

/** A response that the verb does not read. */
export const anyResponse: Shape<unknown> = z.unknown();

/** A list of objects. */
export function listOf<T>(shape: Shape<T>): Shape<T[]> {
  return z.array(shape);
}
