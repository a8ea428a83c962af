// The state folder of a running mesh: its disk is full, it is removed, its database is lost.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { StateFile } from "../../src/local/state-file.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

const disk = SmallDisk.mount(24);
const hasDisk = disk instanceof SmallDisk;
const recoverWithin = { withinMs: 40_000 };

let mesh: MeshProcess;

afterEach(async () => {
  if (hasDisk) disk.free();
  await mesh?.remove();
});
afterAll(() => {
  if (hasDisk) disk.unmount();
});

async function createService(name: string, port: number): Promise<{ readonly code: number }> {
  return mesh.waggle("service", "create", "--name", name, "-p", `${port}:80`, "waggle/whoami");
}

async function statusAt(port: number): Promise<number> {
  return (await fetch(`http://127.0.0.2:${port}/`)).status;
}

describe.skipIf(!hasDisk)(`a full disk${hasDisk ? "" : ` (skipped: cannot mount a tmpfs: ${disk})`}`, () => {
  const { path = "" } = disk as Partial<SmallDisk>;
  const fill = () => hasDisk && disk.fill();
  const free = () => hasDisk && disk.free();
  const start = async (): Promise<number> => {
    mesh = await MeshProcess.start(["--empty"], join(path, "mesh"));
    const port = await freePort();
    expect(await createService("web", port)).toMatchObject({ code: 0 });
    expect(await statusAt(port)).toBe(200);
    return port;
  };

  /** Fills the disk. A change that cannot be saved ends the registry's object, which cannot start again. */
  const fillAndLoseRegistry = async (): Promise<void> => {
    fill();
    const isLost = async () => (await mesh.waggle("service", "ls")).code !== 0;
    await until("a silent registry", async () => {
      await createService("refused", await freePort());
      return isLost();
    });
  };

  test("[U102] requests are routed as before, and the mesh recovers by itself", async () => {
    const port = await start();
    fill();
    await mesh.waitForOutput(`the disk of ${mesh.stateDir} is full`, 10_000);
    expect(await createService("refused", await freePort())).not.toMatchObject({ code: 0 });
    expect(await statusAt(port)).toBe(200);
    free();
    await mesh.waitForOutput(`the disk of ${mesh.stateDir} has space again`, 10_000);
    const laterPort = await freePort();
    await until(
      "a new service",
      async () => (await createService("later", laterPort)).code === 0,
      recoverWithin,
    );
    await until("its response", async () => (await statusAt(laterPort)) === 200, recoverWithin);
    expect(await statusAt(port)).toBe(200);
  });

  test("[U102] processes that die while the disk is full are running again once it has space", async () => {
    const port = await start();
    fill();
    for (const pid of [mesh.agentPid("node1"), mesh.runtimePid()]) process.kill(pid, "SIGKILL");
    await mesh.waitForOutput("the agent of node1 did not start: cannot write", 20_000);
    free();
    await mesh.waitForOutput("the agent of node1 is running again", 30_000);
    await mesh.waitForOutput("the Workers runtime is running again", 30_000);
    await until("a response", async () => (await statusAt(port)) === 200, recoverWithin);
  });

  test("[U123] requests are routed if the first one since the start comes while the disk is full", async () => {
    const port = await start();
    await mesh.stop();
    mesh = await MeshProcess.start([], mesh.stateDir);
    await fillAndLoseRegistry();
    expect(await statusAt(port)).toBe(200);
  });

  test("[U123] requests are routed after workerd and its process have died while the disk is full", async () => {
    const port = await start();
    await fillAndLoseRegistry();
    process.kill(mesh.workerdPids()[0] ?? 0, "SIGKILL");
    await mesh.waitForOutput("workerd is running again", 30_000);
    await until("a response", async () => (await statusAt(port)) === 200, recoverWithin);
    process.kill(mesh.runtimePid(), "SIGKILL");
    await mesh.waitForOutput("the Workers runtime is running again", 30_000);
    await until("a response", async () => (await statusAt(port)) === 200, recoverWithin);
    expect(await createService("refused", await freePort())).not.toMatchObject({ code: 0 });
  });

  test("[U102] a file that could not be written gets its newest value once there is space", async () => {
    const file = join(path, "value.json");
    const lines: string[] = [];
    const state = new StateFile(file, (line) => lines.push(line));
    state.write(1);
    fill();
    state.write(2);
    state.write(3);
    expect(readFileSync(file, "utf8")).toBe("1\n");
    free();
    await until("the newest value", () => readFileSync(file, "utf8") === "3\n");
    expect(lines).toEqual([
      `cannot write ${file}: the disk is full; free some space; trying again until it works`,
      `${file} is written again`,
    ]);
  });
});

test.each([
  { what: "state folder", path: "" },
  { what: "database", path: "/registry" },
])("[U106] a mesh whose $what is removed says so, stops, and leaves no process", async ({ path }) => {
  mesh = await MeshProcess.start(["--empty"]);
  rmSync(mesh.stateDir + path, { recursive: true });
  expect(await mesh.ended()).toBe(1);
  expect(mesh.output).toMatch(
    new RegExp(`${mesh.stateDir}${path}\\S* was removed or replaced while the mesh ran`),
  );
  expect(mesh.allPids()).toEqual([]);
});

test("[U107] a mesh whose database is gone is not reported as restored, but with what it has lost", async () => {
  mesh = await MeshProcess.start([]);
  const { stateDir } = mesh;
  // A killed mesh leaves records of its tasks.
  mesh.signal("SIGKILL");
  await mesh.ended();
  await until("its processes to end", () => mesh.allPids().length === 0, recoverWithin);
  rmSync(join(stateDir, "registry"), { recursive: true });
  mesh = await MeshProcess.start([], stateDir);
  expect(mesh.output).not.toContain("The mesh is restored");
  expect(mesh.output).toContain(`The mesh is NOT restored: the registry's database in ${stateDir}/registry`);
  expect(mesh.output).toContain("services (tasks of my-web ran here), nodes (node1, node2, node3)");
  expect(await mesh.get("/services")).toEqual([]);
  // The mesh itself, and three machines.
  expect(await mesh.get("/nodes")).toHaveLength(4);
  await mesh.stop();
  mesh = await MeshProcess.start([], stateDir);
  expect(mesh.output).toContain("The mesh is restored, nothing is published");
});
