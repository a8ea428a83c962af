// A mesh on your own machines: a control plane, two balancers and a server, each machine a network namespace.

import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { holderOf } from "../../src/local/reload-file.ts";
import type { MeshTrafficReport } from "../../src/protocol/telemetry.ts";
import { TestAuthority } from "../support/certificate.ts";
import type { HandoverCounts } from "../support/handover-load.ts";
import { newStateDir } from "../support/mesh-process.ts";
import { type MachineProgram, Network, namespaceProblem } from "../support/namespaces.ts";
import { until } from "../support/until.ts";

const problem = namespaceProblem();
const reason = problem === null ? "" : ` (skipped: ${problem})`;
const backendProgram = fileURLToPath(new URL("../support/handover-backend.ts", import.meta.url));
const loadProgram = fileURLToPath(new URL("../support/handover-load.ts", import.meta.url));

/** More for a measurement: HANDOVERS=10 npx vitest run --project system test/system/self-host.test.ts */
const handovers = Number(process.env.HANDOVERS ?? 2);
/** The rate of the measurement is more than a machine serves on which other tests run. */
const ratePerSecond = handovers < 10 ? 60 : 200;
const loadPorts = { http: 9091, tcp: 9201, tls: 443 } as const;

describe.skipIf(problem !== null)(`a mesh on your own machines${reason}`, () => {
  const folder = newStateDir();
  const state = (name: string) => join(folder, name);
  const certificates = join(folder, "tls");
  const balancers = ["lb1", "lb2"] as const;
  let network: Network;
  let authority: TestAuthority;
  let control: string;
  let plane: MachineProgram;
  const machines = new Map<string, MachineProgram>();
  const outputOf = (name: string): string => machines.get(name)?.output ?? "";
  const waggle = (...args: string[]) => network.waggle("control", "--state", state("control"), ...args);
  const get = (name: string, port: number, path = "/") =>
    network.request("control", `http://${network.address(name)}:${port}${path}`);
  const answers = (name: string, port: number, withinMs = 40_000) =>
    until(`${name} to answer at port ${port}`, async () => (await get(name, port)).status === 200, {
      withinMs,
      everyMs: 50,
    });

  function startControl(): MachineProgram {
    return network.start("control", ["control", "--tls", certificates, "--state", state("control")]);
  }

  function startBalancer(name: string, token: readonly string[] = []): void {
    const trust = ["--ca", authority.certFile, "--tls", certificates];
    const args = [
      "edge",
      control,
      "--name",
      name,
      "--state",
      state(name),
      "--port",
      "80",
      ...trust,
      ...token,
    ];
    machines.set(name, network.start(name, args));
  }

  function startNode(token: readonly string[]): void {
    const trust = ["--ca", authority.certFile, "--tls", certificates];
    const own = [
      "--name",
      "node",
      "--address",
      network.address("node"),
      "--state",
      state("node"),
      "--tls-port",
      "8443",
    ];
    machines.set("node", network.start("node", ["agent", control, "--ingress", ...own, ...trust, ...token]));
  }

  /** The process that serves the ports of a balancer, below the one that holds its sockets. */
  async function servingPid(name: string): Promise<number> {
    const pid = holderOf(state(name));
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").at(-1));
  }

  const reload = (name: string) => network.waggle(name, "reload", "--state", state(name));

  beforeAll(async () => {
    network = new Network(["control", ...balancers, "node"]);
    mkdirSync(certificates, { recursive: true });
    authority = new TestAuthority(folder);
    const { certFile, keyFile } = authority.sign("mesh", `IP:${network.address("control")},DNS:www.test`);
    for (const file of [certFile, keyFile])
      renameSync(file, join(certificates, file.split("/").at(-1) ?? ""));
    control = `https://${network.address("control")}:2377`;
    plane = startControl();
    await plane.prints("A balancer: waggle edge --join");
    const token = ["--join", (await waggle("join-token", "-q")).trim()];
    for (const name of balancers) startBalancer(name, token);
    startNode(token);
    const server = `${network.address("control")}:7000`;
    const backend = [process.execPath, backendProgram, ...server.split(":")];
    await network.startProgram("control", backend).prints("listening");
    await waggle(
      "server",
      "add",
      "back",
      "s1",
      server,
      "-p",
      `${loadPorts.http}`,
      "-l",
      "waggle.host=back.test",
    );
    await waggle("server", "add", "backtcp", "s1", server, "-p", `${loadPorts.tcp}`, "-l", "waggle.mode=tcp");
    for (const name of balancers)
      for (const port of [loadPorts.http, loadPorts.tcp]) await answers(name, port);
  }, 120_000);

  afterAll(async () => {
    await network?.remove();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  test("[U503] the log of a control plane has no sign-in link", () => {
    expect(plane.output).toMatch(/^Dashboard: `\S+ --state \S+ dashboard` prints a link/m);
    expect(plane.output).not.toContain("sign-in?");
  });

  test("[U490] a published port opens on both balancers, and closes after its open requests", async () => {
    const server = `${network.address("control")}:7000`;
    await waggle("server", "add", "more", "s1", server, "-p", "9090");
    await Promise.all(balancers.map((name) => answers(name, 9090, 3_000)));
    const slow = get("lb1", 9090, "/?ms=2000");
    await waggle("service", "rm", "more");
    await Promise.all(
      balancers.map((name) => until(`${name} to close`, async () => (await get(name, 9090)).status === 0)),
    );
    expect((await slow).status).toBe(200);
  }, 60_000);

  test(`[U497][Q70] ${handovers} processes of a balancer follow each other without a failed request`, async () => {
    const seconds = 8 + handovers * 6;
    const numbers = [...Object.values(loadPorts), seconds, ratePerSecond].map(String);
    const args = [network.address("lb1"), ...numbers, authority.certFile, "www.test"];
    const load = network.run("control", process.execPath, loadProgram, ...args);
    for (let number = 0; number < handovers; number++)
      expect(await reload("lb1")).toMatch(/serves the ports/);
    const counts = JSON.parse(await load) as HandoverCounts;
    console.log(`${handovers} handovers: ${JSON.stringify(counts)}`);
    expect(counts.sent).toBeGreaterThan(seconds * ratePerSecond * 0.9);
    expect(counts.failures).toEqual({});
    expect(counts).toMatchObject({ download: "complete", tcp: { end: "open" } });
    expect(counts.webSocket).toMatchObject({ end: "open", received: counts.webSocket.sent });
    expect((await waggle("node", "ls")).match(/lb1 +Ready/)).not.toBeNull();
    await until(
      "the old processes to end",
      () => (outputOf("lb1").match(/has ended/g) ?? []).length === handovers,
      { withinMs: 60_000 },
    );
  }, 240_000);

  test("[U553] the ingress of a node is replaced without a failed request, and its tasks go on", async () => {
    // A node opens published ports only.
    const nodePorts = { ...loadPorts, tls: 8443 };
    const server = `${network.address("control")}:7000`;
    await waggle("server", "add", "backtls", "s1", server, "-p", `${nodePorts.tls}`);
    await waggle("service", "create", "--name", "each", "--mode", "global", "waggle/whoami");
    for (const port of [nodePorts.http, nodePorts.tcp]) await answers("node", port);
    await until("the port with TLS", async () =>
      /node +Ready .* 3 ports open/.test(await waggle("node", "ls")),
    );
    const tasks = () => waggle("service", "ps", "each", "-q");
    const before = [await tasks(), holderOf(state("node"))];
    const numbers = [...Object.values(nodePorts), 14, 60].map(String);
    const args = [network.address("node"), ...numbers, authority.certFile, "www.test"];
    const load = network.run("control", process.execPath, loadProgram, ...args);
    expect(await reload("node")).toMatch(
      /^process \d+ serves the ports; process \d+ finishes what it has open/,
    );
    const counts = JSON.parse(await load) as HandoverCounts;
    expect(counts.sent).toBeGreaterThan(14 * 60 * 0.9);
    expect(counts.failures).toEqual({});
    expect(counts).toMatchObject({ download: "complete", tcp: { end: "open" } });
    expect(counts.webSocket).toMatchObject({ end: "open", received: counts.webSocket.sent });
    expect([await tasks(), holderOf(state("node"))]).toEqual(before);
    await machines.get("node")?.prints("has ended");
    expect(await waggle("node", "ls")).toMatch(/node +Ready .* 3 ports open/);
    await waggle("service", "rm", "each");
    await waggle("service", "rm", "backtls");
  }, 120_000);

  test("[Q60][Q61] HTTP/2 reaches the same services as HTTP/1.1, on a port with TLS", async () => {
    const curl = (...args: string[]) =>
      network.run(
        "control",
        ...["curl", "-sS", "-m", "10", "--http2", "--cacert", authority.certFile],
        ...["--resolve", `www.test:443:${network.address("lb1")}`, "-H", "Host: back.test"],
        ...["-o", "/dev/null", "-w", "%{http_version} %{http_code} %{size_download}\n", ...args],
      );
    expect(await curl("https://www.test/")).toBe("2 200 3\n");
    expect(await curl("-I", "https://www.test/")).toBe("2 200 0\n");
    expect(await curl("-T", authority.certFile, "-X", "POST", "https://www.test/")).toBe("2 200 3\n");
    expect(await curl("https://www.test/?bytes=300000")).toBe("2 200 300000\n");
  }, 60_000);

  test("[U499] clients of a process that was killed wait for the next one", async () => {
    process.kill(await servingPid("lb2"), "SIGKILL");
    await machines.get("lb2")?.prints("was ended by SIGKILL; starting it again");
    const url = `http://${network.address("lb2")}:${loadPorts.http}/`;
    expect(await network.run("control", "curl", "-sSf", "-m", "50", url)).toBe("ok\n");
  }, 60_000);

  test("[U501][U502] the data plane goes on without the control plane, which keeps its counters", async () => {
    const { token } = JSON.parse(readFileSync(join(state("control"), "mesh.json"), "utf8")) as {
      token: string;
    };
    const counted = async (): Promise<number> => {
      const { body } = await network.request(
        "control",
        "http://127.0.0.1:8787/mesh/telemetry",
        `authorization: Bearer ${token}`,
      );
      const { services } = JSON.parse(body) as MeshTrafficReport;
      const entries = services.find(({ name }) => name === "back")?.entries ?? [];
      return entries.reduce((sum, { counts }) => sum + (counts.requests ?? 0), 0);
    };
    await get("lb1", loadPorts.http);
    await until("a count", async () => (await counted()) > 0);
    // Under load more counts may be on their way.
    const before = await counted();
    const replacing = reload("control");
    const listed = await Promise.all(Array.from({ length: 5 }, () => waggle("service", "ls", "-q")));
    for (const name of balancers) expect((await get(name, loadPorts.http)).status).toBe(200);
    expect(await replacing).toMatch(/serves the ports/);
    expect(listed.map((text) => text.trim().split("\n").length)).toEqual(Array(5).fill(2));
    expect(await counted()).toBeGreaterThanOrEqual(before);
    plane.kill("SIGTERM");
    expect(await plane.exited).toBe(0);
    for (const name of balancers) expect((await get(name, loadPorts.http)).status).toBe(200);
    plane = startControl();
    await plane.prints("A balancer: waggle edge --join");
    expect(await counted()).toBeGreaterThanOrEqual(before);
    await until("both balancers", async () => {
      const nodes = await waggle("node", "ls");
      return /lb1 +Ready/.test(nodes) && /lb2 +Ready/.test(nodes);
    });
  }, 120_000);

  test("[U500] a balancer that stops refuses new connections and finishes open requests", async () => {
    const slow = get("lb2", loadPorts.http, "/?ms=3000");
    await until("the request", async () => (await get("lb2", loadPorts.http)).status === 200);
    machines.get("lb2")?.kill("SIGTERM");
    await until("the port to close", async () => (await get("lb2", loadPorts.http)).status === 0);
    expect((await slow).status).toBe(200);
    expect(await machines.get("lb2")?.exited).toBe(0);
    startBalancer("lb2");
    await answers("lb2", loadPorts.http);
  }, 60_000);

  test("[U505] without a usable certificate no process is replaced, and the port with TLS stays open", async () => {
    const key = join(certificates, "mesh.key");
    const before = await servingPid("lb2");
    chmodSync(key, 0o644);
    const refused = expect(reload("lb2")).rejects.toThrow(
      /not replaced: .* cannot serve .*:443: .*can read its key/,
    );
    await refused.finally(() => chmodSync(key, 0o600));
    const url = `https://${network.address("lb2")}/`;
    const status = [
      "curl",
      "-sk",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "-H",
      "Host: back.test",
      url,
    ] as const;
    expect([await network.run("control", ...status), await servingPid("lb2")]).toEqual(["200", before]);
  }, 90_000);

  test("[U551] with one bad certificate among usable ones no process is replaced, and its name stays", async () => {
    const { certFile, keyFile } = authority.sign("shop", "DNS:shop.test");
    const pem = join(certificates, "shop.pem");
    writeFileSync(pem, readFileSync(certFile, "utf8") + readFileSync(keyFile, "utf8"), { mode: 0o600 });
    const place = `shop.test:443:${network.address("lb2")}`;
    const options = [
      "--cacert",
      authority.certFile,
      "--resolve",
      place,
      "-w",
      "%{http_code}",
      "-o",
      "/dev/null",
    ];
    const status = () =>
      network.run("control", "curl", "-s", ...options, "-H", "Host: back.test", "https://shop.test/");
    const isServed = () => status().catch(() => "");
    await until("the certificate", async () => (await isServed()) === "200");
    const before = await servingPid("lb2");
    chmodSync(pem, 0o644);
    await expect(reload("lb2")).rejects.toThrow(
      /not replaced: the new process cannot use \S+shop\.pem, the certificate in use for shop\.test: .*can read its key/,
    );
    expect([await status(), await servingPid("lb2")]).toEqual(["200", before]);
    rmSync(pem);
    expect(await reload("lb2")).toMatch(/serves the ports/);
  }, 90_000);

  test("[U553] an ingress of a node that cannot serve a port with TLS replaces none", async () => {
    const server = `${network.address("control")}:7000`;
    await waggle("server", "add", "backtls", "s1", server, "-p", "8443");
    await until("the port with TLS", async () =>
      /node +Ready .* 3 ports open/.test(await waggle("node", "ls")),
    );
    const key = join(certificates, "mesh.key");
    chmodSync(key, 0o644);
    const refused = expect(reload("node")).rejects.toThrow(
      /not replaced: the new process cannot serve .*:8443: .*can read its key.*; process \d+ goes on/,
    );
    await refused.finally(() => chmodSync(key, 0o600));
    expect((await get("node", loadPorts.http)).status).toBe(200);
    expect(await waggle("node", "ls")).toMatch(/node +Ready .* 3 ports open/);
  }, 60_000);

  test("[U508] a control plane without a usable certificate is not replaced", async () => {
    const key = join(certificates, "mesh.key");
    const before = await servingPid("control");
    chmodSync(key, 0o644);
    const reason = /not replaced: the new process cannot start: no certificate .*can read its key/;
    const refused = expect(reload("control")).rejects.toThrow(reason);
    await refused.finally(() => chmodSync(key, 0o600));
    expect(await servingPid("control")).toBe(before);
    expect(await waggle("node", "ls")).toMatch(/lb1 +Ready/);
  }, 90_000);

  test("[U498] a process that cannot serve replaces none, and the command says why", async () => {
    const membership = join(state("lb2"), "node.json");
    const before = await servingPid("lb2");
    renameSync(membership, `${membership}.away`);
    await expect(reload("lb2")).rejects.toThrow(/not replaced: the new process ended \(1\) before it served/);
    renameSync(`${membership}.away`, membership);
    expect([(await get("lb2", loadPorts.http)).status, await servingPid("lb2")]).toEqual([200, before]);
  }, 60_000);
});
