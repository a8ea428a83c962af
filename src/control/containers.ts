// The container routes: a mesh's tasks that were started, as the containers of one engine.

import { Hono } from "hono";
import { readPattern } from "../domain/model/check-pattern.ts";
import { MeshError, unwrap } from "../domain/model/error.ts";
import { containerId, hasContainer } from "../protocol/engine/container-id.ts";
import {
  type Container,
  containerLabels,
  containerName,
  containerState,
  healthWord,
  writeContainer,
  writeContainerSummary,
} from "../protocol/engine/write-container.ts";
import { hostPorts } from "../protocol/engine/write-task.ts";
import type { MeshApi } from "../registry/api.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "./context.ts";
import { badRequest, httpError } from "./errors.ts";
import { type Filters, labelTest, matchesFilter, readFilters } from "./filters.ts";
import { readCountParameter, readFlag } from "./query.ts";

const containerFilterKeys = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
] as const;
type ContainerFilters = Filters<(typeof containerFilterKeys)[number]>;

const dockerStates = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const healthWords = ["none", "starting", "healthy", "unhealthy"];

/** The largest `limit`; a mesh has fewer tasks. */
const maxLimit = 1_000_000;

const readOnlyText =
  "this endpoint is a swarm of services, whose tasks are its containers: change them with docker service update, scale and rm";

export function containerRoutes({ mesh, now }: ControlDeps): ControlRoutes {
  const routes = new Hono<ControlEnv>();
  routes.get("/json", async (c) => {
    const filters = readContainerFilters(c.req.query("filters"));
    // The Docker CLI sends -1 for no limit.
    const limitText = c.req.query("limit")?.replace(/^-\d{1,9}$/, "0");
    const limit = readCountParameter("limit", limitText, maxLimit, 0);
    const containers = await containersOf(mesh);
    const after = createdAt(containers, filters.get("since")?.[0]);
    const before = createdAt(containers, filters.get("before")?.[0]);
    const showsEnded =
      readFlag(c.req.query("all")) || limit > 0 || filters.has("status") || filters.has("exited");
    const selected = containers.filter(
      (container) =>
        (showsEnded || containerState(container.task) === "running") &&
        (after === null || container.task.createdAtMs > after) &&
        (before === null || container.task.createdAtMs < before) &&
        matches(filters, container),
    );
    const shown = limit > 0 ? selected.slice(0, limit) : selected;
    return c.json(shown.map((container) => writeContainerSummary(container, now())));
  });
  routes.post("/prune", (c) => c.json({ ContainersDeleted: null, SpaceReclaimed: 0 }));
  routes.post("/create", () => {
    throw httpError(
      501,
      "this endpoint is a swarm of services and runs no containers of its own: use docker service create",
    );
  });
  routes.get("/:ref/json", async (c) =>
    c.json(writeContainer(findContainer(await containersOf(mesh), c.req.param("ref")))),
  );
  for (const [path, command] of insideReads) {
    routes.get(`/:ref/${path}`, async (c) => {
      const container = findContainer(await containersOf(mesh), c.req.param("ref"));
      throw httpError(501, await whereToLook(mesh, container, command));
    });
  }
  const refuse = async (ref: string) => {
    findContainer(await containersOf(mesh), ref);
    throw httpError(501, readOnlyText);
  };
  routes.all("/:ref", (c) => refuse(c.req.param("ref")));
  routes.all("/:ref/*", (c) => refuse(c.req.param("ref")));
  return routes;
}

/** What reads from inside of a container, and the command for it on the container's node. */
const insideReads = [
  ["stats", "stats"],
  ["top", "top"],
  ["changes", "diff"],
  ["export", "export"],
  ["archive", "cp"],
] as const;

/** The registry knows nothing of what only the node sees. */
async function whereToLook(mesh: MeshApi, container: Container, command: string): Promise<string> {
  const { nodeId, pid } = container.task;
  const name = containerName(container);
  const node = await mesh.node(nodeId ?? "");
  if (!node.ok) return `the mesh does not look into containers, and the node of ${name} has left`;
  const { hostname, runtime } = node.value;
  const there =
    runtime === "docker"
      ? `run docker ${command} ${name} on ${hostname}`
      : `${name} is a process on ${hostname}${pid === null ? "" : `, with pid ${pid}`}`;
  return `the mesh does not look into containers: ${there}; waggle top shows its requests`;
}

/** All containers of a mesh, newest first as in Docker. */
export async function containersOf(mesh: MeshApi): Promise<readonly Container[]> {
  const [tasks, services] = await Promise.all([mesh.tasks({}), mesh.services()]);
  const byId = new Map(services.map((service) => [service.id, service]));
  return unwrap(tasks)
    .filter(hasContainer)
    .map((task) => ({ task, service: byId.get(task.serviceId) }))
    .reverse();
}

/** By full id, name or unique prefix of the id. @throws MeshError container/not-found, container/invalid */
function findContainer(containers: readonly Container[], ref: string): Container {
  const name = ref.replace(/^\//, "");
  const exact = containers.filter(
    (container) => containerId(container.task) === ref || containerName(container) === name,
  );
  const found =
    exact.length > 0 || ref === ""
      ? exact
      : containers.filter(({ task }) => containerId(task).startsWith(ref));
  const [first] = found;
  const details = { blame: "operator", retry: "never" } as const;
  if (first === undefined) throw new MeshError("container/not-found", `No such container: ${ref}`, details);
  if (found.length > 1) {
    throw new MeshError("container/invalid", `multiple IDs found with provided prefix: ${ref}`, details);
  }
  return first;
}

function createdAt(containers: readonly Container[], ref: string | undefined): number | null {
  return ref === undefined ? null : findContainer(containers, ref).task.createdAtMs;
}

function readContainerFilters(text: string | undefined): ContainerFilters {
  const filters = readFilters(text, containerFilterKeys);
  checkValues(filters, "status", (value) => dockerStates.includes(value));
  checkValues(filters, "health", (value) => healthWords.includes(value));
  checkValues(filters, "exited", (value) => /^-?\d{1,9}$/.test(value));
  checkValues(filters, "is-task", (value) => /^(?:true|false|0|1)$/i.test(value));
  for (const key of ["publish", "expose"] as const)
    checkValues(filters, key, (value) => portsOf(value) !== null);
  for (const key of ["id", "name"] as const) checkValues(filters, key, (value) => readPattern(value).ok);
  return filters;
}

/** @throws MeshError request/invalid, in dockerd's words */
function checkValues(
  filters: ContainerFilters,
  key: (typeof containerFilterKeys)[number],
  isKnown: (value: string) => boolean,
): void {
  const wrong = filters.get(key)?.find((value) => !isKnown(value));
  if (wrong !== undefined) throw badRequest(`invalid filter '${key}=${wrong}'`);
}

function matches(filters: ContainerFilters, container: Container): boolean {
  const { task, service } = container;
  const published = task.state === "running" ? hostPorts(task, service).map((port) => port.published) : [];
  const isIn = (ports: readonly number[]) => (value: string) => {
    const range = portsOf(value);
    return range !== null && ports.some((port) => port >= range.from && port <= range.to);
  };
  return (
    matchesFilter(filters, "id", patternTest(containerId(task))) &&
    // dockerd matches the name with and without its slash.
    matchesFilter(
      filters,
      "name",
      (value) =>
        patternTest(`/${containerName(container)}`)(value) || patternTest(containerName(container))(value),
    ) &&
    matchesFilter(filters, "label", labelTest(containerLabels(container))) &&
    matchesFilter(filters, "status", (value) => containerState(task) === value) &&
    matchesFilter(filters, "health", (value) => healthWord(task) === value) &&
    matchesFilter(
      filters,
      "exited",
      (value) => containerState(task) === "exited" && (task.exitCode ?? 0) === Number(value),
    ) &&
    matchesFilter(filters, "is-task", (value) => /^(?:true|1)$/i.test(value)) &&
    matchesFilter(filters, "ancestor", (value) => isImage(task.run.image, value)) &&
    matchesFilter(filters, "publish", isIn(published)) &&
    matchesFilter(filters, "expose", isIn(task.run.targets)) &&
    // Tasks have neither networks nor volumes of an engine.
    matchesFilter(filters, "network", () => false) &&
    matchesFilter(filters, "volume", () => false) &&
    matchesFilter(filters, "isolation", (value) => value === "default")
  );
}

function patternTest(text: string): (value: string) => boolean {
  return (value) => {
    const reading = readPattern(value);
    return reading.ok && reading.pattern.matches(text);
  };
}

/** True for the image's name, with or without its tag and digest. */
function isImage(image: string, ref: string): boolean {
  const [name = ""] = image.split("@");
  return image === ref || name === ref || name.replace(/:[^/:]*$/, "") === ref;
}

/** Reads `80`, `80/tcp` or `8000-8080/tcp`; null for another text. */
function portsOf(text: string): { readonly from: number; readonly to: number } | null {
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(?:tcp|udp|sctp))?$/.exec(text) ?? [];
  return from === undefined ? null : { from: Number(from), to: Number(to) };
}
