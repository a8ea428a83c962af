import { expect, test } from "vitest";
import { MeshError } from "../../../src/domain/model/error.ts";
import { readNodeSpec } from "../../../src/protocol/engine/read-node.ts";
import { readServiceSpec } from "../../../src/protocol/engine/read-service.ts";
import { publishing, running, spec } from "../control/support.ts";

test("[A10] a spec of the Docker CLI is read as the mesh's spec", () => {
  expect(readServiceSpec(spec("my-web")).spec).toEqual({
    name: "my-web",
    labels: {},
    run: {
      image: "waggle/whoami:latest",
      command: [],
      args: [],
      env: [],
      dir: "",
      stopSignal: "",
      stopGraceMs: 10_000,
      targets: [80],
    },
    mode: { kind: "replicated", replicas: 2 },
    ports: [{ target: 80, published: 8080, mode: "ingress" }],
    constraints: [],
    maxPerNode: 0,
    reservations: { nanoCpus: 0, memoryBytes: 0 },
    restart: { condition: "any", maxAttempts: 0, windowMs: 0 },
    update: { parallelism: 1, order: "start-first" },
    forceUpdate: 0,
  });
});

test("[A10] every field that the mesh reads arrives, in the mesh's units", () => {
  const sent = {
    Name: "my-web",
    Labels: { "waggle.probe": "http:/up", tier: "front" },
    TaskTemplate: {
      ContainerSpec: {
        Image: "nginx:1",
        Command: ["sh"],
        Args: ["-c", "true"],
        Env: ["A=1", "B=", "HOME"],
        Dir: "/srv",
        StopSignal: "SIGINT",
        StopGracePeriod: 1_500_000_000,
      },
      Resources: { Reservations: { NanoCPUs: 500_000_000, MemoryBytes: 67_108_864 } },
      RestartPolicy: { Condition: "on-failure", Delay: 1, MaxAttempts: 3, Window: 60_000_000_000 },
      Placement: { Constraints: ["node.role==worker"], MaxReplicas: 2 },
      ForceUpdate: 7,
    },
    Mode: { Global: {} },
    UpdateConfig: { Parallelism: 0, Order: "stop-first" },
    EndpointSpec: {
      Ports: [
        { TargetPort: 81, PublishMode: "host", PublishedPort: 9000 },
        { TargetPort: 80, Name: "web", PublishedPort: 0 },
        { TargetPort: 80, Protocol: "TCP", PublishedPort: 8080 },
      ],
    },
  };
  const read = readServiceSpec(sent);
  const { EndpointSpec, UpdateConfig, ...asSent } = sent;
  expect(read.document).toEqual({
    ...asSent,
    UpdateConfig: { ...UpdateConfig, MaxFailureRatio: 0 },
    EndpointSpec: {
      Ports: [
        { Protocol: "tcp", TargetPort: 81, PublishedPort: 9000, PublishMode: "host" },
        { Name: "web", Protocol: "tcp", TargetPort: 80, PublishMode: "ingress" },
        { Protocol: "tcp", TargetPort: 80, PublishedPort: 8080, PublishMode: "ingress" },
      ],
    },
  });
  expect(read.spec).toEqual({
    name: "my-web",
    labels: { "waggle.probe": "http:/up", tier: "front" },
    run: {
      image: "nginx:1",
      command: ["sh"],
      args: ["-c", "true"],
      env: ["A=1", "B="],
      dir: "/srv",
      stopSignal: "SIGINT",
      stopGraceMs: 1_500,
      probe: { kind: "http", path: "/up" },
      targets: [80, 81],
    },
    mode: { kind: "global" },
    ports: [
      { target: 81, published: 9000, mode: "host" },
      { target: 80, mode: "ingress", name: "web" },
      { target: 80, published: 8080, mode: "ingress" },
    ],
    constraints: ["node.role==worker"],
    maxPerNode: 2,
    reservations: { nanoCpus: 500_000_000, memoryBytes: 67_108_864 },
    // One nanosecond is a delay; none would let the mesh's own backoff in.
    restart: { condition: "on-failure", delayMs: 1, maxAttempts: 3, windowMs: 60_000 },
    update: { parallelism: 0, order: "stop-first" },
    forceUpdate: 7,
  });
});

test("[A10] null, which Go writes for empty values, reads as absent everywhere", () => {
  const sent = {
    Name: "my-web",
    Labels: null,
    TaskTemplate: {
      ContainerSpec: { Image: "nginx", Command: null, Args: null, Env: null, StopGracePeriod: null },
      Resources: null,
      RestartPolicy: { Condition: "", Delay: null, MaxAttempts: null, Window: null },
      Placement: { Constraints: null },
      Networks: null,
    },
    Mode: { Replicated: { Replicas: null }, Global: null, ReplicatedJob: null },
    UpdateConfig: null,
    EndpointSpec: { Mode: "", Ports: null },
  };
  const bare = { Name: "my-web", TaskTemplate: { ContainerSpec: { Image: "nginx" } } };
  expect(readServiceSpec(sent).spec).toEqual(readServiceSpec(bare).spec);
});

test.each([
  [{ Replicated: {} }, { Replicated: { Replicas: 1 } }],
  [{ Replicated: { Replicas: 0 } }, { Replicated: { Replicas: 0 } }],
  [undefined, { Replicated: { Replicas: 1 } }],
  [null, { Replicated: { Replicas: 1 } }],
])("[A10] mode %j is stored as %j: the Docker CLI cannot read a service without Replicas", (Mode, kept) => {
  const sent = { ...spec("my-web"), Mode, Odd: { dropped: [1, null] } };
  const before = structuredClone(sent);
  const { document } = readServiceSpec(sent);
  const { Odd: _odd, ...known } = before;
  expect(document).toEqual({ ...known, Mode: kept });
  expect(sent).toEqual(before);
});

const mustTarget = "set the port of the task to publish, 1 to 65535";
const overTcp = "the mesh carries HTTP and WebSocket, and with label waggle.mode=tcp any protocol over tcp";

test.each([
  [
    "udp",
    publishing({ Protocol: "udp", TargetPort: 53, PublishedPort: 53 }),
    `EndpointSpec: cannot publish 53/udp: ${overTcp}; udp datagrams have no way through it`,
  ],
  [
    "sctp",
    publishing({ Protocol: "sctp", TargetPort: 9 }),
    `EndpointSpec: cannot publish 9/sctp: ${overTcp}; sctp datagrams have no way through it`,
  ],
  [
    "no target",
    publishing({ PublishedPort: 80 }),
    `EndpointSpec: port {"PublishedPort":80} has no TargetPort: ${mustTarget}`,
  ],
  [
    "target 0",
    publishing({ TargetPort: 0 }),
    `EndpointSpec: port {"TargetPort":0} has no TargetPort: ${mustTarget}`,
  ],
  [
    "a port in words",
    publishing({ TargetPort: "http" }),
    'cannot read EndpointSpec.Ports[0].TargetPort: expected number, read "http"',
  ],
  [
    "half a port",
    publishing({ TargetPort: 80.5 }),
    "cannot read EndpointSpec.Ports[0].TargetPort: expected int, read 80.5",
  ],
  [
    "a publish mode",
    publishing({ TargetPort: 80, PublishMode: "all" }),
    'EndpointSpec: PublishMode is "all": use ingress or host',
  ],
  [
    "dnsrr",
    { EndpointSpec: { Mode: "dnsrr", Ports: [{ TargetPort: 80 }] } },
    "rpc error: code = InvalidArgument desc = EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
  ],
  ["an endpoint mode", { EndpointSpec: { Mode: "anycast" } }, 'invalid resolution mode: "anycast": use vip'],
  [
    "a job with an update config",
    { Mode: { ReplicatedJob: {} }, UpdateConfig: { Parallelism: 1 } },
    "rpc error: code = InvalidArgument desc = Jobs may not have an update config",
  ],
  ["two job modes", { Mode: { GlobalJob: {}, ReplicatedJob: {} } }, "must specify only one service mode"],
  ["two modes", { Mode: { Global: {}, Replicated: {} } }, "must specify only one service mode"],
  [
    "replicas in words",
    { Mode: { Replicated: { Replicas: "two" } } },
    'cannot read Mode.Replicated.Replicas: expected number, read "two"',
  ],
  [
    "a plugin",
    running({}, { Runtime: "plugin" }),
    'TaskTemplate.Runtime is "plugin": the mesh runs containers only',
  ],
  [
    "a restart condition",
    running({}, { RestartPolicy: { Condition: "maybe" } }),
    'invalid RestartCondition: "maybe": use any, on-failure, none',
  ],
  [
    "an update order",
    { UpdateConfig: { Order: "both" } },
    'unrecognized update order "both": use start-first, stop-first',
  ],
  ["a label that is no text", { Labels: { a: 1 } }, "cannot read Labels.a: expected string, read 1"],
  [
    "an environment that is no list",
    running({ Env: "A=1" }),
    'cannot read TaskTemplate.ContainerSpec.Env: expected array, read "A=1"',
  ],
  [
    "a NUL",
    running({ Args: ["a\0b"] }),
    'cannot read TaskTemplate.ContainerSpec.Args[0]: expected text without a NUL, read "a\\u0000b"',
  ],
  [
    "an own label misread",
    { Labels: { "waggle.probe": "ftp" } },
    "label 'waggle.probe' is 'ftp': write tcp or http:/path",
  ],
])("[A11] %s is refused with what was read", (_what, change, message) => {
  expect(refusalOf(() => readServiceSpec(spec("my-web", change)))).toBe(message);
});

test("[A11] an error quotes only the start of a long value", () => {
  const message = refusalOf(() => readServiceSpec(spec("my-web", { Labels: "x".repeat(1_000) })));
  expect(message).toBe(`cannot read Labels: expected record, read "${"x".repeat(59)}…`);
});

test("[S23] the platforms of a placement are read, and kept in the document", () => {
  const platforms = [{ Architecture: "amd64", OS: "linux" }, { OS: "linux" }];
  const { spec: read, document } = readServiceSpec(
    spec("my-web", running({}, { Placement: { Platforms: platforms } })),
  );
  expect(read.platforms).toEqual([
    { os: "linux", arch: "amd64" },
    { os: "linux", arch: "" },
  ]);
  expect(document).toMatchObject({ TaskTemplate: { Placement: { Platforms: platforms } } });
});

test.each([
  ["a mount", running({ Mounts: [{ Type: "bind", Source: "/a", Target: "/b" }] })],
  ["a health check", running({ Healthcheck: { Test: ["CMD", "true"] } })],
  ["a user", running({ User: "1000" })],
  ["limits", running({}, { Resources: { Limits: { MemoryBytes: 64 << 20 } } })],
  ["a log driver", running({}, { LogDriver: { Name: "json-file", Options: { "max-size": "1m" } } })],
])("[N101] %s is kept for nodes with Docker, which honour it", (_what, change) => {
  const sent = spec("my-web", change);
  const { document } = readServiceSpec(sent);
  expect(document).toMatchObject(sent);
});

test.each([
  [running({ Env: ["A={{.Node.Name}}"] }), "cannot expand {{.Node.Name}}: use one of "],
  [running({ Hostname: "{{.Task" }), 'cannot expand "{{.Task": "{{" has no "}}"'],
  [running({ Mounts: [{ Source: "{{x}}", Target: "/b" }] }), "cannot expand {{x}}: use one of "],
  [running({ Ulimits: [{ Name: "nofile", Soft: "many" }] }), "Ulimits[0].Soft: expected number"],
  [running({ Mounts: "/a:/b" }), "ContainerSpec.Mounts: expected array"],
  [running({}, { Resources: { Limits: { Pids: 1.5 } } }), "Resources.Limits.Pids: expected int"],
])("[N101] a part of the template that no node can read is refused at once: %j", (change, message) => {
  expect(refusalOf(() => readServiceSpec(spec("my-web", change)))).toContain(message);
});

test("[V13] update and rollback policies are read completely, in milliseconds, and absent settings stay absent", () => {
  const config = { Parallelism: 2, Delay: 2e9, Monitor: 3e8, MaxFailureRatio: 0.25, Order: "stop-first" };
  const sent = {
    UpdateConfig: { ...config, FailureAction: "rollback" },
    RollbackConfig: { FailureAction: "continue" },
  };
  const { spec: read } = readServiceSpec(spec("my-web", sent));
  expect(read.update).toEqual({
    parallelism: 2,
    order: "stop-first",
    delayMs: 2_000,
    monitorMs: 300,
    maxFailureRatio: 0.25,
    failureAction: "rollback",
  });
  expect(read.rollback).toEqual({ parallelism: 1, order: "start-first", failureAction: "continue" });
  const back = { RollbackConfig: { FailureAction: "rollback" } };
  expect(refusalOf(() => readServiceSpec(spec("my-web", back)))).toBe(
    'unrecognized update failure action "rollback": use pause, continue',
  );
});

test("[A21] all fields of a node spec are read", () => {
  const sent = { Labels: { zone: "a" }, Role: "Worker", Availability: "drain" };
  expect(readNodeSpec(sent)).toEqual({ labels: { zone: "a" }, role: "worker", availability: "drain" });
  expect(readNodeSpec({ Role: "worker", Availability: "active" }).labels).toEqual({});
});

test.each([
  [{ Role: "worker", Availability: "bogus" }, 'invalid Availability: "bogus"'],
  [{ Role: "worker" }, 'invalid Availability: ""'],
  [{ Role: "king", Availability: "active" }, 'invalid Role: "king"'],
  [{ Role: "worker", Availability: "active", Labels: [] }, "cannot read Labels: expected record, read []"],
  [null, "cannot read the node spec: expected object, read null"],
])("[A21] node spec %j is refused in Docker's words", (sent, message) => {
  expect(refusalOf(() => readNodeSpec(sent))).toBe(message);
});

function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof MeshError && error.kind === "invalid") return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("[C67] a job's counts are read, with one at a time as the default, and always written", () => {
  const modeOf = (Mode: object) => {
    const { spec: read, document } = readServiceSpec({ ...spec("job"), Mode });
    return [read.mode, (document as { Mode: unknown }).Mode];
  };
  const counts = (completions: number, maxConcurrent: number) => [
    { kind: "replicated-job", completions, maxConcurrent },
    { ReplicatedJob: { MaxConcurrent: maxConcurrent, TotalCompletions: completions } },
  ];
  expect(modeOf({ ReplicatedJob: {} })).toEqual(counts(1, 1));
  expect(modeOf({ ReplicatedJob: { MaxConcurrent: 3 } })).toEqual(counts(3, 3));
  expect(modeOf({ ReplicatedJob: { TotalCompletions: 5 } })).toEqual(counts(5, 1));
  expect(modeOf({ GlobalJob: {} })).toEqual([{ kind: "global-job" }, { GlobalJob: {} }]);
});

test("[S18] [S20] placement preferences and generic resources are read, and cause no warning", () => {
  const sent = spec(
    "my-web",
    running(
      {},
      {
        Placement: { Preferences: [{ Spread: { SpreadDescriptor: "node.labels.zone" } }] },
        Resources: {
          Reservations: {
            GenericResources: [
              { DiscreteResourceSpec: { Kind: "gpu", Value: 2 } },
              { NamedResourceSpec: { Kind: "gpu", Value: "UUID1" } },
            ],
          },
        },
      },
    ),
  );
  const { spec: read } = readServiceSpec(sent);
  expect(read.spreadOver).toEqual(["node.labels.zone"]);
  expect(read.reservations.generic).toEqual({ gpu: 3 });
});
