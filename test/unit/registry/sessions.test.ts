import { expect, test } from "vitest";
import { TestMesh } from "./harness.ts";

test("[G65] a session is open from its sign-in until its expiry or its sign-out, across restarts", () => {
  const mesh = new TestMesh();
  const untilMs = mesh.nowMs + 1_000;
  expect(mesh.registry.isSessionOpen("a")).toBe(false);
  mesh.registry.openSession("a", untilMs);
  mesh.registry.openSession("b", untilMs);
  mesh.restart();
  expect(mesh.registry.isSessionOpen("a")).toBe(true);
  mesh.registry.closeSession("a");
  mesh.restart();
  expect([mesh.registry.isSessionOpen("a"), mesh.registry.isSessionOpen("b")]).toEqual([false, true]);
  mesh.nowMs = untilMs;
  expect(mesh.registry.isSessionOpen("b")).toBe(false);
});

test("[G65] the registry keeps the newest 1,000 sessions and forgets expired ones", () => {
  const mesh = new TestMesh();
  const open = (id: string, lifetimeMs: number) => mesh.registry.openSession(id, mesh.nowMs + lifetimeMs);
  const stored = () =>
    JSON.parse(String(mesh.database.exec("SELECT value FROM meta WHERE key = 'sessions'")[0]?.value));
  for (let number = 0; number < 1_001; number += 1) open(`s${number}`, 60_000);
  expect(stored()).toHaveLength(1_000);
  expect(mesh.registry.isSessionOpen("s0")).toBe(false);
  expect(mesh.registry.isSessionOpen("s1")).toBe(true);
  expect(mesh.registry.isSessionOpen("s1000")).toBe(true);
  mesh.nowMs += 60_000;
  open("new", 60_000);
  open("new", 60_000);
  expect(stored()).toEqual([["new", mesh.nowMs + 60_000]]);
});
