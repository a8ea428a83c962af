// Connections to TCP services through the Worker of the control API, which has no port for them.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { meshDialer } from "../../src/cli/mesh-dialer.ts";
import { joinStreams } from "../../src/net/join-streams.ts";
import { freePort, MeshProcess, run } from "../support/mesh-process.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

const missing = missingPrograms(["redis-server", "redis-cli"]);
const reason = missing.length > 0 ? ` (skipped: no ${missing.join(", ")})` : "";
const redisScript = 'exec redis-server --bind $HOST --protected-mode no --port $PORT --save "" --dir .';

describe.skipIf(missing.length > 0)(`connections through the mesh${reason}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "waggle-connect-"));
  let mesh: MeshProcess;
  let server: Server;
  let port: number;
  let webPort: number;
  const redis = (...args: string[]) =>
    run("redis-cli", ["-p", String((server.address() as AddressInfo).port), ...args]);

  beforeAll(async () => {
    const file = join(folder, "images.json");
    writeFileSync(file, JSON.stringify({ redis: { command: ["sh", "-c", redisScript] } }));
    mesh = await MeshProcess.start(["--empty", "--nodes", "1", "--images", file]);
    port = await freePort();
    webPort = await freePort();
    const create = ["service", "create", "--label", "waggle.mode=tcp", "--name", "redis"];
    expect((await mesh.waggle(...create, "-p", `${port}:6379`, "redis")).code).toBe(0);
    await mesh.waggle("service", "create", "--name", "web", "-p", `${webPort}:80`, "waggle/whoami");
    const dial = meshDialer({ url: mesh.control, token: mesh.token } as never, "redis", port);
    server = createServer({ allowHalfOpen: true }, (client) => {
      client.on("error", () => undefined);
      dial().then(
        (target) => joinStreams(client, target),
        () => client.resetAndDestroy(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }, 120_000);

  afterAll(async () => {
    server?.close();
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
