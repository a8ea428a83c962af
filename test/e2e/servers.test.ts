// Static servers on a real mesh without agents, with real checks, compared with a real HAProxy.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServerStatus } from "../../src/protocol/server.ts";
import { freePort, isUnderPlatformRules, loopbackHost, MeshProcess, run } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const interMs = 400;
const check = ["--check", "--inter", `${interMs}ms`, "--rise", "2", "--fall", "3"];

let mesh: MeshProcess;
const folder = mkdtempSync(join(tmpdir(), "waggle-servers-"));

beforeAll(async () => {
  mesh = await MeshProcess.start(["--nodes", "0"]);
});

afterAll(async () => {
  await mesh.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** An HTTP server that responds with its name; it can stop and start again on the same port. */
class Backend {
  readonly name: string;
  port = 0;
  status = 200;
  #server: Server | null = null;

  constructor(name: string) {
    this.name = name;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      response.writeHead(request.url === "/health" ? this.status : 200);
      response.end(this.name);
    });
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The number of responses by name, for `count` requests; failures by status. */
async function tally(port: number, count: number, host?: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const answer = host === undefined ? await get(port) : await get(port, host);
    counts[answer] = (counts[answer] ?? 0) + 1;
  }
  return counts;
}

/**
 * What compares with HAProxy in a tally: the number of responses of each server in one isolate. Several isolates
 * alternate on their own, so that only the servers are the same.
 */
const compared = (counts: Record<string, number>) =>
  isUnderPlatformRules ? Object.keys(counts).sort() : counts;

async function get(port: number, host = `127.0.0.1:${port}`, path = "/"): Promise<string> {
  const { out } = await run("curl", [
    "-s",
    "-w",
    " %{http_code}",
    "-H",
    `Host: ${host}`,
    `http://127.0.0.1:${port}${path}`,
  ]);
  const [, body = "", status = ""] = /^(.*) (\d{3})$/s.exec(out) ?? [];
  return status === "200" ? body : status;
}

async function waggle(...args: string[]): Promise<string> {
  const { code, out, err } = await mesh.waggle(...args);
  expect([code, err]).toEqual([0, ""]);
  return out;
}

async function server(ref: string): Promise<ServerStatus> {
  const servers = await mesh.get<ServerStatus[]>("/mesh/servers");
  const found = servers.find(({ service, spec }) => `${service}/${spec.name}` === ref);
  if (found === undefined) throw new Error(`no server ${ref}`);
  return found;
}

async function waitForStatus(ref: string, status: string): Promise<void> {
  await until(`${ref} to be ${status}`, async () => (await server(ref)).status === status);
}

/** Waits until exactly these servers respond: the balancer's table is at most a second behind. */
async function waitForServers(port: number, names: readonly string[]): Promise<void> {
  await until(`port ${port} to be answered by ${names.join(" and ")}`, async () => {
    return (
      Object.keys(await tally(port, 6))
        .sort()
        .join() === [...names].sort().join()
    );
  });
}

async function waitForPort(port: number): Promise<void> {
  await until(`port ${port} to be open`, async () => (await get(port)) !== "000" && (await get(port)) !== "");
}

describe("a mesh of static servers only", () => {
  test("[F34] a dead server gets no traffic after `fall` failed checks, and traffic again after `rise` passed ones", async () => {
    await using a = await new Backend("a").start();
    await using b = await new Backend("b").start();
    const port = await freePort();
    await waggle("server", "add", "dies", "a", `${loopbackHost}:${a.port}`, ...check, "-p", `${port}:80`);
    await waggle("server", "add", "dies", "b", `${loopbackHost}:${b.port}`, ...check);
    await waitForPort(port);
    await waitForStatus("dies/a", "UP");
    expect(compared(await tally(port, 20))).toEqual(compared({ a: 10, b: 10 }));

    await a.stop();
    const stoppedAtMs = Date.now();
    await waitForStatus("dies/a", "DOWN");
    const elapsedMs = Date.now() - stoppedAtMs;
    expect(elapsedMs).toBeGreaterThanOrEqual(2 * interMs - 50);
    expect(elapsedMs).toBeLessThan(3 * interMs + 1_500);
    expect(await server("dies/a")).toMatchObject({
      fails: 3,
      downs: 1,
      lastCheck: expect.stringMatching(/^L4CON in \d+ms$/),
    });
    expect(await tally(port, 10)).toEqual({ b: 10 });

    await a.start();
    const startedAtMs = Date.now();
    await waitForStatus("dies/a", "UP");
    expect(Date.now() - startedAtMs).toBeGreaterThanOrEqual(interMs - 50);
    await waitForServers(port, ["a", "b"]);
    expect((await server("dies/a")).downtimeMs).toBeGreaterThan(0);
  });

  test("[F34] an HTTP check depends on the status, and the server's status shows its counter", async () => {
    await using a = await new Backend("a").start();
    const port = await freePort();
    const http = ["--httpchk", "GET /health HTTP/1.1", "--expect", "status 200", "--inter", "500ms"];
    // Slow enough that the test sees the counter between the states.
    http.push("--fastinter", "2s");
    await waggle("server", "add", "http", "a", `${loopbackHost}:${a.port}`, ...http, "-p", `${port}:80`);
    await waitForStatus("http/a", "UP");
    expect((await server("http/a")).lastCheck).toMatch(/^L7OK\/200 in \d+ms$/);
    a.status = 503;
    await waitForStatus("http/a", "UP 2/3");
    expect((await server("http/a")).lastCheck).toMatch(/^L7STS\/503 in \d+ms$/);
    await waitForStatus("http/a", "DOWN");
    a.status = 200;
    await waitForStatus("http/a", "DOWN 1/2");
    await waitForStatus("http/a", "UP");
  });

  test("[F35] drain and maint stop traffic to a server, ready restores it, and a backup takes over", async () => {
    await using a = await new Backend("a").start();
    await using b = await new Backend("b").start();
    await using spare = await new Backend("spare").start();
    const port = await freePort();
    await waggle("server", "add", "out", "a", `${loopbackHost}:${a.port}`, ...check, "-p", `${port}:80`);
    await waggle("server", "add", "out", "b", `${loopbackHost}:${b.port}`, ...check);
    await waggle("server", "add", "out", "spare", `${loopbackHost}:${spare.port}`, ...check, "--backup");
    await waitForPort(port);
    await waitForServers(port, ["a", "b"]);
    await waggle("server", "set", "out/a", "--admin", "drain");
    await waitForServers(port, ["b"]);
    expect((await server("out/a")).status).toBe("DRAIN");
    await waggle("server", "set", "out/b", "--admin", "maint");
    await waitForServers(port, ["spare"]);
    await waggle("server", "set", "out/a", "--admin", "ready");
    await waggle("server", "set", "out/b", "--admin", "ready");
    await waitForServers(port, ["a", "b"]);
  });
});

/** Its servers are at `SERVERS`: HAProxy knows no names of the test zone, and a Worker reaches no address. */
const haproxyEnv = { ...process.env, SERVERS: "127.0.0.1" };
process.env.SERVERS = loopbackHost;

describe("a haproxy.cfg", () => {
  test("[I9] that HAProxy accepts is imported, and the mesh spreads the same requests in the same way", async () => {
    await using a = await new Backend("a").start();
    await using b = await new Backend("b").start();
    await using c = await new Backend("c").start();
    await using spare = await new Backend("spare").start();
    await using api = await new Backend("api").start();
    const file = join(folder, "haproxy.cfg");
    writeFileSync(
      file,
      `global
    maxconn 200
defaults
    mode http
    option redispatch
    option forwardfor
    timeout connect 5s
    timeout client  30s
    timeout server  30s
frontend front
    bind "127.0.0.1:\${PORT}"
    acl is_api hdr(host) -i api.example.com
    use_backend api if is_api
    default_backend app
backend app
    balance roundrobin
    option httpchk GET /health HTTP/1.1\\r\\nHost:\\ www.example.com
    http-check expect status 200
    default-server inter 400ms rise 2 fall 3
    server a "\${SERVERS}:${a.port}" check weight 2
    server b "\${SERVERS}:${b.port}" check
    server c "\${SERVERS}:${c.port}" check disabled
    server spare "\${SERVERS}:${spare.port}" check backup
backend api
    server api "\${SERVERS}:${api.port}" check inter 400ms
listen stats
    bind "127.0.0.1:\${STATS_PORT}"
    stats enable
    stats uri /haproxy?stats
`,
    );
    const [haproxyPort, port, statsPort] = [await freePort(), await freePort(), await freePort()];
    const env = { ...haproxyEnv, PORT: String(haproxyPort), STATS_PORT: String(statsPort) };
    expect(await run("haproxy", ["-c", "-f", file], env)).toMatchObject({ code: 0 });

    process.env.PORT = String(port);
    process.env.STATS_PORT = String(statsPort);
    const output = await waggle("import", file);
    expect(output).toMatch(/created service app\n[\s\S]*added server app\/c\n/);
    expect(await waggle("import", file)).toContain("no changes: the mesh matches the file");
    await waitForPort(port);
    await waitForServers(port, ["a", "b"]);
    expect((await server("app/c")).status).toBe("MAINT");

    const haproxy: ChildProcess = spawn("haproxy", ["-db", "-f", file], { env, stdio: "ignore" });
    try {
      await waitForServers(haproxyPort, ["a", "b"]);
      expect(compared(await tally(port, 30))).toEqual(compared(await tally(haproxyPort, 30)));
      // By host name: at HAProxy's only port, and at the balancer's own port.
      expect(await tally(haproxyPort, 3, "api.example.com")).toEqual({ api: 3 });
      expect(await tally(mesh.edgePort, 3, "api.example.com")).toEqual({ api: 3 });
      await Promise.all([a.stop(), b.stop()]);
      await waitForServers(port, ["spare"]);
      await waitForServers(haproxyPort, ["spare"]);
      expect(await tally(port, 10)).toEqual(await tally(haproxyPort, 10));
    } finally {
      haproxy.kill("SIGKILL");
    }
  });

  test("[I22] leads each request to the same backend as HAProxy, at the frontend's port and by host name", async () => {
    const names = ["app", "spare1", "spare2", "api", "acme", "img", "shop"] as const;
    await using stack = new AsyncDisposableStack();
    const servers = await Promise.all(names.map((name) => new Backend(name).start()));
    for (const backend of servers) stack.use(backend);
    const [app, spare1, spare2, api, acme, img, shop] = servers.map(({ port }) => `"\${SERVERS}:${port}"`);
    const file = join(folder, "paths.cfg");
    writeFileSync(
      file,
      `defaults
    mode http
    timeout connect 5s
    timeout client  30s
    timeout server  30s
    default-server inter 400ms rise 1 fall 1
frontend front
    bind "127.0.0.1:\${PATHS_PORT}"
    acl acme path_beg /.well-known/acme-challenge/
    acl is_shop hdr(host) -i shop.example.com www.shop.example.com
    acl is_api path_beg /api /v1
    acl is_api path /healthz
    acl internal path_beg /api/internal
    use_backend p-acme if acme
    use_backend p-img if is_shop { path_beg /img } !{ path /img/none }
    use_backend p-shop if is_shop
    use_backend p-api if is_api !internal or { hdr(host) -i v1.example.com }
    default_backend p-app
backend p-app
    option httpchk GET /
    server app ${app} check
    server spare1 ${spare1} check backup
    server spare2 ${spare2} check backup
backend p-api
    server api ${api}
backend p-acme
    server acme ${acme}
backend p-img
    server img ${img}
backend p-shop
    server shop ${shop}
`,
    );
    const [haproxyPort, port] = [await freePort(), await freePort()];
    const env = { ...haproxyEnv, PATHS_PORT: String(haproxyPort) };
    expect(await run("haproxy", ["-c", "-f", file], env)).toMatchObject({ code: 0 });
    process.env.PATHS_PORT = String(port);
    const output = await waggle("import", file);
    expect(output).not.toMatch(/could not +(acl|use_|default_b)/);
    expect(await waggle("import", file)).toContain("no changes: the mesh matches the file");
    await waitForPort(port);

    const haproxy: ChildProcess = spawn("haproxy", ["-db", "-f", file], { env, stdio: "ignore" });
    try {
      await waitForServers(port, ["app"]);
      await waitForServers(haproxyPort, ["app"]);
      const hosts = ["else.example.com", "SHOP.example.com", "www.shop.example.com", "v1.example.com"];
      const paths = [
        ...["/", "/api", "/api/", "/apish", "/API", "/a/api", "/v1/x?y=/img", "/v2", "/?/api", "/api?x"],
        ...["/healthz", "/healthz?full", "/healthz/", "/api/internal", "/api/internal/x", "/api/intern"],
        ...["/img", "/img/a.png", "/img/none", "/img/none/x", "/imgs", "/%61pi"],
        ...["/.well-known/acme-challenge/token", "/.well-known/acme-challenge"],
      ];
      const requests = hosts.flatMap((host) => paths.map((path) => [host, path] as const));
      const answersAt = async (at: number) => {
        const lines: string[] = [];
        for (const [host, path] of requests) lines.push(`${host}${path} ${await get(at, host, path)}`);
        return lines;
      };
      const byHaproxy = await answersAt(haproxyPort);
      expect(new Set(byHaproxy.map((line) => line.split(" ")[1]))).toEqual(
        new Set(["app", "api", "acme", "img", "shop"]),
      );
      expect(await answersAt(port)).toEqual(byHaproxy);
      // At the balancer's port the host name selects the service: a host without a rule has another one.
      const withRule = byHaproxy.filter((line) => !line.startsWith("else."));
      expect((await answersAt(mesh.edgePort)).filter((line) => !line.startsWith("else."))).toEqual(withRule);
      const explanation = await waggle("trace", "--explain", `http://127.0.0.1:${port}/v1/x`);
      expect(explanation).toContain("path rule /v1 of p-api takes the request");

      await servers[0]?.stop();
      await waitForServers(port, ["spare1"]);
      await waitForServers(haproxyPort, ["spare1"]);
      await servers[1]?.stop();
      await waitForServers(port, ["spare2"]);
      await waitForServers(haproxyPort, ["spare2"]);
    } finally {
      haproxy.kill("SIGKILL");
    }
  });

  test("[I10] that cannot be read changes nothing, names each line, and exits with 1", async () => {
    const file = join(folder, "broken.cfg");
    writeFileSync(
      file,
      "defaults\n mode http\nlisten broken\n bind :1\n server a 10.0.0.1:80 chekc\n blance roundrobin\n",
    );
    const { code, err } = await mesh.waggle("import", file);
    expect(code).toBe(1);
    expect(err).toContain('broken.cfg:5: server a 10.0.0.1:80: there is no "chekc": did you mean check?');
    expect(err).toContain('broken.cfg:6: unknown keyword "blance" in a listen: did you mean balance?');
    expect(err).toMatch(/cannot parse 2 lines of .*broken\.cfg: nothing was changed/);
    expect(
      (await mesh.get<ServerStatus[]>("/mesh/servers?")).filter(({ service }) => service === "broken"),
    ).toEqual([]);
  });
});
