// The published ports of a mesh on machines of their own: two nodes with an ingress, and a balancer, each in a
// network namespace.

import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findByEnvironment } from "../../src/os/process-identity.ts";
import type { MeshTrafficReport } from "../../src/protocol/telemetry.ts";
import { newStateDir } from "../support/mesh-process.ts";
import { type MachineProgram, Network, namespaceProblem } from "../support/namespaces.ts";
import { until } from "../support/until.ts";

const problem = namespaceProblem();
const reason = problem === null ? "" : ` (skipped: ${problem})`;

describe.skipIf(problem !== null)(`ingress on machines of their own${reason}`, () => {
  const folder = newStateDir();
  const state = (name: string) => join(folder, name);
  const ports = { control: 8787, web: 8080 };
  let network: Network;
  let control: string;
  let mesh: MachineProgram;
  const machines = new Map<string, MachineProgram>();
  const machine = (name: string): MachineProgram => machines.get(name) as MachineProgram;
  const waggle = (...args: string[]) => network.waggle("mesh", "--state", state("mesh"), ...args);
  const get = (name: string, port: number) =>
    network.request("mesh", `http://${network.address(name)}:${port}/`);
  const status = async (name: string, port: number) => (await get(name, port)).status;

  function startMesh(): MachineProgram {
    const listen = ["--listen", network.address("mesh"), "--port", String(ports.control)];
    return network.start("mesh", ["up", "--nodes", "0", ...listen, "--state", state("mesh")]);
  }

  function startMachine(name: string, token: readonly string[] = []): void {
    const common = [control, "--name", name, "--state", state(name), "--insecure", ...token];
    const args =
      name === "lb"
        ? ["edge", ...common, "--port", "80"]
        : ["agent", ...common, "--address", network.address(name), "--ingress"];
    machines.set(name, network.start(name, args));
  }

  /** The processes of a machine's ingress: of the process that follows the table, and of workerd. */
  function ingressPid(name: string, part: "ingress" | "workerd"): number {
    const child = part === "ingress" ? "ingress" : "ingress-runtime";
    const program = part === "ingress" ? "ingress-child.ts" : "bin/workerd";
    const variable = `WAGGLE_CHILD=${state(name)}:${child}`;
    const found = findByEnvironment((text) => text === variable).find(({ identity }) =>
      readFileSync(`/proc/${identity.pid}/cmdline`, "utf8").includes(program),
    );
    if (found === undefined) throw new Error(`${part} of ${name} does not run: ${machine(name).output}`);
    return found.identity.pid;
  }

  const answers = (name: string, port: number) =>
    until(`${name} to answer at port ${port}`, async () => (await status(name, port)) === 200, {
      withinMs: 40_000,
    });

  beforeAll(async () => {
    network = new Network(["mesh", "a", "b", "lb"]);
    control = `http://${network.address("mesh")}:${ports.control}`;
    mesh = startMesh();
    await mesh.prints("Ctrl-C stops the mesh");
    const token = ["--join", (await waggle("join-token", "-q")).trim()];
    for (const name of ["a", "b", "lb"]) startMachine(name, token);
    await until("two nodes", async () => /2 of 2 nodes ready/.test(await waggle("status")), {
      withinMs: 40_000,
    });
    await waggle("service", "create", "--name", "my-web", "--publish", `${ports.web}:80`, "waggle/whoami");
    for (const name of ["a", "b", "lb"]) await answers(name, ports.web);
  }, 120_000);

  afterAll(async () => {
    await network?.remove();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  test("[O130] each machine answers on the published port, with a task or without, and the balancer at its own", async () => {
    const bodies = [];
    for (const name of ["a", "b", "lb"]) bodies.push((await get(name, ports.web)).body);
    bodies.push((await get("lb", 80)).body);
    const nodes = bodies.map((body) => /^node: (\S+)$/m.exec(body)?.[1]);
    expect(nodes).toEqual(Array(4).fill(nodes[0]));
    expect(["a", "b"]).toContain(nodes[0]);
    expect(await status("a", 80)).toBe(0);
  });

  test("[O134] the traffic of the machines is counted, by the node that it came in at", async () => {
    const { token } = JSON.parse(readFileSync(join(state("mesh"), "mesh.json"), "utf8"));
    const ids = JSON.parse(await waggle("node", "ls", "--json"))
      .filter(({ Spec }: { Spec: { Availability: string } }) => Spec.Availability === "active")
      .map(({ ID }: { ID: string }) => ID);
    await until("requests at both nodes", async () => {
      const url = `${control}/mesh/telemetry`;
      const { body } = await network.request("mesh", url, `authorization: Bearer ${token}`);
      const { services } = JSON.parse(body) as MeshTrafficReport;
      const entries = services.find(({ name }) => name === "my-web")?.entries ?? [];
      const counted = entries.filter(({ counts }) => (counts.requests ?? 0) > 0).map(({ nodeId }) => nodeId);
      return ids.every((id: string) => counted.includes(id));
    });
  });

  test("[O253] no token of the mesh and no session of its dashboard reaches a task from a machine", async () => {
    const { token } = JSON.parse(readFileSync(join(state("mesh"), "mesh.json"), "utf8"));
    const basic = Buffer.from(`any:${token}`).toString("base64");
    const ask = async (name: string, header: string) => {
      const url = `http://${network.address(name)}:${ports.web}/`;
      const { status: code, body } = await network.request("mesh", url, header);
      expect(code).toBe(200);
      return body;
    };
    for (const name of ["a", "b", "lb"]) {
      for (const value of [`Bearer ${token}`, `Basic ${basic}`])
        expect(await ask(name, `authorization: ${value}`)).not.toMatch(/^authorization:/im);
      expect(await ask(name, "cookie: waggle=session; theirs=1")).toMatch(/^cookie: theirs=1$/im);
      expect(await ask(name, "authorization: Bearer theirs")).toMatch(/^authorization: Bearer theirs$/im);
      expect(readFileSync(join(state(name), "router.json"), "utf8")).not.toContain(token);
    }
  });

  test("[O254] connections of TCP services are counted, by the node that they came in at", async () => {
    const { token } = JSON.parse(readFileSync(join(state("mesh"), "mesh.json"), "utf8"));
    const tcp = ["--name", "raw", "--label", "waggle.mode=tcp", "--publish", "9200:80"];
    await waggle("service", "create", ...tcp, "waggle/whoami");
    for (const name of ["a", "b", "lb"]) await answers(name, 9200);
    const counted = async () => {
      const url = `${control}/mesh/telemetry`;
      const { body } = await network.request("mesh", url, `authorization: Bearer ${token}`);
      const { services } = JSON.parse(body) as MeshTrafficReport;
      return services.find(({ name }) => name === "raw")?.entries ?? [];
    };
    await until("connections at both nodes and the balancer", async () => {
      const entries = (await counted()).filter(({ counts }) => (counts.bytesOut ?? 0) > 0);
      return new Set(entries.map(({ nodeId }) => nodeId)).size === 3;
    });
    await waggle("service", "rm", "raw");
  });

  test("[O255] a balancer has the statistics page, for reading and with a token only", async () => {
    const { token } = JSON.parse(readFileSync(join(state("mesh"), "mesh.json"), "utf8"));
    const url = `http://${network.address("lb")}:${ports.web}/haproxy?stats`;
    const basic = (password: string) =>
      `authorization: Basic ${Buffer.from(`any:${password}`).toString("base64")}`;
    expect((await network.request("mesh", url)).status).toBe(401);
    expect((await network.request("mesh", url, basic("a-wrong-token-of-20-characters"))).status).toBe(401);
    const direct = `${control}/mesh/router/stats?uri=/haproxy?stats`;
    expect((await network.request("mesh", direct)).status).toBe(401);
    expect((await network.request("mesh", direct, `authorization: Bearer ${token}`)).status).toBe(401);
    const csv = await network.request("mesh", `${url};csv`, basic(token));
    expect(csv.status).toBe(200);
    expect(csv.body).toMatch(/^# pxname,[\s\S]*^my-web,FRONTEND,/m);
    const page = await network.request("mesh", url, basic(token));
    expect(page.body).toContain("Statistics Report");
    expect(page.body).not.toContain("<select");
    // A node has no such page, as at `waggle up`: its service gets the request.
    const onNode = `http://${network.address("a")}:${ports.web}/haproxy?stats`;
    expect((await network.request("mesh", onNode)).body).toContain("service: my-web");
  });

  test("[O138] the balancer is listed with its ports, and takes no task", async () => {
    await waggle("service", "create", "--name", "everywhere", "--mode", "global", "waggle/whoami");
    expect(await waggle("node", "ls")).toMatch(/ lb +Ready +Drain .* balancer: 2 ports open/);
    expect(await waggle("service", "ps", "everywhere")).not.toMatch(/ lb /);
    await waggle("service", "rm", "everywhere");
  });

  test("[O137] a port that is taken shows with its reason, and opens once it is free", async () => {
    // The program serves a mesh, which is a process that listens like any other.
    const taker = network.start("b", [
      "up",
      "--nodes",
      "0",
      "--listen",
      network.address("b"),
      "--port",
      "9090",
      "--edge-port",
      "9091",
      "--state",
      state("taker"),
    ]);
    await taker.prints("Ctrl-C stops the mesh");
    await waggle("service", "create", "--name", "api", "--publish", "9090:80", "waggle/whoami");
    await answers("a", 9090);
    const why = "9090: another process on this machine listens there";
    await until("the reason", async () => (await waggle("node", "ls")).includes(`1 of 2 ports open; ${why}`));
    expect(await waggle("status")).toContain("port 9090 of b: not open: another process on this machine");
    expect(await waggle("service", "ps", "api")).toContain("warning: port 9090 of b is not open: another");
    taker.kill("SIGINT");
    await answers("b", 9090);
    await until("no problem", async () => (await waggle("status")).includes("No problems."));
    await waggle("service", "rm", "api");
    await until("a closed port", async () => (await status("b", 9090)) === 0);
  });

  test("[O130] kill -9 of a task fails no request at any machine", async () => {
    await waggle("service", "scale", "my-web=2");
    const statuses: number[] = [];
    let isLoading = true;
    const load = ["a", "b", "lb"].map(async (name) => {
      while (isLoading) statuses.push(await status(name, ports.web));
    });
    const { pid } = JSON.parse(await waggle("status", "--json")).services[0].tasks[0];
    process.kill(pid, "SIGKILL");
    await until("another task", async () => {
      const [service] = JSON.parse(await waggle("status", "--json")).services;
      return service.running === 2 && service.tasks.every((task: { pid: number }) => task.pid !== pid);
    });
    isLoading = false;
    await Promise.all(load);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  test("[O136] kill -9 of workerd: requests wait for the next one, and the agent says what happened", async () => {
    process.kill(ingressPid("b", "workerd"), "SIGKILL");
    expect(await status("b", ports.web)).toBe(200);
    await machine("b").prints(/the ingress: .*workerd exited \(SIGKILL\); starting it again/);
    await machine("b").prints("workerd is running again");
  });

  test("[O136] kill -9 of the process with the listeners: the agent starts it again, and its tasks keep running", async () => {
    process.kill(ingressPid("b", "ingress"), "SIGKILL");
    await machine("b").prints("the ingress exited (SIGKILL); starting it again");
    await answers("b", ports.web);
    expect(await waggle("node", "ls")).toMatch(/ b +Ready .* 1 port open/);
  });

  test("[O136] without the right to a port below 1024 the reason says what it takes", async () => {
    const token = ["--join", (await waggle("join-token", "-q")).trim(), "--insecure"];
    const args = [
      "edge",
      control,
      "--name",
      "low",
      "--listen",
      network.address("a"),
      "--port",
      "81",
      ...token,
    ];
    const withoutRight = ["setpriv", "--bounding-set", "-net_bind_service"];
    const low = network.start("a", [...args, "--state", state("low")], withoutRight);
    await low.prints(
      "cannot open 10.77.0.2:81: this user may not listen on ports below 1024, which takes root or",
    );
    low.kill("SIGINT");
    expect(await low.exited).toBe(0);
    await waggle("node", "rm", "low");
  });

  test("[O135] while the registry is away requests are served, also after a restart of the machines' processes", async () => {
    mesh.kill("SIGINT");
    await mesh.exited;
    await machine("lb").prints("the registry is unreachable: ");
    for (const name of ["a", "b", "lb"]) {
      expect([name, await status(name, ports.web)]).toEqual([name, 200]);
      expect(statSync(join(state(name), "router.json")).mode & 0o777).toBe(0o600);
    }
    for (const name of ["b", "lb"]) {
      machine(name).kill("SIGKILL");
      await machine(name).exited;
      startMachine(name);
    }
    for (const name of ["a", "b", "lb"]) await answers(name, ports.web);
    expect(await status("lb", 80)).toBe(200);
    mesh = startMesh();
    await mesh.prints("Ctrl-C stops the mesh");
    await machine("lb").prints("the registry responds again");
    await until("all ports", async () => (await waggle("node", "ls")).match(/\d ports? open/g)?.length === 3);
  });

  test("[O132] a removed balancer ends, and forgets the table with its keys", async () => {
    await waggle("node", "rm", "--force", "lb");
    expect(await machine("lb").exited).toBe(1);
    expect(await status("lb", ports.web)).toBe(0);
    expect(() => statSync(join(state("lb"), "router.json"))).toThrow("ENOENT");
  });

  test("[O139] plain HTTP to another machine is refused before the machine joins", async () => {
    const refused = network.start("a", ["edge", control, "--join", "x", "--state", state("refused")]);
    expect(await refused.exited).toBe(1);
    expect(refused.output).toMatch(/is plain HTTP, .*--insecure/);
  });
});
