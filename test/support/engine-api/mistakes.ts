// Requests that an engine refuses, with what dockerd answers. The texts are those of dockerd 20.10.24; a Swarm of today
// has the same.

/** The services that the requests are about. */
export type MistakeSubjects = {
  readonly webId: string;
  /** Its published port. */
  readonly port: number;
  /** A service that was never updated, and its version. */
  readonly unchanged: { readonly id: string; readonly version: number };
  readonly nodeId: string;
};

type Mistake = {
  readonly method: string;
  readonly target: string;
  readonly body?: unknown;
  readonly status: number;
  /** Ids in it are the word ID. */
  readonly message: string;
};

const swarmkit = "rpc error: code = InvalidArgument desc = ";

export function mistakes({ webId, port, unchanged, nodeId }: MistakeSubjects): readonly Mistake[] {
  const get = (target: string, status: number, message: string): Mistake => ({
    method: "GET",
    target: encodeURI(target),
    status,
    message,
  });
  const post = (target: string, body: unknown, status: number, message: string): Mistake => ({
    method: "POST",
    target,
    body,
    status,
    message,
  });
  const create = (change: object, message: string, status = 400) =>
    post("/services/create", { Name: "refused", ...running({}), ...change }, status, message);
  const asService = { Name: "web", ...running({}) };
  return [
    get("/nosuch", 404, "page not found"),
    ...["service", "node", "task", "network", "secret", "config"].map((kind) =>
      get(`/${kind}s/nosuch`, 404, `${kind} nosuch not found`),
    ),
    get("/containers/nosuch/json", 404, "No such container: nosuch"),
    get("/volumes/nosuch", 404, "get nosuch: no such volume"),
    { ...get("/services/nosuch", 404, "service nosuch not found"), method: "DELETE" },
    ...["services", "nodes", "tasks"].map((kind) =>
      get(`/${kind}?filters={"bogus":["x"]}`, 400, "Invalid filter 'bogus'"),
    ),
    get('/tasks?filters={"service":["nosuch"]}', 404, "service nosuch not found"),
    post("/services/create", "{", 400, "unexpected EOF"),
    post("/services/create", '{"Name":"x"', 400, "unexpected EOF"),
    create(
      { Name: "web" },
      "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists",
      409,
    ),
    create({ Name: "no_name!" }, `${swarmkit}name must be valid as a DNS name component`),
    create({ Name: "b".repeat(64) }, `${swarmkit}name must be 63 characters or fewer`),
    create({ ...running({ Image: "" }) }, `${swarmkit}ContainerSpec: image reference must be provided`),
    create(
      { ...running({ Image: "UPPER/case" }) },
      `${swarmkit}ContainerSpec: "UPPER/case" is not a valid repository/tag`,
    ),
    create(
      { EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: port }] } },
      `${swarmkit}port '${port}' is already in use by service 'web' (ID) as an ingress port`,
    ),
    create(
      { EndpointSpec: { Ports: [80, 81].map((TargetPort) => ({ TargetPort, PublishedPort: 1_234 })) } },
      `${swarmkit}EndpointSpec: duplicate published ports provided`,
    ),
    create(
      { EndpointSpec: { Mode: "dnsrr", Ports: [{ TargetPort: 80, PublishedPort: 1_234 }] } },
      `${swarmkit}EndpointSpec: port published with ingress mode can't be used with dnsrr mode`,
    ),
    create({ Mode: { Replicated: { Replicas: 1 }, Global: {} } }, "must specify only one service mode"),
    create(
      { Mode: { GlobalJob: {} }, UpdateConfig: { Parallelism: 1 } },
      `${swarmkit}Jobs may not have an update config`,
    ),
    create(
      { UpdateConfig: { MaxFailureRatio: 2, Order: "stop-first" } },
      `${swarmkit}TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1`,
    ),
    create(
      { UpdateConfig: { Monitor: -1, Order: "stop-first" } },
      `${swarmkit}TaskSpec: update-monitor cannot be negative`,
    ),
    create(
      { ...running({}, { RestartPolicy: { Delay: -1 } }) },
      `${swarmkit}TaskSpec: restart-delay cannot be negative`,
    ),
    create(
      { ...running({}, { Resources: { Limits: { MemoryBytes: 1_000 } } }) },
      `${swarmkit}invalid memory value 1000: Must be at least 4MiB`,
    ),
    create(
      { ...running({}, { Resources: { Reservations: { NanoCPUs: 100_000 } } }) },
      `${swarmkit}invalid cpu value 0.0001: Must be at least 0.001`,
    ),
    create(
      { ...running({ Mounts: ["/a", "/a"].map((Target) => ({ Type: "tmpfs", Target })) }) },
      `${swarmkit}ContainerSpec: duplicate mount point: /a`,
    ),
    create(
      { ...running({ Healthcheck: { Interval: 1 } }) },
      `${swarmkit}ContainerSpec: Interval in HealthConfig cannot be less than 1ms`,
    ),
    create(
      { ...running({ Healthcheck: { Retries: -1 } }) },
      `${swarmkit}ContainerSpec: Retries in HealthConfig cannot be negative`,
    ),
    post(
      `/services/${webId}/update`,
      asService,
      400,
      `invalid service version '': strconv.ParseUint: parsing "": invalid syntax`,
    ),
    post(
      `/services/${webId}/update?version=1`,
      asService,
      500,
      "rpc error: code = Unknown desc = update out of sequence",
    ),
    post(
      `/services/${unchanged.id}/update?version=${unchanged.version}&rollback=previous`,
      { ...asService, Name: "everywhere", Mode: { Global: {} } },
      400,
      "rpc error: code = FailedPrecondition desc = service ID does not have a previous spec",
    ),
    post(
      `/nodes/${nodeId}/update?version=1`,
      { Role: "worker", Availability: "bogus" },
      400,
      'invalid Availability: "bogus"',
    ),
    post(
      "/swarm/init",
      {},
      503,
      'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
    ),
  ];
}

function running(container: object, template: object = {}): { TaskTemplate: object } {
  return { TaskTemplate: { ContainerSpec: { Image: "a", ...container }, ...template } };
}
