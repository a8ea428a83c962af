// Names of services in containers: a mesh on a real dockerd, with the Docker CLI as its client.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeUnused } from "../../src/agent/runtimes/docker/container-networks.ts";
import { DockerMesh } from "../support/docker-mesh.ts";
import { dockerdProblem, type PrivateDockerd, type Ran } from "../support/dockerd.ts";
import { until } from "../support/until.ts";

const problem = dockerdProblem();
const title = problem === null ? "names on networks" : `names on networks (skipped: ${problem})`;
const slow = { withinMs: 60_000, everyMs: 200 };

/** Serves a text by HTTP at a port that the service does not publish. */
const serving = (text: string, port: number) => [
  "busybox",
  "sh",
  "-c",
  `mkdir -p /srv && echo ${text}-$(hostname) >/srv/index.html && exec httpd -f -p ${port} -h /srv`,
];

describe.skipIf(problem !== null)(title, () => {
  let started: DockerMesh;
  let dockerd: PrivateDockerd;
  let docker: DockerMesh["docker"];
  let ok: DockerMesh["ok"];

  beforeAll(async () => {
    started = await DockerMesh.start();
    ({ dockerd, docker, ok } = started);
  }, 120_000);

  afterAll(async () => {
    await started?.remove();
  }, 60_000);

  const create = (...args: string[]) => ok("service", "create", "-d", "-q", "--no-resolve-image", ...args);

  /** Runs a program in the running container of a service. */
  async function within(service: string, ...program: string[]): Promise<Ran> {
    const label = `label=com.docker.swarm.service.name=${service}`;
    const [id = ""] = (await dockerd.docker("ps", "-q", "--filter", label)).split("\n");
    if (id === "")
      throw new Error(`no container:\n${(await docker("service", "ps", "--no-trunc", service)).out}`);
    return dockerd.run(["docker", "exec", id, ...program]);
  }

  const reads = (service: string, url: string) =>
    until(
      `${service} to read ${url}`,
      async () => {
        const { code, out } = await within(service, "curl", "-sS", "-f", "-m", "2", url);
        if (code !== 0) throw new Error(out);
        return out.trim();
      },
      slow,
    );

  test("[N300] tasks on one network reach each other by name, alias and tasks.NAME, at any port", async () => {
    await ok("network", "create", "--driver", "overlay", "shop");
    await create(
      "--name",
      "db",
      "--replicas",
      "2",
      "--network",
      "name=shop,alias=store",
      ...serving("db", 6379),
    );
    await create("--name", "web", "--network", "shop", "busybox", "sleep", "1000");
    for (const name of ["db", "store", "tasks.db", "tasks.store"]) {
      expect(await reads("web", `http://${name}:6379/`)).toMatch(/^db-/);
    }
    const seen = new Set<string>();
    await until(
      "both tasks to answer",
      async () => seen.add(await reads("web", "http://db:6379/")).size === 2,
      slow,
    );
  }, 120_000);

  test("[N301] a task reaches no service of another network, and none by name without a network", async () => {
    await ok("network", "create", "--driver", "overlay", "other");
    await create("--name", "stranger", "--network", "other", "busybox", "sleep", "1000");
    await create("--name", "plain", "busybox", "sleep", "1000");
    const ids = await dockerd.docker("ps", "-q", "--filter", "label=com.docker.swarm.service.name=db");
    const [first = ""] = ids.split("\n");
    const inspected = JSON.parse(await dockerd.docker("inspect", first));
    const { IPAddress = "" } = Object.values(inspected[0].NetworkSettings.Networks)[0] as {
      IPAddress?: string;
    };
    for (const service of ["stranger", "plain"]) {
      await until(`${service} to run`, async () => (await within(service, "true")).code === 0, slow);
      for (const host of ["db", "tasks.db", IPAddress]) {
        const { code } = await within(service, "curl", "-sS", "-f", "-m", "2", `http://${host}:6379/`);
        // 6: no such name; 28: no answer, of the address or of the resolvers of this machine.
        expect([6, 28], `${service} to ${host}`).toContain(code);
      }
    }
  }, 120_000);

  test("[N302] the services of a stack find each other, and its published service is reached as any other", async () => {
    const file = join(dockerd.dir, "stack.yml");
    writeFileSync(
      file,
      JSON.stringify({
        services: {
          store: {
            image: "busybox",
            command: serving("store", 5432)
              .slice(1)
              .map((word) => word.replaceAll("$", "$$$$")),
            networks: ["back"],
          },
          web: { image: "nginx", ports: ["18080:80"], networks: ["front", "back"] },
        },
        networks: { front: {}, back: {} },
      }),
    );
    await ok("stack", "deploy", "--resolve-image", "never", "-c", file, "demo");
    expect(await reads("demo_web", "http://store:5432/")).toMatch(/^store-/);
    expect(await reads("demo_web", "http://demo_store:5432/")).toMatch(/^store-/);
    await until(
      "the published port to answer",
      async () => (await dockerd.run(["curl", "-sf", "-m", "5", "http://127.0.0.2:18080/"])).code === 0,
      slow,
    );
    await ok("stack", "rm", "demo");
  }, 120_000);

  test("[N303] agents that start tasks at once make one network of the daemon, and an unused one is removed", async () => {
    await ok("network", "create", "--driver", "overlay", "once");
    await create("--name", "many", "--mode", "global", "--network", "once", "busybox", "sleep", "1000");
    const running = async () =>
      (await dockerd.docker("ps", "-q", "--filter", "name=many.")).split("\n").length === 2;
    await until("a task on each node", running, slow);
    const id = await ok("network", "inspect", "once", "--format", "{{.Id}}");
    const made = () => dockerd.docker("network", "ls", "-q", "--filter", `label=waggle.network=${id}`);
    expect((await made()).split("\n")).toHaveLength(1);
    const daemon = new Docker({ socketPath: dockerd.socket });
    await removeUnused(daemon, Date.now());
    expect(await made()).not.toBe("");
    await ok("service", "rm", "many");
    await until(
      "the containers to end",
      async () => (await dockerd.docker("ps", "-q", "--filter", "name=many.")) === "",
      slow,
    );
    await removeUnused(daemon, Date.now() + 3_600_000);
    expect(await made()).toBe("");
  }, 120_000);
});
