// Discovered services: containers of a real dockerd that the mesh does not run, with the Docker CLI and curl.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { DockerMesh } from "../support/docker-mesh.ts";
import { dockerdProblem, type PrivateDockerd } from "../support/dockerd.ts";
import type { MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const problem = dockerdProblem();
const title = problem === null ? "discovery" : `discovery (skipped: ${problem})`;
const slow = { withinMs: 30_000, everyMs: 50 };
/** A change of a container shows within a second; twice that on a busy machine. */
const soon = { withinMs: 2_000, everyMs: 20 };

describe.skipIf(problem !== null)(title, () => {
  let started: DockerMesh;
  let dockerd: PrivateDockerd;
  let mesh: MeshProcess;
  let docker: DockerMesh["docker"];
  let ok: DockerMesh["ok"];
  let cli: DockerMesh["waggle"];
  let nextPort = 21_000;

  beforeAll(async () => {
    started = await DockerMesh.start();
    ({ dockerd, mesh, docker, ok, waggle: cli } = started);
  }, 120_000);

  afterAll(async () => {
    await started?.remove();
  }, 60_000);

  afterEach(async () => {
    const ids = (await dockerd.docker("ps", "-aq")).split("\n").filter(Boolean);
    if (ids.length > 0) await dockerd.docker("rm", "-f", ...ids);
    await until("no services", async () => (await ok("service", "ls", "-q")) === "", slow);
  }, 60_000);

  async function inspect(service: string) {
    return JSON.parse(await ok("service", "inspect", service))[0];
  }

  /** Runs a container of the daemon, past the mesh. */
  const run = (name: string, labels: readonly string[], ...args: string[]) =>
    dockerd.docker(
      "run",
      "-d",
      "--name",
      name,
      ...labels.flatMap((label) => ["-l", label]),
      ...args,
      "nginx",
    );

  /** The body of a response; empty without one of status 200. */
  async function get(url: string, ...flags: string[]): Promise<string> {
    const { code, out } = await dockerd.run(["curl", "-sf", "-m", "5", ...flags, url]);
    return code === 0 ? out.trim() : "";
  }

  const atPort = (port: number, host = "127.0.0.2") => get(`http://${host}:${port}/`);
  const atHost = (host: string, path = "/") =>
    get(`http://127.0.0.1:${mesh.edgePort}${path}`, "-H", `Host: ${host}`);

  test("[N250] a labelled container answers at the published port of every node within a second, and is gone with it", async () => {
    const port = nextPort++;
    const id = await run("one", ["waggle.service=web", `waggle.publish=${port}:80`]);
    await until("the port to answer", async () => (await atPort(port)) === id.slice(0, 12), soon);
    expect(await atPort(port, "127.0.0.3")).toBe(id.slice(0, 12));
    expect(await ok("service", "ls", "--format", "{{.Name}} {{.Replicas}} {{.Image}} {{.Ports}}")).toBe(
      `web 1/1 nginx *:${port}->80/tcp`,
    );
    expect(await ok("service", "ps", "--format", "{{.Name}} {{.Node}} {{.DesiredState}}", "web")).toBe(
      "web.1 node1 Running",
    );
    await dockerd.docker("stop", "-t", "1", "one");
    await until("the service to be gone", async () => (await ok("service", "ls", "-q")) === "", soon);
    expect(await atPort(port)).toBe("");
  }, 60_000);

  test("[A200] a discovered service is read-only, and refusals say where it lives", async () => {
    await run("one", ["waggle.service=web", `waggle.publish=${nextPort++}:80`]);
    await until("the service", async () => (await ok("service", "ls", "-q")) !== "", soon);
    const refused = /service web is discovered on node node1 \(container\): change it there/;
    for (const command of [
      ["update", "--env-add", "A=1", "web"],
      ["scale", "-d", "web=3"],
      ["rm", "web"],
      ["create", "-d", "--no-resolve-image", "--name", "web", "nginx"],
    ]) {
      const { code, out } = await docker("service", ...command);
      expect(out).toMatch(refused);
      expect(code).not.toBe(0);
    }
    expect((await inspect("web")).Spec.Labels).toEqual({ "waggle.discovered": "container on node1" });
  }, 60_000);

  test("[N253] containers of a Compose service are its tasks, and are published by their labels only", async () => {
    const port = nextPort++;
    const compose = ["com.docker.compose.project=shop", "com.docker.compose.service=front"];
    const one = await run("shop_front_1", [...compose, `waggle.publish=${port}:80`]);
    const other = await run("shop_front_2", [...compose, `waggle.publish=${port}:80`]);
    await run("shop_db_1", ["com.docker.compose.project=shop", "com.docker.compose.service=db"], "-p", "80");
    const answers = new Set<string>();
    await until(
      "both to answer",
      async () => answers.add(await atPort(port)).size === 3 || (answers.size === 2 && !answers.has("")),
      soon,
    );
    expect([...answers].filter(Boolean).sort()).toEqual([one.slice(0, 12), other.slice(0, 12)].sort());
    const lines = await ok("service", "ls", "--format", "{{.Name}} {{.Replicas}} {{.Ports}}");
    expect(lines.split("\n").map((line) => line.trim())).toEqual([
      "shop_db 1/1",
      `shop_front 2/2 *:${port}->80/tcp`,
    ]);
  }, 60_000);

  test("[N259] after the daemon was restarted the report is what it runs then", async () => {
    const port = nextPort++;
    const publish = (name: string) =>
      run(name, [`waggle.service=${name}`, `waggle.publish=${nextPort++}:80`]);
    await run("one", ["waggle.service=web", `waggle.publish=${port}:80`]);
    await publish("other");
    await until("the port to answer", async () => (await atPort(port)) !== "", soon);
    await dockerd.stopDaemon("TERM");
    await dockerd.startDaemon();
    await until("the services to be gone", async () => (await ok("service", "ls", "-q")) === "", slow);
    await dockerd.docker("start", "one");
    await until("the port to answer again", async () => (await atPort(port)) !== "", soon);
    expect(await ok("service", "ls", "--format", "{{.Name}} {{.Replicas}}")).toBe("web 1/1");
    expect(await ok("service", "ps", "--format", "{{.Name}}", "web")).toBe("web.1");
  }, 120_000);

  test("[N260] Traefik's rule, port and sticky cookie publish a container at its host name and path", async () => {
    const id = await run("api", [
      "traefik.enable=true",
      "traefik.http.routers.api.rule=Host(`api.example.com`) && PathPrefix(`/v1`)",
      "traefik.http.services.api.loadbalancer.server.port=80",
      "traefik.http.services.api.loadbalancer.sticky.cookie.name=lb",
      "traefik.http.routers.api.priority=10",
    ]);
    await until(
      "the host to answer",
      async () => (await atHost("api.example.com", "/v1/x")) === id.slice(0, 12),
      soon,
    );
    expect((await inspect("api")).Spec.Labels).toEqual({
      "waggle.path": "api.example.com/v1",
      "waggle.sticky": "lb",
      "waggle.discovered": "container on node1",
    });
    const { out } = await cli("status");
    expect(out).toContain("traefik.http.routers.api.priority");
  }, 60_000);

  test("[N280] a Swarm's published ports answer at the nodes of the mesh, follow its changes, and leave with it", async () => {
    await dockerd.docker("swarm", "init", "--advertise-addr", "127.0.0.1");
    try {
      const port = nextPort++;
      await dockerd.docker(
        "service",
        "create",
        "-d",
        "--no-resolve-image",
        "--name",
        "swarmed",
        "-l",
        "waggle.host=swarmed.test",
        "-p",
        `${port}:80`,
        "nginx",
      );
      await until("the task to answer", async () => (await atHost("swarmed.test")) !== "", slow);
      expect(await ok("service", "ls", "--format", "{{.Name}} {{.Replicas}} {{.Ports}}")).toBe(
        `swarmed 1/1 *:${port}->80/tcp`,
      );
      await dockerd.docker("service", "scale", "-d", "swarmed=3");
      await until(
        "three tasks",
        async () => (await ok("service", "ls", "--format", "{{.Replicas}}")) === "3/3",
        slow,
      );
      const answers = new Set<string>();
      await until(
        "an answer of each task",
        async () => answers.add(await atHost("swarmed.test")).size === 3,
        slow,
      );
      for (const node of ["127.0.0.2", "127.0.0.3"]) expect(await atPort(port, node)).not.toBe("");
      const removed = await docker("service", "rm", "swarmed");
      expect(removed.out).toContain("service swarmed is discovered on node node1 (swarm): change it there");
      await dockerd.docker("service", "rm", "swarmed");
      await until("the service to be gone", async () => (await ok("service", "ls", "-q")) === "", soon);
    } finally {
      await dockerd.docker("swarm", "leave", "--force");
    }
  }, 120_000);
});
