// GET /events: the mesh's events in Docker's shape, those since a time and then each as it happens.

import { Hono } from "hono";
import { unwrap } from "../domain/model/error.ts";
import { type MeshEvent, maxEventsKept } from "../domain/model/event.ts";
import type { Container } from "../protocol/engine/write-container.ts";
import { type EngineEvent, hasEngineEvent, writeEvent } from "../protocol/engine/write-event.ts";
import type { MeshApi } from "../registry/api.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest } from "./errors.ts";
import { type Filters, labelTest, matchesFilter, readFilters } from "./filters.ts";

/** Keys whose values are names or ids of what an event is about. */
const subjectKeys = [
  "config",
  "container",
  "daemon",
  "network",
  "node",
  "plugin",
  "secret",
  "service",
  "volume",
] as const;
const eventFilterKeys = [...subjectKeys, "event", "image", "label", "scope", "type"] as const;
type EventFilters = Filters<(typeof eventFilterKeys)[number]>;

/** Events of the mesh as they happen; ending the iteration ends the watch. */
export type WatchEvents = (sinceSeq: number) => Promise<AsyncIterable<MeshEvent>>;

export function engineEventRoutes({ mesh, now, watchEvents }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/", async (c) => {
    const filters = readFilters(c.req.query("filters"), eventFilterKeys);
    const sinceMs = readTime("since", c.req.query("since"));
    const untilMs = readTime("until", c.req.query("until"));
    const stored = await mesh.newestEvents(maxEventsKept);
    const isWithin = ({ atMs }: MeshEvent) => atMs >= (sinceMs ?? Infinity) && atMs <= (untilMs ?? Infinity);
    const replayed = await linesOf(mesh, stored.filter(isWithin), filters);
    const endsInMs = untilMs === null ? null : untilMs - now();
    const isLive = watchEvents !== undefined && (endsInMs === null || endsInMs > 0);
    const live = isLive ? await watchEvents(stored.at(-1)?.seq ?? 0) : noEvents();
    const body = streamOf(replayed, live, endsInMs, (event) => linesOf(mesh, [event], filters));
    return c.body(body, 200, { "content-type": "application/json" });
  });
  return routes;
}

/** Reads epoch seconds with an optional fraction, as Docker's clients send every time; null if absent. */
function readTime(name: "since" | "until", text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  if (/^\d{1,12}(?:\.\d{1,9})?$/.test(text)) return Number(text) * 1_000;
  throw badRequest(`cannot read ${name}=${text}: write it as seconds since 1970, such as 1796000000.5`);
}

/** The events that Docker has and the filters let through, a line of JSON each. */
async function linesOf(
  mesh: MeshApi,
  events: readonly MeshEvent[],
  filters: EventFilters,
): Promise<readonly string[]> {
  const known = events.filter(hasEngineEvent);
  const containers = known.some(({ subject }) => subject.type === "task")
    ? await containersById(mesh)
    : new Map<string, Container>();
  return known
    .map((event) => writeEvent(event, containers.get(event.subject.id)))
    .filter((event) => matches(filters, event))
    .map((event) => `${JSON.stringify(event)}\n`);
}

async function containersById(mesh: MeshApi): Promise<ReadonlyMap<string, Container>> {
  const [tasks, services] = await Promise.all([mesh.tasks({}), mesh.services()]);
  const byId = new Map(services.map((service) => [service.id, service]));
  return new Map(unwrap(tasks).map((task) => [task.id, { task, service: byId.get(task.serviceId) }]));
}

/** As in dockerd, a value matches the beginning of an id or name. */
function matches(filters: EventFilters, { Type, Action, Actor, scope }: EngineEvent): boolean {
  const { ID, Attributes } = Actor;
  const isSubject = (value: string) => ID.startsWith(value) || Attributes.name?.startsWith(value) === true;
  return (
    matchesFilter(filters, "type", (value) => value === Type) &&
    // `health_status` matches `health_status: healthy`.
    matchesFilter(filters, "event", (value) => Action === value || Action.split(":")[0] === value) &&
    matchesFilter(filters, "scope", (value) => value === scope) &&
    matchesFilter(filters, "label", labelTest(Attributes)) &&
    matchesFilter(filters, "image", (value) => Attributes.image === value) &&
    subjectKeys.every((key) => matchesFilter(filters, key, isSubject))
  );
}

async function* noEvents(): AsyncGenerator<MeshEvent> {}

/**
 * The replayed lines, then those of each live event, until the client leaves, the watch ends or the time is over.
 *
 * @param endsInMs null: no end
 */
function streamOf(
  replayed: readonly string[],
  live: AsyncIterable<MeshEvent>,
  endsInMs: number | null,
  read: (event: MeshEvent) => Promise<readonly string[]>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const events = live[Symbol.asyncIterator]();
  const timer = Promise.withResolvers<IteratorResult<MeshEvent>>();
  const timeout =
    endsInMs === null || endsInMs <= 0
      ? undefined
      : setTimeout(() => timer.resolve({ done: true, value: undefined }), Math.min(endsInMs, longestTimerMs));
  const end = async (): Promise<void> => {
    clearTimeout(timeout);
    await events.return?.();
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (const line of replayed) controller.enqueue(encoder.encode(line));
    },
    async pull(controller) {
      // An event without a line leaves the client waiting, so the next one is read.
      for (let lines: readonly string[] = []; lines.length === 0; ) {
        const next = await Promise.race([events.next(), timer.promise]);
        if (next.done) {
          await end();
          return controller.close();
        }
        lines = await read(next.value);
        for (const line of lines) controller.enqueue(encoder.encode(line));
      }
    },
    cancel: end,
  });
}

/** The longest time of a timer (2^31-1), milliseconds. */
const longestTimerMs = 2_147_483_647;
