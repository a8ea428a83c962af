// A mesh on a workerd of one's own, as infra/self-host/README.md has people start it.

import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StartedAgent, startAgent } from "../support/agent-process.ts";
import { run } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";
import { SelfHosted } from "../support/workerd.ts";

let mesh: SelfHosted;
let agent: StartedAgent;

beforeAll(async () => {
  mesh = await SelfHosted.build();
  await mesh.start();
  const token = (await mesh.waggle("join-token", "-q")).out.trim();
  agent = startAgent({ url: mesh.control, stateDir: join(mesh.folder, "agent"), token });
  const made = await mesh.waggle(
    ...["service", "create", "--name", "my-web", "-p", "8080:80", "--label", "waggle.host=www.example.com"],
    ...["--replicas", "2", "--timeout", "30s", "waggle/whoami"],
  );
  expect(made, made.err).toMatchObject({ code: 0 });
  const inner = await mesh.waggle(
    ...["service", "create", "--name", "inner", "-p", "9090:80", "--timeout", "30s", "waggle/whoami"],
  );
  expect(inner, inner.err).toMatchObject({ code: 0 });
});

afterAll(async () => {
  agent?.process.kill("SIGINT");
  await agent?.exited;
  await mesh?.remove();
});

type Who = { service: string; slot: number; headers: Record<string, string> };

/** Asks at one of workerd's sockets; fetch would not let a Host be said. */
function ask(port: number, headers: Record<string, string> = {}): Promise<{ status: number; who: Who }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, headers: { accept: "application/json", ...headers } });
    sent.once("error", reject);
    sent.once("response", async (response) => {
      let text = "";
      for await (const piece of response) text += piece;
      resolve({ status: response.statusCode ?? 0, who: JSON.parse(text) as Who });
    });
    sent.end();
  });
}

test("[U61] a mesh on a workerd of one's own takes in agents and serves by its sockets' ports and by host name", async () => {
  const slots = [await ask(mesh.ports["port-8080"]), await ask(mesh.ports["port-8080"])];
  expect(slots.map(({ who }) => who.slot).sort()).toEqual([1, 2]);
  const named = await ask(mesh.ports.web, { host: "www.example.com" });
  expect(named).toMatchObject({ status: 200, who: { service: "my-web" } });
});

test("[U62] there the socket says the port and the connection the client, whatever a request claims", async () => {
  const { who } = await ask(mesh.ports["port-8080"], {
    host: "127.0.0.1:9090",
    "cf-connecting-ip": "192.0.2.1",
    "x-forwarded-for": "192.0.2.2",
  });
  expect(who.service).toBe("my-web");
  expect(who.headers["x-forwarded-for"]).toBe("127.0.0.1");
});

test("[U63] there too services outlive a kill of the registry, and the agent redials", async () => {
  await mesh.kill();
  await mesh.start();
  await until("a request to be served", async () => (await ask(mesh.ports["port-8080"])).status === 200);
  const status = await until("the agent to redial", async () => {
    const { out, code } = await mesh.waggle("status", "--check");
    return code === 0 && out;
  });
  expect(status).toContain("1 of 1 nodes ready, 3 of 3 tasks running");
});

test("[U64] it is built for the runtime and the objects that wrangler.toml asks for, and a later build keeps the configuration", async () => {
  const date = /compatibility_?[dD]ate = "([0-9-]+)"/;
  const root = join(import.meta.dirname, "../..");
  const config = join(mesh.folder, "mesh/waggle.capnp");
  const built = readFileSync(config, "utf8");
  const deployed = readFileSync(join(root, "wrangler.toml"), "utf8");
  expect(date.exec(built)?.[1]).toBe(date.exec(deployed)?.[1]);
  const objects = [...deployed.matchAll(/^name = "([A-Z]+)"\nclass_name = "(\w+)"/gm)];
  expect(objects.length).toBeGreaterThan(1);
  for (const [, name, className] of objects) {
    expect(built).toContain(`(name = "${name}", durableObjectNamespace = "${className}")`);
    expect(built).toContain(`(className = "${className}", `);
  }
  writeFileSync(config, `${built}# mine\n`);
  const again = await run(process.execPath, [
    join(root, "infra/self-host/build.ts"),
    join(mesh.folder, "mesh"),
  ]);
  expect(again.out).toContain("left as you have it");
  expect(readFileSync(config, "utf8")).toBe(`${built}# mine\n`);
});
