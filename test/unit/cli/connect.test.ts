import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { printTable } from "../../../src/domain/table/text.ts";
import { until } from "../../support/until.ts";
import { fakeMesh, runOn } from "./support.ts";

const service = (name: string, published: readonly number[], mode?: "tcp") => ({
  id: `id-${name}`,
  name,
  policy: "roundrobin" as const,
  ports: published.map((port) => ({ target: port, published: port, mode: "ingress" as const })),
  hosts: [],
  ...(mode === "tcp" && { options: { mode } }),
  tasks: [],
});

function meshWith(...services: ReturnType<typeof service>[]) {
  const sorted = services.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const table = { version: 1, nodes: [], services: sorted, defaultService: null, signingKey: null };
  return fakeMesh({ "GET /mesh/table": { text: printTable(table) } });
}

test("[O182] connections to the local port go to the published port of the service, until Ctrl-C", async () => {
  const upstream = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  await using mesh = await meshWith(service("redis", [port], "tcp"));
  const interrupt = new AbortController();
  let out = "";
  const overrides = {
    out: {
      write: (text: string) => {
        out += text;
      },
      columns: 100,
    },
    onInterrupt: () => interrupt.signal,
  };
  const running = runOn(mesh, ["connect", "redis"], overrides);
  const local = await until("the port to open", () => /at 127\.0\.0\.1:(\d+)/.exec(out)?.[1]);
  expect(out).toBe(`redis is at 127.0.0.1:${local}, through 127.0.0.1:${port}; Ctrl-C ends this\n`);
  const client = connect({ host: "127.0.0.1", port: Number(local) });
  client.end("PING");
  const [bytes] = (await once(client, "data")) as [Buffer];
  expect(String(bytes)).toBe("PING");
  await once(client, "close");
  interrupt.abort();
  expect((await running).code).toBe(130);
  upstream.close();
});

test.each([
  ["none", "this mesh has no service none"],
  ["web", "web gets HTTP requests"],
  ["two", "two publishes 2, 3"],
  ["two:4", "two does not publish port 4"],
  ["two:x", 'cannot read "two:x"'],
  ["two:2", "no port of the mesh is open to this machine: tried 127.0.0.1:2"],
])("[O182] connect %s is refused with the reason", async (argument, reason) => {
  await using mesh = await meshWith(service("web", [1]), service("two", [2, 3], "tcp"));
  const { code, err } = await runOn(mesh, ["connect", argument]);
  expect(code).toBe(argument === "two:x" ? 2 : 1);
  expect(err).toContain(reason);
});
