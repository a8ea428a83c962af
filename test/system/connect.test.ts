// Connections to TCP services through the Worker of the control API, which has no port for them.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { meshDialer } from "../../src/cli/mesh-dialer.ts";
import { joinStreams } from "../../src/net/join-streams.ts";
import type { Snapshot } from "../../src/telemetry/snapshot.ts";
import { freePort, MeshProcess, run } from "../support/mesh-process.ts";
import { postgresCommand, postgresPrograms } from "../support/postgres.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

const missing = missingPrograms(["redis-server", "redis-cli"]);
const reason = missing.length > 0 ? ` (skipped: no ${missing.join(", ")})` : "";
const redisScript = 'exec redis-server --bind $HOST --protected-mode no --port $PORT --save "" --dir .';

describe.skipIf(missing.length > 0)(`connections through the mesh${reason}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "waggle-connect-"));
  let mesh: MeshProcess;
  let opened: Awaited<ReturnType<typeof openPort>>;
  let port: number;
  let webPort: number;
  const redis = (...args: string[]) => run("redis-cli", ["-p", String(opened.port), ...args]);

  beforeAll(async () => {
    const file = join(folder, "images.json");
    writeFileSync(file, JSON.stringify({ redis: { command: ["sh", "-c", redisScript] } }));
    mesh = await MeshProcess.start(["--empty", "--nodes", "1", "--images", file]);
    port = await freePort();
    webPort = await freePort();
    const create = ["service", "create", "--label", "waggle.mode=tcp", "--name", "redis"];
    expect((await mesh.waggle(...create, "-p", `${port}:6379`, "redis")).code).toBe(0);
    await mesh.waggle("service", "create", "--name", "web", "-p", `${webPort}:80`, "waggle/whoami");
    opened = await openPort(meshDialer({ url: mesh.control, token: mesh.token } as never, "redis", port));
  }, 120_000);

  afterAll(async () => {
    opened?.close();
    await mesh?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(["direct", "tunnel"])(
    "[O230] Redis answers through the Worker to a node by %s",
    async (transport) => {
      await mesh.waggle("node", "update", "--transport", transport, "node1");
      await until("the transport", async () =>
        new RegExp(` ${transport}\n`).test((await mesh.waggle("node", "ls")).out),
      );
      await until("PONG", async () => (await redis("PING")).out === "PONG\n", { withinMs: 20_000 });
      expect((await redis("SET", transport, "x".repeat(100_000))).out).toBe("OK\n");
      const large = await redis("EVAL", "return string.rep('waggle', 100000)", "0");
      expect(large.out.length).toBe(600_001);
    },
  );

  test("[O231] a wrong token, service, mode or port is refused with the reason", async () => {
    const ask = async (query: string, authorization?: string) => {
      const url = `${mesh.control.replace("http", "ws")}/mesh/connect?${query}`;
      const ws = new WebSocket(url, { headers: authorization === undefined ? {} : { authorization } });
      ws.on("error", () => undefined);
      const [, response] = await once(ws, "unexpected-response");
      return response.statusCode as number;
    };
    const operator = `Bearer ${mesh.token}`;
    expect(await ask(`service=redis&port=${port}`)).toBe(401);
    expect(await ask(`service=redis&port=${port}`, "Bearer wrong-token-of-a-stranger")).toBe(401);
    const { viewerToken } = JSON.parse(readFileSync(join(mesh.stateDir, "mesh.json"), "utf8"));
    if (viewerToken) expect(await ask(`service=redis&port=${port}`, `Bearer ${viewerToken}`)).toBe(403);
    expect(await ask(`service=nothing&port=${port}`, operator)).toBe(404);
    expect(await ask(`service=web&port=${webPort}`, operator)).toBe(400);
    expect(await ask(`service=redis&port=1`, operator)).toBe(400);
    expect(await ask(`service=redis&port=x`, operator)).toBe(400);
  });
});

describe("a connection through the mesh is treated as at a published port", () => {
  /** A static server, which notes what each connection begins with, and sends all bytes back. */
  class EchoServer {
    readonly received: Buffer[] = [];
    readonly server = createServer({ allowHalfOpen: true }, (socket) => {
      const index = this.received.push(Buffer.alloc(0)) - 1;
      socket.on("error", () => undefined);
      socket.on("data", (bytes: Buffer) => {
        const before = this.received[index] ?? Buffer.alloc(0);
        if (before.length < 256) this.received[index] = Buffer.concat([before, bytes]);
      });
      socket.pipe(socket);
    });

    async listen(): Promise<number> {
      await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
      return (this.server.address() as AddressInfo).port;
    }
  }

  const folder = mkdtempSync(join(tmpdir(), "waggle-connect-"));
  const echo = new EchoServer();
  let echoPort: number;
  let mesh: MeshProcess;

  beforeAll(async () => {
    // PostgreSQL does not run as root.
    chmodSync(folder, 0o777);
    const file = join(folder, "images.json");
    writeFileSync(file, JSON.stringify({ postgres: { command: postgresCommand(folder) } }));
    echoPort = await echo.listen();
    mesh = await MeshProcess.start(["--empty", "--nodes", "1", "--images", file]);
  }, 120_000);

  afterAll(async () => {
    echo.server.close();
    await mesh?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Publishes the server as a service. @returns opens a connection to it through the mesh */
  async function publish(name: string, labels: readonly string[]): Promise<() => Promise<Duplex>> {
    const published = await freePort();
    const flags = ["waggle.mode=tcp", ...labels].flatMap((label) => ["--label", label]);
    const added = await mesh.waggle(
      ...["server", "add", name, "echo", `127.0.0.1:${echoPort}`, "-p", `${published}:5432`, ...flags],
    );
    expect(added.code, added.err).toBe(0);
    return meshDialer({ url: mesh.control, token: mesh.token } as never, name, published);
  }

  const opened = (dial: () => Promise<Duplex>) =>
    until("a connection", async () => (await dial()).on("error", () => undefined));

  test("[O403] it reaches a static server, each direction ends alone, and a bulk of bytes arrives whole", async () => {
    const client = await opened(await publish("plain", []));
    const sent = randomBytes(16 * 1024 * 1024);
    client.end(sent);
    expect((await buffer(client)).equals(sent)).toBe(true);
  });

  test("[O403] a server that accepts no connection is refused with the reason", async () => {
    const published = await freePort();
    const closed = `127.0.0.1:${await freePort()}`;
    const flags = ["-p", `${published}:5432`, "--label", "waggle.mode=tcp"];
    expect((await mesh.waggle("server", "add", "dead", "gone", closed, ...flags)).code).toBe(0);
    const dial = meshDialer({ url: mesh.control, token: mesh.token } as never, "dead", published);
    const refusal = await until("the reason", () =>
      dial().then(
        () => null,
        ({ message }: Error) => (message.includes("no target of") ? message : null),
      ),
    );
    expect(refusal).toBe("no target of dead accepted the connection: 1 unreached; try again");
  });

  test.each([
    ["v1", `PROXY TCP4 127.0.0.1 0.0.0.0 0 `],
    ["v2", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\0\0\0\0\0\0"],
  ])("[O404] the target gets the client's address by the PROXY protocol %s", async (version, header) => {
    const client = await opened(await publish(`proxied-${version}`, [`waggle.send-proxy=${version}`]));
    client.write("hello");
    await until("the bytes", () => echo.received.at(-1)?.toString("latin1").endsWith("hello"));
    expect(echo.received.at(-1)?.toString("latin1").slice(0, header.length)).toBe(header);
    client.destroy();
  });

  test("[O405] it is closed after the idle timeout without a byte, and goes on while bytes pass", async () => {
    const client = await opened(await publish("idle", ["waggle.idle-timeout=2s"]));
    const beganMs = performance.now();
    for (let part = 0; part < 6; part += 1) {
      client.write("x");
      await once(client, "data");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const silentMs = performance.now();
    expect(silentMs - beganMs).toBeGreaterThan(3_000);
    await until("the end", () => client.destroyed);
    expect(performance.now() - silentMs).toBeGreaterThan(1_000);
  });

  test("[O406] its bytes, attempts and open connections are counted", async () => {
    const dial = await publish("counted", []);
    const client = await opened(dial);
    client.write("0123456789");
    await once(client, "data");
    const traffic = async () => {
      const { services } = await mesh.get<Snapshot>("/mesh/telemetry");
      return services.find(({ name }) => name === "counted");
    };
    await until("an open connection", async () => (await traffic())?.open.now === 1);
    const counted = await until("its bytes", async () => {
      const counts = (await traffic())?.counts;
      return counts?.bytesOut === 10 ? counts : null;
    });
    expect(counted).toMatchObject({ requests: 1, attempts: 1, bytesIn: 10, bytesOut: 10 });
    client.end();
    await until("no open connection", async () => (await traffic())?.open.now === 0);
  });

  const missingPostgres = missingPrograms(postgresPrograms);
  const skipped = missingPostgres.length > 0 ? ` (skipped: no ${missingPostgres.join(", ")})` : "";

  test.skipIf(missingPostgres.length > 0)(
    `[O230] PostgreSQL answers through the Worker, with rows and COPY of many bytes${skipped}`,
    async () => {
      const published = await freePort();
      const create = ["service", "create", "--name", "db", "--label", "waggle.mode=tcp", "-p"];
      const created = await mesh.waggle(...create, `${published}:5432`, "postgres");
      expect(created.code, created.err).toBe(0);
      const { port, close } = await openPort(
        meshDialer({ url: mesh.control, token: mesh.token } as never, "db", published),
      );
      const psql = (...args: string[]) =>
        run("psql", ["-h", "127.0.0.1", "-p", String(port), "-U", "app", "-d", "postgres", "-tA", ...args]);
      await until("the database", async () => (await psql("-c", "select 1")).out === "1\n", {
        withinMs: 30_000,
      });
      const table = "create table t as select n, repeat('x', 1000) as text from generate_series(1, 5000) n";
      expect((await psql("-c", table)).out).toBe("SELECT 5000\n");
      const file = join(folder, "rows");
      expect((await psql("-c", `\\copy t to '${file}'`)).out).toBe("COPY 5000\n");
      expect((await psql("-c", `\\copy t from '${file}'`)).out).toBe("COPY 5000\n");
      expect((await psql("-c", "select count(*), sum(n), sum(length(text)) from t")).out).toBe(
        "10000|25005000|10000000\n",
      );
      close();
    },
    90_000,
  );
});

/** Opens a port of this machine whose connections go to a service, as `waggle connect` does. */
async function openPort(dial: () => Promise<Duplex>): Promise<{ port: number; close: () => void }> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => undefined);
    dial().then(
      (target) => joinStreams(client, target),
      () => client.resetAndDestroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}
