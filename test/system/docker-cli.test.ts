// The unmodified Docker CLI against a real mesh: its output and its exit codes.

import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerOk } from "../support/docker-ok.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const hasDocker = spawnSync("docker", ["--version"]).status === 0;
const title = hasDocker
  ? "the Docker CLI"
  : "the Docker CLI (skipped: no docker command; apt-get install docker.io)";

describe.skipIf(!hasDocker)(title, () => {
  let mesh: MeshProcess;
  let port: number;

  beforeAll(async () => {
    mesh = await MeshProcess.start(["--empty"]);
    port = await freePort();
  });

  afterAll(async () => {
    await mesh?.remove();
  });

  const ok = (...args: string[]) => dockerOk(mesh, ...args);

  async function refused(...args: string[]): Promise<string> {
    const { code, out, err } = await mesh.docker(...args);
    expect(code, `docker ${args.join(" ")}\n${out}${err}`).not.toBe(0);
    return err;
  }

  const isOpen = (servicePort: number): Promise<boolean> =>
    fetch(`http://127.0.0.3:${servicePort}/`).then(
      (response) => response.ok,
      () => false,
    );

  test("[D1] version and info show an active swarm", async () => {
    expect(await ok("version")).toMatch(/Server: .*\n[\s\S]*API version: +1\.51/);
    const info = await ok("info");
    expect(info).toContain("Swarm: active");
    expect(info).toMatch(/Managers: 2\n\s+Nodes: 4\n/);
  });

  test("[D2] service create shows its progress and ends with the service converged", async () => {
    const args = [
      "--name",
      "my-web",
      "--publish",
      `published=${port},target=80`,
      "--replicas",
      "2",
      "waggle/whoami",
    ];
    const { out, err, code } = await mesh.docker("service", "create", ...args);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("overall progress: 2 out of 2 tasks");
    expect(out).toMatch(/verify: Service \w+ converged/);
    expect((await fetch(`http://127.0.0.4:${port}/`)).status).toBe(200);
  });

  test("[D3] service ls, ps and inspect show the service as Swarm would", async () => {
    expect(await ok("service", "ls")).toMatch(
      new RegExp(`my-web +replicated +2/2 +waggle/whoami:latest +\\*:${port}->80/tcp`),
    );
    const ps = await ok("service", "ps", "my-web");
    expect(ps).toMatch(/my-web\.1 +waggle\/whoami:latest +node\d +Running +Running/);
    expect(await ok("service", "inspect", "--pretty", "my-web")).toContain(`PublishedPort = ${port}`);
    const [inspected] = JSON.parse(await ok("service", "inspect", "my-web"));
    expect(inspected.Spec).toMatchObject({ Name: "my-web", Mode: { Replicated: { Replicas: 2 } } });
  });

  test("[D4] without a published port the mesh assigns one from 30000 up, and service ls shows it", async () => {
    await ok("service", "create", "-q", "--name", "auto", "--publish", "80", "waggle/whoami");
    const assigned = Number(/auto .*\*:(\d+)->80\/tcp/.exec(await ok("service", "ls"))?.[1]);
    expect(assigned).toBeGreaterThanOrEqual(30_000);
    expect(assigned).toBeLessThanOrEqual(32_767);
    await until("the port to respond", async () => (await fetch(`http://127.0.0.2:${assigned}/`)).ok);
    expect(await ok("service", "rm", "auto")).toBe("auto\n");
  });

  // With -d where the test itself can see the result: the CLI would verify for five seconds more.
  test("[D5] update adds and removes ports, variables, constraints and replicas", async () => {
    const secondPort = await freePort();
    await ok("service", "update", "-d", "--publish-add", `published=${secondPort},target=80`, "my-web");
    await until("the new port", async () => (await fetch(`http://127.0.0.3:${secondPort}/`)).ok);
    await ok("service", "update", "-d", "--publish-rm", "80", "my-web");
    await until("both ports to close", async () =>
      (await Promise.all([port, secondPort].map(isOpen))).every((open) => !open),
    );
    await ok("service", "update", "-d", "--publish-add", `${port}:80`, "my-web");
    await until("the port to respond", () => isOpen(port));
    await ok("service", "update", "-q", "--env-add", "COLOUR=green", "my-web");
    const [{ Spec }] = JSON.parse(await ok("service", "inspect", "my-web"));
    expect(Spec.TaskTemplate.ContainerSpec.Env).toEqual(["COLOUR=green"]);
    await ok(
      "service",
      "update",
      "-q",
      "--constraint-add",
      "node.hostname!=node3",
      "--replicas",
      "3",
      "my-web",
    );
    const ps = await ok("service", "ps", "-f", "desired-state=running", "my-web");
    expect(ps.match(/node[12] +Running +Running/g)).toHaveLength(3);
    expect(ps).not.toMatch(/node3 +Running/);
    await ok("service", "update", "-d", "--constraint-rm", "node.hostname!=node3", "my-web");
  });

  test("[D6] scale goes up and down", async () => {
    expect(await ok("service", "scale", "my-web=4")).toContain("my-web scaled to 4");
    expect(await ok("service", "scale", "my-web=2")).toContain("my-web scaled to 2");
    expect(await ok("service", "ls")).toMatch(/my-web +replicated +2\/2/);
  });

  test("[D7] a global service runs once on each node", async () => {
    await ok("service", "create", "-q", "--name", "everywhere", "--mode", "global", "waggle/whoami");
    const ps = await ok("service", "ps", "everywhere");
    expect(["node1", "node2", "node3"].every((node) => ps.includes(node))).toBe(true);
    await ok("service", "rm", "everywhere");
  });

  test("[D8] nodes are listed, inspected, drained and activated", async () => {
    const nodes = await ok("node", "ls");
    expect(nodes.match(/node\d +Ready +Active/g)).toHaveLength(3);
    expect(nodes).toMatch(/ \* +\S+ +Ready +Drain +Leader/);
    expect(nodes).toMatch(/node1 +Ready +Active +Reachable/);
    expect((await ok("node", "ls", "-q", "-f", "role=manager")).trim().split("\n")).toHaveLength(2);
    expect(await ok("node", "inspect", "--pretty", "node1")).toMatch(/Hostname:\s+node1/);
    for (const availability of ["pause", "drain", "active"]) {
      await ok("node", "update", "--availability", availability, "node3");
      const [node] = JSON.parse(await ok("node", "inspect", "node3"));
      expect(node.Spec.Availability).toBe(availability);
    }
    expect(await refused("node", "rm", "node3")).toContain("is not down and can't be removed");
  });

  test("[D9] join tokens are displayed and rotated", async () => {
    const token = (await ok("swarm", "join-token", "-q", "worker")).trim();
    expect(token).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
    expect(await ok("swarm", "join-token", "worker")).toContain(token);
    await ok("swarm", "join-token", "--rotate", "worker");
    expect((await ok("swarm", "join-token", "-q", "worker")).trim()).not.toBe(token);
  });

  test("[D10] invalid requests are refused with Docker's texts, and change nothing", async () => {
    const create = ["service", "create", "--name"];
    expect(await refused(...create, "my-web", "waggle/whoami")).toContain(
      "name conflicts with an existing object: service my-web already exists",
    );
    expect(await refused(...create, "taken", "-p", `${port}:80`, "waggle/whoami")).toContain(
      `port '${port}' is already in use by service 'my-web'`,
    );
    expect(await refused(...create, "bad_name!", "waggle/whoami")).toContain(
      "name must be valid as a DNS name component",
    );
    expect(await refused(...create, "many", "--replicas", "1000000000", "waggle/whoami")).toContain(
      "1000000000",
    );
    expect(await refused(...create, "where", "--constraint", "planet==mars", "waggle/whoami")).toContain(
      "planet",
    );
    expect(await refused(...create, "udp", "-p", "5353:53/udp", "waggle/whoami")).toContain("udp");
    expect(await refused("node", "inspect", "node9")).toContain("node9");
    expect(await refused("run", "nginx")).toContain("this endpoint is a swarm of services");
    expect(await ok("service", "ls", "-q")).toMatch(/^\w+\n$/);
  });

  test("[D11] an unknown image is rejected, and service ps shows the reason", async () => {
    await ok("service", "create", "-d", "--name", "unknown", "no/such:image");
    await until("the task to be rejected", async () =>
      (await ok("service", "ps", "--no-trunc", "unknown")).includes("No such image: no/such:image"),
    );
    await ok("service", "rm", "unknown");
  });

  test("[D12] without the token the response is 401 and says how to set it", async () => {
    const { control } = mesh;
    const response = await fetch(`${control}/v1.44/services`);
    expect(response.status).toBe(401);
    expect(((await response.json()) as { message: string }).message).toContain("DOCKER_CUSTOM_HEADERS");
  });
});
