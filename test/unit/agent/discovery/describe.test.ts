import { expect, test } from "vitest";
import {
  type ContainerFacts,
  discover,
  readPublish,
  type SwarmFacts,
} from "../../../../src/agent/discovery/describe.ts";
import { DiscoveryReport, maxDiscoveredServices } from "../../../../src/protocol/discovery.ts";

const aContainer = (name: string, labels: Record<string, string>, change: Partial<ContainerFacts> = {}) => ({
  id: Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64),
  name,
  image: "nginx:1.27",
  labels,
  isRunning: true,
  startedAtMs: 1_000,
  health: null,
  address: "172.17.0.2",
  network: "bridge",
  exposed: [80],
  ...change,
});

const found = (...containers: ContainerFacts[]) => discover({ containers, swarm: null });
const onlyService = (...containers: ContainerFacts[]) => {
  const { services } = found(...containers);
  expect(services).toHaveLength(1);
  return services[0];
};
const compose = { "com.docker.compose.project": "shop", "com.docker.compose.service": "front" };

test("[N251] a container with a label of the mesh, of Traefik or of Compose is a task, named by the first that names one", () => {
  const names = (labels: Record<string, string>) =>
    found(aContainer("c1", labels)).services.map(({ name }) => name);
  expect(names({ "waggle.service": "web", ...compose })).toEqual(["web"]);
  expect(names(compose)).toEqual(["shop_front"]);
  expect(names({ "waggle.publish": "8080:80" })).toEqual(["c1"]);
  expect(names({ "traefik.http.routers.r.rule": "Host(`a.test`)" })).toEqual(["c1"]);
  expect(names({ "org.example": "x", "traefik.enable": "true" })).toEqual([]);
  expect(names({ "waggle.service": "my shop/web" })).toEqual(["my-shop-web"]);
});

test("[N251] containers of the mesh itself, one-off commands, excluded and paused ones are not discovered", () => {
  const web = { "waggle.service": "web" };
  expect(
    found(
      aContainer("a", { ...web, "waggle.agent": "node1 /var/lib/waggle" }),
      aContainer("b", { ...compose, "com.docker.compose.oneoff": "True" }),
      aContainer("c", { ...web, "waggle.discovery": "off" }),
      aContainer("d", web, { isRunning: false }),
    ),
  ).toEqual({ services: [], tasks: [] });
});

test("[N252] waggle.publish has ports as docker run -p has them, and one that cannot be read publishes nothing", () => {
  expect(readPublish("8080:80, 8443:443/tcp,9000")).toEqual([
    { published: 8080, target: 80 },
    { published: 8443, target: 443 },
    { target: 9000 },
  ]);
  for (const text of ["0:80", "8080:", "80:70000", "127.0.0.1:80:80", "53:53/udp", "8080:80,"]) {
    expect(() => readPublish(text)).toThrow(/write TCP ports as 8080:80/);
    const service = onlyService(aContainer("c1", { "waggle.publish": text, "waggle.host": "a.test" }));
    expect(service).toMatchObject({
      labels: {},
      ports: [],
      warnings: [expect.stringMatching(/^not published: label/)],
    });
  }
});

test("[N254] the other labels of the mesh are the service's, and with a host name alone the lowest exposed port is the target", () => {
  const labels = { "waggle.service": "web", "waggle.host": "a.test", "waggle.balance": "leastconn" };
  expect(onlyService(aContainer("c1", labels, { exposed: [443, 80] }))).toMatchObject({
    labels: { "waggle.host": "a.test", "waggle.balance": "leastconn" },
    ports: [{ target: 80 }],
    warnings: [],
  });
  expect(onlyService(aContainer("c1", labels, { exposed: [] }))).toMatchObject({
    ports: [],
    labels: {},
    warnings: [expect.stringContaining("add waggle.publish=80")],
  });
  expect(onlyService(aContainer("c1", { ...labels, "waggle.balance": "fastest" }))).toMatchObject({
    ports: [],
    labels: {},
    warnings: [expect.stringContaining("waggle.balance")],
  });
});

test("[N255] of containers of one service whose labels differ the oldest one's count, with a warning", () => {
  const label = (port: string) => ({ "waggle.service": "web", "waggle.publish": port });
  const older = aContainer("older", label("8080:80"), { startedAtMs: 1 });
  const newer = aContainer("newer", label("9090:80"), { startedAtMs: 2 });
  const { services, tasks } = found(newer, older);
  expect(services[0]).toMatchObject({
    ports: [{ published: 8080, target: 80 }],
    warnings: ["the labels of container older count; those of newer differ"],
  });
  expect(tasks).toHaveLength(2);
  expect(found(older, newer)).toEqual({ services, tasks });
});

test("[N256] a container without an address on a bridge of the machine has no task, and the warning names its network", () => {
  const { services, tasks } = found(
    aContainer(
      "c1",
      { "waggle.service": "web", "waggle.publish": "8080:80" },
      { address: null, network: "host" },
    ),
  );
  expect(tasks).toEqual([]);
  expect(services[0]?.warnings).toEqual([
    "container c1 gets no requests: it has no address on a bridge of this machine (network host)",
  ]);
});

test("[N257] Docker's own health check is the verdict on a task, with its output", () => {
  const verdict = (status: "starting" | "healthy" | "unhealthy") =>
    found(aContainer("c1", { "waggle.service": "web" }, { health: { status, output: "no answer\n" } }))
      .tasks[0]?.health;
  expect(verdict("starting")).toMatchObject({ verdict: "starting" });
  expect(verdict("healthy")).toMatchObject({ verdict: "healthy", streak: { ok: true } });
  expect(verdict("unhealthy")).toMatchObject({
    verdict: "unhealthy",
    lastCheck: "healthcheck failed: no answer\\n",
  });
});

test("[N258] whatever runs on a node, its report is one that the registry accepts", () => {
  const many = Array.from({ length: 1_500 }, (_, index) =>
    aContainer(`c${index}`, {
      "waggle.service": `s${index % 400}`,
      "waggle.host": "a.test",
      [`x.${index}`]: "y",
    }),
  );
  const hostile = aContainer("evil\u001b[2J", {
    "waggle.service": `web\n\u202e${"x".repeat(300)}`,
    "waggle.publish": "\u001b[31m",
    "waggle.path": `/${"p".repeat(5_000)}`,
    "traefik.http.routers.\u0007.rule": "Host(`\u001b`)",
  });
  const swarm: SwarmFacts = {
    nodeId: "n1",
    hostnames: new Map(),
    services: Array.from({ length: 300 }, (_, index) => ({
      id: `s${index}`,
      name: `swarm${index}`,
      image: "i".repeat(2_000),
      labels: { "waggle.host": `${"a".repeat(50)}.test`, "waggle.marker": "m".repeat(900) },
      ports: Array.from({ length: 100 }, (_, port) => ({
        protocol: "tcp",
        target: port + 1,
        published: port + 1,
        mode: "ingress",
      })),
    })),
    tasks: Array.from({ length: 3_000 }, (_, index) => ({ id: `t${index}`, serviceId: "s1", nodeId: "n2" })),
  };
  for (const facts of [
    { containers: [...many, hostile], swarm },
    { containers: many, swarm: null },
  ]) {
    const report = discover(facts);
    expect(DiscoveryReport.safeParse(report).error?.issues).toBeUndefined();
    expect(report.services.length).toBeGreaterThan(0);
    expect(report.services.length).toBeLessThanOrEqual(maxDiscoveredServices);
  }
});

const swarm: SwarmFacts = {
  nodeId: "n1",
  hostnames: new Map([["n2", "worker"]]),
  services: [
    {
      id: "s1",
      name: "web",
      image: "nginx",
      labels: { "waggle.host": "a.test", "com.example": "x" },
      ports: [
        { protocol: "tcp", target: 80, published: 8080, mode: "ingress" },
        { protocol: "udp", target: 53, published: 53, mode: "ingress" },
        { protocol: "tcp", target: 90, published: 9090, mode: "host" },
      ],
    },
    { id: "s2", name: "hidden", image: "nginx", labels: { "waggle.discovery": "off" }, ports: [] },
  ],
  tasks: [
    { id: "t1", serviceId: "s1", nodeId: "n1" },
    { id: "t2", serviceId: "s1", nodeId: "n2" },
  ],
};
const swarmLabels = (task: string) => ({
  "com.docker.swarm.task.id": task,
  "com.docker.swarm.service.name": "web",
});

test("[N281] a manager reports the Swarm's services with their TCP ports in ingress mode, its own tasks and where the others are", () => {
  const { services, tasks } = discover({
    containers: [aContainer("web.1", swarmLabels("t1")), aContainer("old", swarmLabels("gone"))],
    swarm,
  });
  expect(services).toEqual([
    {
      name: "web",
      source: "swarm",
      image: "nginx",
      labels: { "waggle.host": "a.test" },
      ports: [{ target: 80, published: 8080 }],
      warnings: [
        "port 53:53/udp (ingress) is not mirrored: only TCP ports in ingress mode are",
        "port 9090:90/tcp (host) is not mirrored: only TCP ports in ingress mode are",
      ],
      elsewhere: [{ swarmTask: "t2", hostname: "worker" }],
    },
  ]);
  expect(tasks.map(({ swarmTask }) => swarmTask)).toEqual(["t1"]);
});

test("[N282] another node of the Swarm reports the containers of its tasks by the task's id, and no service", () => {
  const { services, tasks } = found(aContainer("web.2", swarmLabels("t2")));
  expect(services).toEqual([]);
  expect(tasks).toMatchObject([{ swarmTask: "t2", service: "web" }]);
});
