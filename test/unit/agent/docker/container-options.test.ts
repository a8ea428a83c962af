import { expect, test } from "vitest";
import { networkAliases } from "../../../../src/agent/runtimes/docker/container-networks.ts";
import { containerOptions } from "../../../../src/agent/runtimes/docker/container-options.ts";
import { readTemplate } from "../../../../src/agent/runtimes/task-template.ts";
import type { AssignedTask } from "../../../../src/protocol/agent.ts";
import { assignedTask, taskId } from "../../../support/fake-registry.ts";

const node = { id: taskId("node"), hostname: "node1", os: "linux", arch: "x86_64" };

function optionsOf(container: object, template: object = {}, task: Partial<AssignedTask> = {}) {
  const assigned = {
    ...assignedTask("a", { targets: [80] }, 2),
    template: { ContainerSpec: { Image: "web:1", ...container }, ...template },
    ...task,
  };
  const context = { nodeId: node.id, agent: "node1 /state", hostIp: "", nameServer: null, files: [] };
  return containerOptions(assigned, readTemplate(assigned, node), context);
}

test("[N121] a container has the name and the labels of a Swarm's task", () => {
  const name = `my-web.2.${taskId("a")}`;
  const { name: containerName, Labels } = optionsOf({
    Labels: { "my.label": "x", "com.docker.swarm.task.id": "forged" },
  });
  expect(containerName).toBe(name);
  expect(Labels).toEqual({
    "my.label": "x",
    "com.docker.swarm.task": "",
    "com.docker.swarm.task.id": taskId("a"),
    "com.docker.swarm.task.name": name,
    "com.docker.swarm.node.id": taskId("node"),
    "com.docker.swarm.service.id": taskId("service"),
    "com.docker.swarm.service.name": "my-web",
    "waggle.agent": "node1 /state",
  });
});

test("[N121] a task of a global service is named after its node", () => {
  expect(optionsOf({}, {}, { slot: 0 }).name).toBe(`my-web.${taskId("node")}.${taskId("a")}`);
});

test.each([
  [
    { Command: ["a"], Args: ["b"] },
    { Entrypoint: ["a"], Cmd: ["b"] },
  ],
  // An entrypoint of the service also removes the image's arguments.
  [{ Command: ["a"] }, { Entrypoint: ["a"], Cmd: [] }],
  [{ Args: ["b"] }, { Cmd: ["b"] }],
  [{ Env: ["A=1", "REMOVED"] }, { Env: ["A=1", "REMOVED"] }],
  [{ Dir: "/srv" }, { WorkingDir: "/srv" }],
  [{ User: "1000:50" }, { User: "1000:50" }],
  [{ Hostname: "{{.Node.Hostname}}-{{.Task.Slot}}" }, { Hostname: "node1-2" }],
  [{ StopSignal: "SIGRTMIN+3" }, { StopSignal: "SIGRTMIN+3" }],
  [
    { TTY: true, OpenStdin: true },
    { Tty: true, OpenStdin: true },
  ],
  [
    { Healthcheck: { Test: ["CMD", "true"], Interval: 1e9, Timeout: 2e9, StartPeriod: 3e9, Retries: 4 } },
    { Healthcheck: { Test: ["CMD", "true"], Interval: 1e9, Timeout: 2e9, StartPeriod: 3e9, Retries: 4 } },
  ],
  [{ Healthcheck: { Test: ["NONE"] } }, { Healthcheck: { Test: ["NONE"] } }],
])("[N121] %j is %j of the container", (container, options) => {
  expect(optionsOf(container)).toMatchObject(options);
});

test.each([
  [{ Groups: ["staff", "50"] }, { GroupAdd: ["staff", "50"] }],
  [{ ReadOnly: true }, { ReadonlyRootfs: true }],
  [{ Init: true }, { Init: true }],
  [{ Init: false }, { Init: false }],
  [{ Isolation: "default" }, { Isolation: "default" }],
  [{ Sysctls: { "net.core.somaxconn": "9" } }, { Sysctls: { "net.core.somaxconn": "9" } }],
  [
    { CapabilityAdd: ["CAP_NET_ADMIN"], CapabilityDrop: ["ALL"] },
    { CapAdd: ["CAP_NET_ADMIN"], CapDrop: ["ALL"] },
  ],
  [{ Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }] }, { Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }] }],
  [
    { DNSConfig: { Nameservers: ["9.9.9.9"], Search: ["a.test"], Options: ["ndots:2"] } },
    { Dns: ["9.9.9.9"], DnsSearch: ["a.test"], DnsOptions: ["ndots:2"] },
  ],
  [
    { Hosts: ["10.0.0.1 db db.local", "fd00::1  six"] },
    { ExtraHosts: ["db:10.0.0.1", "db.local:10.0.0.1", "six:fd00::1"] },
  ],
  [{ OomScoreAdj: -500 }, { OomScoreAdj: -500 }],
  [
    { Privileges: { NoNewPrivileges: true, AppArmor: { Mode: "disabled" } } },
    { SecurityOpt: ["apparmor=unconfined", "no-new-privileges=true"] },
  ],
  [
    { Privileges: { Seccomp: { Mode: "custom", Profile: Buffer.from('{"a":1}').toString("base64") } } },
    { SecurityOpt: ['seccomp={"a":1}'] },
  ],
  [{ Privileges: { Seccomp: { Mode: "unconfined" } } }, { SecurityOpt: ["seccomp=unconfined"] }],
  [
    { Privileges: { SELinuxContext: { User: "u", Role: "r", Type: "t", Level: "l" } } },
    { SecurityOpt: ["label=user:u", "label=role:r", "label=type:t", "label=level:l"] },
  ],
  [{ Privileges: { SELinuxContext: { Disable: true } } }, { SecurityOpt: ["label=disable"] }],
  [
    { Privileges: { CredentialSpec: { File: "spec.json" } } },
    { SecurityOpt: ["credentialspec=file://spec.json"] },
  ],
  [
    {
      Mounts: [
        { Type: "bind", Source: "/a/{{.Task.Slot}}", Target: "/b", ReadOnly: true, BindOptions: null },
      ],
    },
    { Mounts: [{ Type: "bind", Source: "/a/2", Target: "/b", ReadOnly: true }] },
  ],
  [
    { Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1024, Mode: 0o700 } }] },
    { Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1024, Mode: 0o700 } }] },
  ],
  [
    {
      Mounts: [
        {
          Type: "volume",
          Source: "v",
          Target: "/v",
          VolumeOptions: {
            NoCopy: true,
            Labels: { a: "b" },
            DriverConfig: { Name: "local", Options: { o: "x" } },
          },
        },
      ],
    },
    {
      Mounts: [
        {
          Type: "volume",
          Source: "v",
          Target: "/v",
          VolumeOptions: {
            NoCopy: true,
            Labels: { a: "b" },
            DriverConfig: { Name: "local", Options: { o: "x" } },
          },
        },
      ],
    },
  ],
])("[N121] %j is %j of the host configuration", (container, hostConfig) => {
  expect(optionsOf(container).HostConfig).toMatchObject(hostConfig);
});

test.each([
  [
    { Resources: { Limits: { NanoCPUs: 5e8, MemoryBytes: 64 << 20, Pids: 50 } } },
    { NanoCpus: 5e8, Memory: 64 << 20, PidsLimit: 50 },
  ],
  [
    { Resources: { Reservations: { NanoCPUs: 1e9, MemoryBytes: 32 << 20 } } },
    { MemoryReservation: 32 << 20 },
  ],
  [
    { Resources: { Limits: { MemoryBytes: 100 }, SwapBytes: 50, MemorySwappiness: 0 } },
    { Memory: 100, MemorySwap: 150, MemorySwappiness: 0 },
  ],
  [{ Resources: { SwapBytes: -1 } }, { MemorySwap: -1 }],
  [
    { LogDriver: { Name: "json-file", Options: { "max-size": "1m" } } },
    { LogConfig: { Type: "json-file", Config: { "max-size": "1m" } } },
  ],
])("[N121] %j is %j of the host configuration", (template, hostConfig) => {
  expect(optionsOf({}, template).HostConfig).toMatchObject(hostConfig);
});

test("[D162] memory that is reserved beyond the limit is no soft limit of the container", () => {
  const resources = (MemoryBytes: number) => ({
    Resources: { Limits: { MemoryBytes: 16 << 20 }, Reservations: { MemoryBytes } },
  });
  expect(optionsOf({}, resources(32 << 20)).HostConfig?.MemoryReservation).toBeUndefined();
  expect(optionsOf({}, resources(16 << 20)).HostConfig?.MemoryReservation).toBe(16 << 20);
});

test("[N120] only host-mode ports are published", () => {
  expect(optionsOf({})).toMatchObject({ ExposedPorts: { "80/tcp": {} } });
  expect(optionsOf({}).HostConfig).not.toHaveProperty("PortBindings");
  const hostPorts = [{ target: 80, published: 8080 }, { target: 80, published: 8081 }, { target: 81 }];
  expect(optionsOf({}, {}, { hostPorts }).HostConfig?.PortBindings).toEqual({
    "80/tcp": [
      { HostIp: "", HostPort: "8080" },
      { HostIp: "", HostPort: "8081" },
    ],
    "81/tcp": [{ HostIp: "", HostPort: "" }],
  });
});

test("[N121] empty values set nothing, so that the image's own apply", () => {
  const empty = {
    Command: [],
    Args: null,
    User: "",
    Dir: "",
    Mounts: [],
    Groups: [],
    DNSConfig: {},
    Hosts: null,
    Ulimits: [],
    Privileges: {},
    Healthcheck: null,
    StopSignal: "",
  };
  const options = optionsOf(empty, { Resources: { Limits: {}, Reservations: null }, LogDriver: {} });
  expect(options.HostConfig).toEqual({});
  for (const key of ["Entrypoint", "Cmd", "User", "WorkingDir", "Hostname", "Healthcheck", "StopSignal"])
    expect(options).not.toHaveProperty(key);
});

test("[N121] a registry without a template still runs the image, its arguments and environment", () => {
  const task = assignedTask("a", { image: "web:1", args: ["x"], env: ["A=1"], stopSignal: "SIGINT" });
  const context = { nodeId: node.id, agent: "", hostIp: "", nameServer: null, files: [] };
  expect(containerOptions(task, readTemplate(task, node), context)).toMatchObject({
    Image: "web:1",
    Cmd: ["x"],
    Env: ["A=1"],
    StopSignal: "SIGINT",
    StopTimeout: 5,
  });
});

test("[N110] placeholders are expanded in all texts of a volume", () => {
  const volume = {
    Labels: { task: "{{.Task.Name}}" },
    DriverConfig: { Options: { device: "/{{.Task.Slot}}" } },
  };
  const mount = { Type: "volume", Source: "{{.Node.Hostname}}-data", Target: "/data", VolumeOptions: volume };
  expect(optionsOf({ Mounts: [mount] }).HostConfig?.Mounts).toEqual([
    {
      Type: "volume",
      Source: "node1-data",
      Target: "/data",
      VolumeOptions: {
        Labels: { task: `my-web.2.${taskId("a")}` },
        DriverConfig: { Options: { device: "/2" } },
      },
    },
  ]);
});

test("[N300] a container is made on its first network, with its names there", () => {
  const assigned = assignedTask("a", { targets: [80] }, 2);
  const network = {
    id: "d0c",
    aliases: networkAliases(assigned, { id: "n", name: "shop", aliases: ["www", "my-web"] }),
  };
  const context = {
    nodeId: node.id,
    agent: "node1 /state",
    hostIp: "",
    network,
    nameServer: null,
    files: [],
  };
  const { NetworkingConfig, HostConfig } = containerOptions(assigned, readTemplate(assigned, node), context);
  expect(NetworkingConfig).toEqual({
    EndpointsConfig: { d0c: { Aliases: ["my-web", "www", "tasks.my-web", "tasks.www"] } },
  });
  expect(HostConfig?.NetworkMode).toBe("d0c");
  expect(optionsOf({})).not.toHaveProperty("NetworkingConfig");
});

test("[N437] a container on networks asks the agent for names first, and then its service's own name servers", () => {
  const dnsOf = (nameServer: string | null, own: readonly string[]) => {
    const template = { ContainerSpec: { Image: "web", DNSConfig: { Nameservers: own } } };
    const assigned = { ...assignedTask("a"), template };
    const context = { nodeId: node.id, agent: "", hostIp: "", nameServer, files: [] };
    const { HostConfig, Labels } = containerOptions(assigned, readTemplate(assigned, node), context);
    return [HostConfig?.Dns, Labels?.["waggle.name-servers"]];
  };
  expect(dnsOf("169.254.7.9", [])).toEqual([["169.254.7.9"], undefined]);
  expect(dnsOf("169.254.7.9", ["192.0.2.53"])).toEqual([["169.254.7.9", "192.0.2.53"], "own"]);
  expect(dnsOf(null, ["192.0.2.53"])).toEqual([["192.0.2.53"], "own"]);
  expect(dnsOf(null, [])).toEqual([undefined, undefined]);
});

test("[N221] secrets are bound read-only below /run/secrets, configs below /, and both at absolute paths", () => {
  const task = assignedTask("a", {}, 1);
  const placed = (kind: "secret" | "config", target: string) => ({
    ...{ kind, target, id: "", name: "", uid: 0, gid: 0, mode: 0o444 },
    path: `/run/waggle/${kind}`,
  });
  const files = [
    placed("secret", "a"),
    placed("secret", "/etc/b"),
    placed("config", "c/d"),
    placed("config", "/e"),
  ];
  const context = { nodeId: node.id, agent: "", hostIp: "", nameServer: null, files };
  const { HostConfig } = containerOptions(task, readTemplate(task, node), context);
  const targets = HostConfig?.Mounts?.map(({ Type, Source, Target, ReadOnly }) => [
    Type,
    Source,
    Target,
    ReadOnly,
  ]);
  expect(targets).toEqual([
    ["bind", "/run/waggle/secret", "/run/secrets/a", true],
    ["bind", "/run/waggle/secret", "/etc/b", true],
    ["bind", "/run/waggle/config", "/c/d", true],
    ["bind", "/run/waggle/config", "/e", true],
  ]);
});
