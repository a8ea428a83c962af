import { expect, test } from "vitest";
import { TestMesh } from "./harness.ts";

test("[G65] a session is open from its sign-in until its expiry or its sign-out, across restarts", () => {
  const mesh = new TestMesh();
  const untilMs = mesh.nowMs + 1_000;
  expect(mesh.registry.isSessionOpen("a")).toBe(false);
  mesh.registry.openSession("a", untilMs, "operator");
  mesh.registry.openSession("b", untilMs, "operator");
  mesh.restart();
  expect(mesh.registry.isSessionOpen("a")).toBe(true);
  mesh.registry.closeSession("a");
  mesh.restart();
  expect([mesh.registry.isSessionOpen("a"), mesh.registry.isSessionOpen("b")]).toEqual([false, true]);
  mesh.nowMs = untilMs;
  expect(mesh.registry.isSessionOpen("b")).toBe(false);
});

test("[G66] a one-time id is used up for good, also if the clock is set back after it expired", () => {
  const mesh = new TestMesh();
  const startMs = mesh.nowMs;
  const untilMs = startMs + 900_000;
  expect(mesh.registry.redeem("a", untilMs)).toBe(true);
  mesh.nowMs = untilMs;
  expect(mesh.registry.redeem("unused", untilMs)).toBe(false);
  mesh.nowMs = untilMs + 60_000;
  expect(mesh.registry.redeem("b", mesh.nowMs + 900_000)).toBe(true);
  mesh.nowMs = startMs + 1;
  expect(mesh.registry.redeem("a", untilMs)).toBe(false);
});

test("[G66] used ids are forgotten a day after they expired", () => {
  const mesh = new TestMesh();
  const stored = () =>
    JSON.parse(String(mesh.database.exec("SELECT value FROM meta WHERE key = 'spentIds'")[0]?.value));
  mesh.registry.redeem("a", mesh.nowMs + 1);
  mesh.nowMs += 86_400_001;
  mesh.registry.redeem("b", mesh.nowMs + 1);
  expect(Object.keys(stored())).toEqual(["b"]);
});

test("[G65] the registry keeps the newest 500 sessions of a role and forgets expired ones", () => {
  const mesh = new TestMesh();
  const open = (id: string, lifetimeMs: number) =>
    mesh.registry.openSession(id, mesh.nowMs + lifetimeMs, "operator");
  const stored = () =>
    JSON.parse(String(mesh.database.exec("SELECT value FROM meta WHERE key = 'sessions'")[0]?.value));
  for (let number = 0; number < 501; number += 1) open(`s${number}`, 60_000);
  expect(stored()).toHaveLength(500);
  expect(mesh.registry.isSessionOpen("s0")).toBe(false);
  expect(mesh.registry.isSessionOpen("s1")).toBe(true);
  expect(mesh.registry.isSessionOpen("s500")).toBe(true);
  mesh.nowMs += 60_000;
  open("new", 60_000);
  open("new", 60_000);
  expect(stored()).toEqual([["new", mesh.nowMs + 60_000, "operator"]]);
});

test("[M84] however often a viewer signs in, no session of an operator ends", () => {
  const mesh = new TestMesh();
  const untilMs = mesh.nowMs + 60_000;
  mesh.registry.openSession("operator", untilMs, "operator");
  for (let number = 0; number < 1_500; number += 1)
    mesh.registry.openSession(`v${number}`, untilMs, "viewer");
  const isOpen = (id: string) => mesh.registry.isSessionOpen(id);
  expect(["operator", "v999", "v1000", "v1499"].map(isOpen)).toEqual([true, false, true, true]);
});

test("[M84] sessions of an earlier release stay open, as those of operators", () => {
  const mesh = new TestMesh();
  const untilMs = mesh.nowMs + 60_000;
  mesh.registry.openSession("new", untilMs, "viewer");
  mesh.database.exec("UPDATE meta SET value = ? WHERE key = 'sessions'", JSON.stringify([["old", untilMs]]));
  for (let number = 0; number < 600; number += 1) mesh.registry.openSession(`v${number}`, untilMs, "viewer");
  expect(mesh.registry.isSessionOpen("old")).toBe(true);
});
