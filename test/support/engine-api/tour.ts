// A tour of an Engine API: it creates services of every kind and reads everything there is, with each API version.

import { until } from "../until.ts";
import { callEngine, type EngineAddress, type EngineAnswer } from "./client.ts";
import { everyField } from "./every-field.ts";
import { type MistakeSubjects, mistakes } from "./mistakes.ts";

/** What the same service is made of on a daemon and on a mesh. */
export type TourImages = {
  /** Answers HTTP on port 80. */
  readonly server: string;
  /** Runs its arguments as a command. */
  readonly shell: string;
  /** A port that the server may publish. */
  readonly port: number;
};

export type Tour = {
  readonly answers: readonly (EngineAnswer & { readonly version: string })[];
  /** Answers to mistakes that are not the expected ones. */
  readonly wrong: readonly string[];
};

type Json = Readonly<Record<string, unknown>>;

/** Services of every kind that a Swarm has. */
function tourServices({ server, shell, port }: TourImages): readonly Json[] {
  const container = (Image: string, ...Args: string[]) => ({
    TaskTemplate: { ContainerSpec: { Image, ...(Args.length > 0 && { Args }) } },
  });
  const publish = (PublishMode: string, PublishedPort?: number) => ({
    EndpointSpec: { Ports: [{ Protocol: "tcp", TargetPort: 80, PublishMode, PublishedPort }] },
  });
  return [
    {
      Name: "web",
      Labels: { a: "b" },
      ...container(server),
      ...publish("ingress", port),
      Mode: { Replicated: { Replicas: 2 } },
    },
    { Name: "everywhere", ...container(server), ...publish("host"), Mode: { Global: {} } },
    {
      Name: "job",
      ...container(shell, "true"),
      Mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 2 } },
    },
    { Name: "everywhere-job", ...container(shell, "true"), Mode: { GlobalJob: {} } },
    {
      Name: "failing",
      TaskTemplate: {
        ContainerSpec: { Image: shell, Args: ["sh", "-c", "echo out; echo error >&2; exit 3"] },
        RestartPolicy: { Condition: "any", Delay: 100_000_000 },
      },
    },
    { Name: "missing", ...container("no/such:image") },
    {
      Name: "nowhere",
      TaskTemplate: { ...container(server).TaskTemplate, Placement: { Constraints: ["node.labels.x==y"] } },
    },
    { Name: "full", ...everyField(shell) },
    // As careless clients send it: other case, empty values, null, and a field that no API has.
    {
      name: "careless",
      labels: null,
      tasktemplate: {
        containerSpec: {
          image: shell,
          args: [],
          command: null,
          env: [],
          labels: {},
          hostname: "",
          stopGracePeriod: null,
        },
        resources: { limits: null, reservations: {} },
        placement: { constraints: [], preferences: null },
        restartPolicy: null,
        networks: [],
        unknownToAll: 1,
      },
      mode: { replicated: { replicas: 0 } },
      updateConfig: null,
      rollbackConfig: {},
      endpointSpec: { ports: [] },
    },
  ];
}

/** @param versions in order; empty: without a version */
export async function takeTour(
  address: EngineAddress,
  versions: readonly string[],
  images: TourImages,
): Promise<Tour> {
  const answers: (EngineAnswer & { readonly version: string })[] = [];
  const call = async (version: string, method: string, target: string, body?: unknown) => {
    const answer = await callEngine(address, version, method, target, body);
    answers.push({ ...answer, version });
    return answer;
  };
  const startedAtSeconds = Math.floor(Date.now() / 1_000);
  const [first = ""] = versions;
  const ids = new Map<string, string>();
  for (const [at, spec] of tourServices(images).entries()) {
    const version = versions[at % versions.length] ?? "";
    const { status, body, json } = await call(version, "POST", "/services/create", spec);
    if (status !== 201)
      throw new Error(`create ${JSON.stringify(spec).slice(0, 60)} with ${version}: ${body}`);
    ids.set(String(spec.Name ?? spec.name), (json() as { ID: string }).ID);
  }
  await createResources(call, first, images.shell, ids);
  await settle(address, ids);
  await update(call, first, "web", ({ TaskTemplate, ...spec }) => ({
    ...spec,
    TaskTemplate: { ...(TaskTemplate as Json), ForceUpdate: 1 },
    UpdateConfig: { Parallelism: 1, Monitor: 100_000_000, Order: "start-first" },
  }));
  await update(call, first, "careless", (spec) => ({ ...spec, Labels: { changed: "yes" } }));
  for (const version of versions) await readAll(call, version, startedAtSeconds);
  const subjects = await subjectsOf(address, ids, images.port);
  const wrong: string[] = [];
  for (const version of versions) wrong.push(...(await makeMistakes(call, version, subjects)));
  for (const id of ids.values()) await call(first, "DELETE", `/services/${id}`);
  // Those that a task still uses stay.
  for (const { kind } of resources) await call(first, "DELETE", `/${kind}/tour`);
  return { answers, wrong };
}

type Call = (version: string, method: string, target: string, body?: unknown) => Promise<EngineAnswer>;

const resources = [
  { kind: "networks", body: { Name: "tour", Driver: "overlay", Labels: { a: "b" }, Attachable: true } },
  { kind: "secrets", body: { Name: "tour", Labels: { a: "b" }, Data: "c2VjcmV0" } },
  { kind: "configs", body: { Name: "tour", Data: "Y29uZmln" } },
] as const;

/** Creates a network, a secret and a config, and a service with them, unless the engine refuses one of them. */
async function createResources(
  call: Call,
  version: string,
  shell: string,
  ids: Map<string, string>,
): Promise<void> {
  const created: string[] = [];
  for (const { kind, body } of resources) {
    const { status, json } = await call(version, "POST", `/${kind}/create`, body);
    const { ID, Id } = json() as { ID?: string; Id?: string };
    if (status === 201) created.push(ID ?? Id ?? "");
  }
  const [network, SecretID, ConfigID] = created;
  if (ConfigID === undefined) return;
  const File = { Name: "tour", UID: "0", GID: "0", Mode: 292 };
  const { json } = await call(version, "POST", "/services/create", {
    Name: "attached",
    TaskTemplate: {
      ContainerSpec: {
        Image: shell,
        Args: ["sleep", "1000"],
        Secrets: [{ File, SecretID, SecretName: "tour" }],
        Configs: [{ File, ConfigID, ConfigName: "tour" }],
      },
      Networks: [{ Target: network, Aliases: ["other"] }],
    },
  });
  ids.set("attached", (json() as { ID: string }).ID);
}

/** Waits until each kind of task is in its lasting state. */
async function settle(address: EngineAddress, ids: ReadonlyMap<string, string>): Promise<void> {
  const lasting = {
    web: ["running"],
    everywhere: ["running"],
    job: ["complete"],
    "everywhere-job": ["complete"],
    failing: ["failed"],
    missing: ["rejected"],
    nowhere: ["pending"],
  };
  const tasks = async () =>
    (await callEngine(address, "", "GET", "/tasks")).json() as {
      ServiceID: string;
      Status: { State: string };
    }[];
  await until(
    "tasks of each kind",
    async () => {
      const found = await tasks();
      const absent = Object.entries(lasting).filter(
        ([name, states]) =>
          !found.some(
            ({ ServiceID, Status }) => ServiceID === ids.get(name) && states.includes(Status.State),
          ),
      );
      if (absent.length > 0) throw new Error(`waits for ${JSON.stringify(absent)}`);
      return true;
    },
    { withinMs: 60_000, everyMs: 200 },
  );
}

/** Sends a service back with a change, as clients do. */
async function update(
  call: Call,
  version: string,
  name: string,
  change: (spec: Json) => Json,
): Promise<void> {
  const { json } = await call(version, "GET", `/services/${name}`);
  const { ID, Version, Spec } = json() as { ID: string; Version: { Index: number }; Spec: Json };
  await call(version, "POST", `/services/${ID}/update?version=${Version.Index}`, change(Spec));
}

async function subjectsOf(
  address: EngineAddress,
  ids: ReadonlyMap<string, string>,
  port: number,
): Promise<MistakeSubjects> {
  const read = async (target: string) => (await callEngine(address, "", "GET", target)).json();
  const { ID: id, Version } = (await read("/services/everywhere")) as {
    ID: string;
    Version: { Index: number };
  };
  const [node] = (await read("/nodes")) as { ID: string }[];
  return {
    webId: ids.get("web") ?? "",
    port,
    unchanged: { id, version: Version.Index },
    nodeId: node?.ID ?? "",
  };
}

/** Lists everything, and reads one or more of each list. */
async function readAll(call: Call, version: string, sinceSeconds: number): Promise<void> {
  const get = (target: string) => call(version, "GET", target);
  const until = Math.floor(Date.now() / 1_000);
  for (const target of [
    ...[
      "/version",
      "/info",
      "/swarm",
      "/swarm/unlockkey",
      "/system/df",
      "/images/json",
      "/volumes",
      "/plugins",
    ],
    ...["/services?status=true", `/events?since=${sinceSeconds}&until=${until}`],
  ])
    await get(target);
  for (const kind of ["nodes", "services", "tasks", "networks", "secrets", "configs"]) {
    const items = (await get(`/${kind}`)).json() as { ID?: string; Id?: string }[];
    for (const { ID, Id } of items)
      await get(`/${kind}/${ID ?? Id}${kind === "services" ? "?insertDefaults=true" : ""}`);
  }
  const logs = "logs?stdout=1&stderr=1&details=1&timestamps=1&tail=5";
  await get(`/services/failing/${logs}`);
  const failing = (await get(encodeURI('/tasks?filters={"service":["failing"]}'))).json() as { ID: string }[];
  await get(`/tasks/${failing[0]?.ID}/${logs}`);
  const containers = (await get("/containers/json?all=1")).json() as { Id: string }[];
  for (const { Id } of containers) await get(`/containers/${Id}/json`);
}

/** Sends requests that an engine refuses. @returns those whose answer is not the expected one */
async function makeMistakes(
  call: Call,
  version: string,
  subjects: MistakeSubjects,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const { method, target, body, status, message } of mistakes(subjects)) {
    const answer = await call(version, method, target, body);
    const shown = answer.body.replace(/[0-9a-z]{25}/g, "ID").trim();
    const expected = JSON.stringify({ message });
    if (answer.status === status && shown === expected) continue;
    wrong.push(`${method} ${target} (${version}): ${answer.status} ${shown}, expected ${status} ${expected}`);
  }
  return wrong;
}
