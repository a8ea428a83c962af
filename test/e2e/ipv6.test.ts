// A mesh on this machine whose control API and balancer listen on IPv6.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { bindError } from "../../src/local/addresses.ts";
import { type CommandResult, freePort, MeshProcess, newStateDir, run } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const main = join(import.meta.dirname, "../../src/cli/main.ts");

const noIpv6 = (await bindError("::1", 0)) !== null;
const skipReason = noIpv6 ? " (skipped: no IPv6; enable it on the loopback interface)" : "";

let mesh: MeshProcess | null = null;
afterEach(async () => {
  await mesh?.remove();
  mesh = null;
});

/** Runs `waggle`, which finds the mesh through the state folder. */
function waggle({ stateDir }: MeshProcess, ...args: readonly string[]): Promise<CommandResult> {
  return run(process.execPath, [main, "--state", stateDir, ...args]);
}

test.skipIf(noIpv6).each([
  ["::1", "http://[::1]"],
  ["[::1]", "http://[::1]"],
  ["::", "http://[::]"],
])(`[U128] a mesh that listens at %s serves a new service there${skipReason}`, async (address, origin) => {
  mesh = await MeshProcess.start(["--listen", address, "--nodes", "1"]);
  const { controlPort, edgePort, output } = mesh;
  expect(output).toContain(`Control API: ${origin}:${controlPort} `);
  expect(output).toContain(`curl ${origin}:${edgePort} `);

  const published = await freePort();
  const args = ["service", "create", "--name", "web", "--publish", `${published}:80`, "waggle/whoami"];
  const created = await waggle(mesh, ...args);
  expect(created, created.err).toMatchObject({ code: 0 });
  const url = `http://[::1]:${published}/`;
  const page = await until("the balancer to serve", async () => {
    const response = await fetch(url).catch(() => null);
    return response?.status === 200 && response.text();
  });
  expect(page).toContain(`x-forwarded-host: [::1]:${published}`);
  const status = await waggle(mesh, "status");
  expect(status.out).toContain("No problems.");
});

test.each([
  ["fe80::1", "needs no zone"],
  ["::1%lo", "must be an address"],
  ["[::1]:8787", "--port sets the port"],
  ["192.0.2.9", "this machine has no address 192.0.2.9"],
  ["2001:db8::9", "this machine has no address 2001:db8::9"],
])("[U128] an address that cannot be listened at is refused with the reason: %s", async (address, reason) => {
  const stateDir = newStateDir();
  const { code, err } = await run(process.execPath, [main, "--state", stateDir, "up", "--listen", address]);
  rmSync(stateDir, { recursive: true });
  expect(code).not.toBe(0);
  expect(err).toContain(reason);
});
