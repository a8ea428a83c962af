// Gateways that speak TLS with certificates of an authority that the mesh trusts by --ca, on one machine.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestAuthority } from "../support/certificate.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "waggle-tls-"));
const authority = new TestAuthority(folder);
const machines: ChildProcess[] = [];
let mesh: MeshProcess;
let ports: { readonly web: number; readonly raw: number };

/** Runs a machine of the mesh. @param name also of its state folder */
function startMachine(verb: "agent" | "edge", name: string, args: readonly string[], token: string): void {
  const common = [verb, mesh.control, "--name", name, "--state", join(folder, name), ...args];
  const env = { ...process.env, WAGGLE_JOIN_TOKEN: token };
  machines.push(spawn(process.execPath, [main, ...common], { env, stdio: "ignore" }));
}

const transports = async (): Promise<string> => (await mesh.waggle("node", "ls")).out;

async function body(address: string, port: number): Promise<string> {
  const response = await fetch(`http://${address}:${port}/`, { signal: AbortSignal.timeout(5_000) });
  return `${response.status} ${await response.text()}`;
}

beforeAll(async () => {
  mesh = await MeshProcess.start(["--empty", "--nodes", "0", "--ca", authority.certFile]);
  const token = (await mesh.waggle("join-token", "-q")).out.trim();
  ports = { web: await freePort(), raw: await freePort() };
  for (const [name, address, names] of [
    ["trusted", "127.0.0.21", "IP:127.0.0.21"],
    ["foreign", "127.0.0.22", "IP:127.0.0.21"],
  ] as const) {
    const { certFile, keyFile } = authority.sign(name, names);
    const tls = ["--gateway-cert", certFile, "--gateway-key", keyFile, "--gateway-port", "0"];
    startMachine("agent", name, ["--address", address, ...tls], token);
  }
  const at = ["--constraint", "node.hostname==trusted", "waggle/whoami"];
  await until("both nodes", async () => /2 of 2 nodes ready/.test((await mesh.waggle("status")).out), {
    withinMs: 40_000,
  });
  await mesh.waggle("service", "create", "--name", "web", "-p", `${ports.web}:80`, ...at);
  const tcp = ["--name", "raw", "--label", "waggle.mode=tcp", "-p", `${ports.raw}:80`];
  await mesh.waggle("service", "create", ...tcp, ...at);
}, 120_000);

afterAll(async () => {
  for (const machine of machines) machine.kill("SIGINT");
  await mesh?.remove();
  await Promise.all(
    machines.map((machine) => machine.exitCode ?? new Promise((end) => machine.once("exit", end))),
  );
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

test("[O252] a gateway with a certificate of the authority is reached directly, by requests and by connections", async () => {
  await until("the transport direct", async () => / trusted .* direct$/m.test(await transports()));
  for (const port of [ports.web, ports.raw]) {
    await until(`port ${port}`, async () => /^200 [\s\S]*node: trusted/.test(await body("127.0.0.1", port)));
  }
});

test("[O252] a gateway whose certificate is for another host is not, and the reason names the certificate", async () => {
  await until("the tunnel", async () => / foreign .* tunnel$/m.test(await transports()));
  expect((await mesh.waggle("node", "inspect", "--pretty", "foreign")).out).toMatch(
    /Reason: +no answer from https:\/\/127\.0\.0\.22:.*certificate for this host that routers trust/,
  );
});

test("[O252] a balancer machine trusts the authority by its own --ca only", async () => {
  const token = (await mesh.waggle("join-token", "-q")).out.trim();
  startMachine("edge", "with", ["--listen", "127.0.0.31", "--ca", authority.certFile], token);
  startMachine("edge", "without", ["--listen", "127.0.0.32"], token);
  for (const port of [ports.web, ports.raw]) {
    await until(`port ${port} of the one`, async () => /^200 /.test(await body("127.0.0.31", port)), {
      withinMs: 40_000,
    });
  }
  await until("the port of the other", async () => /^50[234] /.test(await body("127.0.0.32", ports.web)), {
    withinMs: 40_000,
  });
  await expect(body("127.0.0.32", ports.raw)).rejects.toThrow();
});
