// Names of services across nodes: a mesh on two machines with a dockerd each, joined by a cable.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientsAt, type MeshClients } from "../support/docker-mesh.ts";
import { dockerdProblem, joinMachines, PrivateDockerd, type Ran } from "../support/dockerd.ts";
import { MeshProcess, newStateDir, waggleProgram } from "../support/mesh-process.ts";
import { importStackImages, stackImagesProblem } from "../support/stack-images.ts";
import { until } from "../support/until.ts";

const addressOfOne = "10.77.1.1";
const problem = dockerdProblem() ?? stackImagesProblem();
const title = problem === null ? "names across nodes" : `names across nodes (skipped: ${problem})`;
const slow = { withinMs: 50_000, everyMs: 100 };
const nodes = ["one", "two"] as const;
type NodeName = (typeof nodes)[number];

describe.skipIf(problem !== null)(title, () => {
  const daemons = new Map<NodeName, PrivateDockerd>();
  const agents = new Map<NodeName, ChildProcess>();
  const logs = new Map<NodeName, string>();
  const folder = newStateDir();
  let mesh: MeshProcess;
  let joinToken: string;

  const daemon = (name: NodeName) => daemons.get(name) as PrivateDockerd;

  beforeAll(async () => {
    const started = await Promise.all(nodes.map(() => PrivateDockerd.start()));
    for (const [at, name] of nodes.entries()) daemons.set(name, started[at] as PrivateDockerd);
    joinMachines([
      [daemon("one"), addressOfOne],
      [daemon("two"), "10.77.1.2"],
    ]);
    await Promise.all(
      started.map(async (dockerd) => {
        await dockerd.importImages();
        await importStackImages(dockerd);
      }),
    );
    mkdirSync(folder, { recursive: true });
    const place = { address: addressOfOne, command: daemon("one").command };
    mesh = await MeshProcess.startAt(place, ["--nodes", "0"], join(folder, "mesh"));
    const { out } = await waggle("join-token", "-q");
    joinToken = out.trim();
    for (const name of nodes) startAgent(name);
    await until("two nodes", async () => /2 of 2 nodes ready/.test((await waggle("status")).out), slow);
  }, 300_000);

  afterAll(async () => {
    for (const agent of agents.values()) agent.kill("SIGINT");
    await mesh?.remove();
    await Promise.all([...daemons.values()].map((dockerd) => dockerd.remove()));
  }, 120_000);

  function startAgent(name: NodeName): void {
    // The gateway of the second node has an address that no machine can dial, as behind NAT.
    const address = name === "one" ? addressOfOne : "two.invalid";
    const options = ["--name", name, "--address", address, "--state", join(folder, name)];
    const args = [
      "agent",
      ...options,
      "--runtime",
      "docker",
      "--keep-tasks",
      "--join",
      joinToken,
      mesh.control,
    ];
    const [program, ...rest] = daemon(name).command([...waggleProgram, ...args]);
    const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes) => logs.set(name, (logs.get(name) ?? "") + bytes));
    }
    agents.set(name, child);
  }

  const waggle: MeshClients["waggle"] = (...args) => clientsAt(daemon("one"), mesh).waggle(...args);
  const ok: MeshClients["ok"] = (...args) => clientsAt(daemon("one"), mesh).ok(...args);

  const create = (name: string, ...args: string[]) =>
    ok("service", "create", "-d", "-q", "--no-resolve-image", "--name", name, ...args);
  const on = (node: NodeName) => ["--constraint", `node.hostname==${node}`];

  /** The id of a running container of a service; empty if there is none. */
  async function containerOf(node: NodeName, service: string): Promise<string> {
    const label = `label=com.docker.swarm.service.name=${service}`;
    return (await daemon(node).docker("ps", "-q", "--filter", label)).split("\n")[0] ?? "";
  }

  /** Runs a program in the running container of a service on a node. */
  async function within(node: NodeName, service: string, ...program: string[]): Promise<Ran> {
    const id = await containerOf(node, service);
    if (id === "") throw new Error(`no container: ${await ok("service", "ps", "--no-trunc", service)}`);
    return daemon(node).run(["docker", "exec", id, ...program]);
  }

  const prints = (node: NodeName, service: string, program: readonly string[], text: string | RegExp) =>
    until(
      `${service} on ${node} to print ${text} by ${program.join(" ")}`,
      async () => {
        const { out } = await within(node, service, ...program);
        if (typeof text === "string" ? out.trim() !== text : !text.test(out))
          throw new Error(`${out}\n${[...logs.values()].join("\n")}`);
        return out.trim();
      },
      slow,
    );

  test("[N430] a task reaches a service on another node by its name", async () => {
    await ok("network", "create", "--driver", "overlay", "shop");
    await create("redis", "--network", "name=shop,alias=store", ...on("two"), "redis:alpine");
    await create("client", "--network", "shop", ...on("one"), "redis:alpine", "sleep", "1000");
    await prints("one", "client", ["redis-cli", "-h", "redis", "ping"], "PONG");
    for (const name of ["store", "tasks.redis", "tasks.store"]) {
      await prints("one", "client", ["redis-cli", "-h", name, "ping"], "PONG");
    }
  }, 180_000);

  test("[N441] a node behind NAT is reached through the relay, and reaches others directly", async () => {
    const { out } = await waggle("node", "ls");
    expect(out).toMatch(/one .*direct/);
    expect(out).toMatch(/two .*tunnel/);
    await create("near", "--network", "shop", ...on("one"), "redis:alpine");
    await prints("two", "redis", ["redis-cli", "-h", "near", "ping"], "PONG");
    // More than may be on the way at a time.
    const size = 2_000_000;
    await within("one", "client", "sh", "-c", `head -c ${size} /dev/zero | redis-cli -h redis -x set large`);
    await prints("one", "client", ["redis-cli", "-h", "redis", "strlen", "large"], String(size));
    await prints("one", "client", ["sh", "-c", "redis-cli -h redis get large | wc -c"], String(size + 1));
  }, 180_000);

  test("[N431] a service's name stands for its virtual address, tasks.NAME for each task, over all nodes", async () => {
    const page = "mkdir -p /srv && echo $(hostname) >/srv/index.html && exec httpd -f -p 8099 -h /srv";
    await create(
      "web",
      "--replicas",
      "2",
      "--replicas-max-per-node",
      "1",
      "--network",
      "shop",
      "busybox",
      "sh",
      "-c",
      page,
    );
    await create(
      "rr",
      "--endpoint-mode",
      "dnsrr",
      "--network",
      "shop",
      ...on("two"),
      "busybox",
      "sh",
      "-c",
      page,
    );
    const inspected = JSON.parse(await ok("service", "inspect", "web"));
    const [{ Addr }] = inspected[0].Endpoint.VirtualIPs as [{ Addr: string }];
    const resolve = async (name: string) => (await within("one", "client", "nslookup", name)).out;
    expect(await resolve("web")).toContain(`Address: ${Addr.split("/")[0]}\n`);
    const found = await until(
      "an address of each task",
      async () => {
        const addresses = new Set((await resolve("tasks.web")).match(/(?<=Address: )[\d.]+$/gm));
        return addresses.size === 2 ? addresses : null;
      },
      slow,
    );
    const read = async (host: string) => {
      const { code, out } = await within(
        "one",
        "curl",
        "curl",
        "-sS",
        "-f",
        "-m",
        "5",
        `http://${host}:8099/`,
      );
      return code === 0 ? out.trim() : `failed ${code} ${out}`;
    };
    await create("curl", "--network", "shop", ...on("one"), "busybox", "sleep", "1000");
    await until("the service to answer", async () => !(await read("web")).startsWith("failed"), slow);
    await until(
      "the port on both nodes",
      async () => {
        const answers = await Promise.all([...found].map(read));
        return answers.every((answer) => !answer.startsWith("failed"));
      },
      slow,
    );
    const hosts = new Set<string>();
    for (let request = 0; request < 4; request++) hosts.add(await read("web"));
    expect(hosts.size).toBe(2);
    expect(new Set(await Promise.all([...found].map(read)))).toEqual(hosts);
    await until("the name in mode dnsrr", async () => !(await read("rr")).startsWith("failed"), slow);
    expect(await resolve("rr")).not.toContain(Addr.split("/")[0]);
  }, 180_000);

  test("[N432] a port that opens later is reached, and another one is refused at once", async () => {
    await create("late", "--network", "shop", ...on("two"), "redis:alpine", "sleep", "1000");
    const ping = ["redis-cli", "-h", "late", "-p", "7777", "ping"];
    await prints("one", "client", ["redis-cli", "-h", "late", "-p", "1234", "ping"], /Connection refused/);
    await until("it to run", async () => (await containerOf("two", "late")) !== "", slow);
    await within(
      "two",
      "late",
      "sh",
      "-c",
      "redis-server --port 7777 --bind 0.0.0.0 --protected-mode no >/dev/null &",
    );
    await prints("one", "client", ping, "PONG");
    const beganMs = Date.now();
    expect((await within("one", "client", "redis-cli", "-h", "late", "-p", "1234", "ping")).out).toMatch(
      /refused/,
    );
    expect(Date.now() - beganMs).toBeLessThan(3_000);
  }, 180_000);

  test("[N433] a service without a task that takes connections refuses them at once, and is reached again", async () => {
    await ok("service", "scale", "-d", "late=0");
    await prints("one", "client", ["redis-cli", "-h", "late", "-p", "7777", "ping"], /refused/);
    await create("once", "--restart-condition", "none", "--network", "shop", ...on("two"), "redis:alpine");
    await prints("one", "client", ["redis-cli", "-h", "once", "ping"], "PONG");
    await daemon("two").docker("kill", await containerOf("two", "once"));
    await prints("one", "client", ["redis-cli", "-h", "once", "ping"], /refused/);
    expect((await within("one", "client", "nslookup", "tasks.once")).out).not.toMatch(/Address: 10\./);
  }, 180_000);

  test("[N434] [N460] a task of another network gets neither the name nor, at its address, a connection", async () => {
    await ok("network", "create", "--driver", "overlay", "other");
    await create("stranger", "--network", "other", ...on("one"), "redis:alpine", "sleep", "1000");
    const [{ Endpoint }] = JSON.parse(await ok("service", "inspect", "redis"));
    const address = Endpoint.VirtualIPs[0].Addr.split("/")[0];
    await until("it to run", async () => (await within("one", "stranger", "true")).code === 0, slow);
    await prints("one", "client", ["redis-cli", "-h", address, "ping"], "PONG");
    const from = (...args: string[]) =>
      within("one", "stranger", "timeout", "3", "redis-cli", ...args, "ping");
    expect((await from("-h", "redis")).out).not.toContain("PONG");
    expect((await from("-h", address)).out).not.toContain("PONG");
    // [N460] Nor at the port of the agent to which the rules lead.
    const listener = new RegExp(`-d ${address}/32 .*--dport 6379 -j DNAT --to-destination ([\\d.]+):(\\d+)`);
    const [, host = "", port = ""] = listener.exec(await rules("one")) ?? [];
    expect(port).not.toBe("");
    expect((await from("-h", host, "-p", port)).out).not.toContain("PONG");
  }, 180_000);

  const rules = async (node: NodeName) => (await daemon(node).run(["iptables-save"])).out;

  test("[N435] after kill -9 of its agent a node has its names again, and connections in containers go on", async () => {
    await prints("one", "client", ["redis-cli", "-h", "tasks.near", "ping"], "PONG");
    // A connection between containers of one node does not pass the agent.
    const open = within(
      "one",
      "client",
      "sh",
      "-c",
      "(echo ping; sleep 8; echo ping) | redis-cli -h tasks.near",
    );
    await until(
      "the connection",
      async () =>
        /:18EB/.test(
          (await within("one", "near", "cat", "/proc/net/tcp")).out
            .split("\n")
            .filter((line) => / 01 /.test(line))
            .join(),
        ),
      slow,
    );
    const pid = agents.get("one")?.pid ?? 0;
    process.kill(pid, "SIGKILL");
    startAgent("one");
    await prints("one", "client", ["redis-cli", "-h", "redis", "ping"], "PONG");
    const chains = (await rules("one")).match(/^:WAGGLE-\S+/gm) ?? [];
    expect(new Set(chains).size).toBe(chains.length - 1);
    expect((await open).out).toBe("PONG\nPONG\n");
  }, 180_000);

  /** Deploys a stack file. */
  async function deploy(name: string, services: object, more: object = {}): Promise<void> {
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify({ version: "3.8", services, ...more }));
    await ok("stack", "deploy", "--resolve-image", "never", "-c", file, name);
  }

  test("[N439] the services of the voting app find each other over two nodes", async () => {
    const twice = { deploy: { replicas: 2, placement: { max_replicas_per_node: 1 } } };
    const app = (name: string) => `dockersamples/examplevotingapp_${name}`;
    await deploy(
      "vote",
      {
        redis: { image: "redis:alpine", networks: ["frontend"] },
        db: {
          image: "postgres:15-alpine",
          environment: { POSTGRES_USER: "postgres", POSTGRES_PASSWORD: "postgres" },
          volumes: ["db-data:/var/lib/postgresql/data"],
          networks: ["backend"],
        },
        vote: { image: app("vote"), ports: ["8080:80"], networks: ["frontend"], ...twice },
        result: { image: app("result"), ports: ["8081:80"], networks: ["backend"] },
        worker: { image: app("worker"), networks: ["frontend", "backend"], ...twice },
      },
      { networks: { frontend: {}, backend: {} }, volumes: { "db-data": {} } },
    );
    const isRunning = async () => {
      const states = await ok("stack", "ps", "--format", "{{.CurrentState}}", "vote");
      return states.split("\n").filter((state) => state.startsWith("Running")).length === 7;
    };
    await until("seven tasks", isRunning, slow);
    const published = (port: number, path: string) =>
      daemon("one").run(["curl", "-sS", "-m", "5", `http://${addressOfOne}:${port}/cgi-bin/${path}`]);
    const pages = new Set<string>();
    let cats = 0;
    await until(
      "votes at both pages",
      async () => {
        const { out } = await published(8080, "vote?cats");
        if (!/^\d+\n/.test(out)) throw new Error(out);
        cats += 1;
        return pages.add(out.split("\n")[1] ?? "").size === 2;
      },
      slow,
    );
    await published(8080, "vote?dogs");
    await until(
      "all votes in the result",
      async () => {
        const { out } = await published(8081, "result");
        if (out.trim() !== `cats|${cats}\ndogs|1`) throw new Error(out);
        return true;
      },
      slow,
    );
    await ok("stack", "rm", "vote");
  }, 120_000);

  test("[N440] a page reaches the MySQL database of its stack", async () => {
    await deploy("blog", {
      wordpress: {
        image: "wordpress",
        ports: ["8080:80"],
        environment: { WORDPRESS_DB_PASSWORD: "example" },
      },
      mysql: { image: "mysql:5.7", environment: { MYSQL_ROOT_PASSWORD: "example" } },
    });
    await until(
      "the database",
      async () => {
        const url = `http://${addressOfOne}:8080/cgi-bin/wordpress`;
        const { out } = await daemon("one").run(["curl", "-sS", "-m", "5", url]);
        if (out.trim() !== "posts: 1") throw new Error(out);
        return true;
      },
      slow,
    );
    await ok("stack", "rm", "blog");
  }, 180_000);

  test("[N436] nothing stays behind on a node after its last task on a network", async () => {
    expect(await rules("two")).toContain("WAGGLE");
    for (const name of ["redis", "client", "web", "rr", "curl", "late", "once", "stranger", "near"])
      await ok("service", "rm", name);
    for (const node of nodes) {
      await until(`no rules on ${node}`, async () => !(await rules(node)).includes("WAGGLE"), slow);
    }
  }, 180_000);
});
