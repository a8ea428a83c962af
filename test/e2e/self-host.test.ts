// A self-hosted mesh, built and started as docs/self-host.md describes.

import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StartedAgent, startAgent } from "../support/agent-process.ts";
import { run } from "../support/mesh-process.ts";
import { rawSend } from "../support/raw-http.ts";
import { until } from "../support/until.ts";
import { SelfHosted } from "../support/workerd.ts";

let mesh: SelfHosted;
let agent: StartedAgent;

beforeAll(async () => {
  mesh = await SelfHosted.build();
  await mesh.start();
  const token = (await mesh.waggle("join-token", "-q")).out.trim();
  agent = startAgent({ url: mesh.control, stateDir: join(mesh.folder, "agent"), token });
  const web = await mesh.waggle(
    ...["service", "create", "--name", "my-web", "-p", "8080:80", "--label", "waggle.host=www.example.com"],
    ...["--replicas", "2", "--timeout", "30s", "waggle/whoami"],
  );
  expect(web, web.err).toMatchObject({ code: 0 });
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

type WhoamiFacts = { service: string; slot: number; headers: Record<string, string> };
type WhoamiResponse = { status: number; facts: WhoamiFacts };

/** Sends a GET to one of workerd's sockets. fetch does not allow a Host header. */
function get(port: number, headers: Record<string, string> = {}): Promise<WhoamiResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: "127.0.0.1",
      port,
      headers: { accept: "application/json", ...headers },
    });
    outgoing.once("error", reject);
    outgoing.once("response", async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, facts: JSON.parse(text) as WhoamiFacts });
    });
    outgoing.end();
  });
}

test("[U61] a self-hosted mesh accepts agents and serves by its sockets' ports and by host name", async () => {
  const responses = [await get(mesh.ports["port-8080"]), await get(mesh.ports["port-8080"])];
  expect(responses.map(({ facts }) => facts.slot).sort()).toEqual([1, 2]);
  const byHost = await get(mesh.ports.web, { host: "www.example.com" });
  expect(byHost).toMatchObject({ status: 200, facts: { service: "my-web" } });
});

test("[U62] the socket determines the port and the connection the client, whatever a request claims", async () => {
  const { facts } = await get(mesh.ports["port-8080"], {
    host: "127.0.0.1:9090",
    "cf-connecting-ip": "192.0.2.1",
    "x-forwarded-for": "192.0.2.2",
  });
  expect(facts.service).toBe("my-web");
  expect(facts.headers["x-forwarded-for"]).toBe("127.0.0.1");
});

test("[X45] the operator token opens the debug headers, although no viewer token is set", async () => {
  const debug = async (token: string) => {
    const headers = { "x-waggle-debug": "1", "x-waggle-token": token };
    const response = await fetch(`http://127.0.0.1:${mesh.ports["port-8080"]}`, { headers });
    return response.headers.get("x-waggle-service");
  };
  expect(await debug(mesh.token)).toBe("my-web");
  for (const wrongToken of ["null", "undefined", "", `${mesh.token}x`])
    expect(await debug(wrongToken)).toBeNull();
});

test("[A62] there the connection is the client whose wrong tokens are limited, whatever it claims", async () => {
  const ask = async (token: string, number = 0) => {
    const headers = { authorization: `Bearer ${token}`, "cf-connecting-ip": `192.0.2.${number}` };
    return (await fetch(`${mesh.control}/v1.44/nodes`, { headers })).status;
  };
  const statuses = await Promise.all(Array.from({ length: 12 }, (_, number) => ask("wrong", number)));
  expect(statuses.filter((status) => status === 401)).toHaveLength(10);
  expect(statuses.filter((status) => status === 429)).toHaveLength(2);
  expect(await ask(mesh.token)).toBe(200);
});

/** Sends bytes to workerd's socket of the control API. @returns the status line, the headers and the body */
function sendRaw(head: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(mesh.ports.control, "127.0.0.1", () =>
      socket.write(`${head}\r\nConnection: close\r\n\r\n`),
    );
    let response = "";
    socket.setEncoding("latin1");
    socket.on("data", (text) => {
      response += text;
    });
    socket.once("close", () => resolve(response));
    socket.once("error", reject);
  });
}

test("[A71] an unreadable Host or target on the wire is 400 in the API's own form", async () => {
  for (const host of ["[", "a b", "u:p@h", "%", "h:99999", "a/b", "a?x", "a#b", "\\", "x".repeat(300)]) {
    for (const path of ["/v1.44/info", "/dashboard/", "/haproxy?stats"]) {
      const response = await sendRaw(`GET ${path} HTTP/1.1\r\nHost: ${host}`);
      expect([host, path, response]).toEqual([host, path, expect.stringMatching(/^HTTP\/1\.1 400 /)]);
      expect(response.toLowerCase()).toContain("\r\nx-content-type-options: nosniff\r\n");
      expect(response).toContain('{"message":"cannot read a request to');
    }
  }
  expect(await sendRaw("OPTIONS * HTTP/1.1\r\nHost: mesh.test")).toMatch(
    /^HTTP\/1\.1 400 .*"cannot read a request to/s,
  );
  expect(await sendRaw("GET /mesh/health HTTP/1.1\r\nHost: [::1]:80")).toMatch(/^HTTP\/1\.1 200 /);
});

test("[U63] services survive a kill of the registry, and the agent reconnects", async () => {
  await mesh.kill();
  await mesh.start();
  await until("a request to be served", async () => (await get(mesh.ports["port-8080"])).status === 200);
  const status = await until("the agent to reconnect", async () => {
    const { out, code } = await mesh.waggle("status", "--check");
    return code === 0 && out;
  });
  expect(status).toContain("1 of 1 nodes ready, 3 of 3 tasks running");
});

test("[U64] the configuration has the runtime date and objects of wrangler.toml, and a later build keeps it", async () => {
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
  expect(again.out).toContain("left unchanged");
  expect(readFileSync(config, "utf8")).toBe(`${built}# mine\n`);
});

test("[W49] several Cookie lines reach a task as one line, joined by semicolons", async () => {
  const head = "GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n";
  const cookies = "Cookie: a=1; b=2\r\nCookie: c=caf\xc3\xa9\r\n";
  const { body } = await rawSend(mesh.ports["port-8080"], `${head}${cookies}\r\n`);
  expect(body.replaceAll("&", "")).toContain("a=1; b=2; c=");
});
