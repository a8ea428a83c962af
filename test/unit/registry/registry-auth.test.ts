import { expect, test } from "vitest";
import { openText, sealText } from "../../../src/registry/sealed-text.ts";
import { assigned, input, machine, TestMesh } from "./harness.ts";

const random = "r".repeat(24);

test("[N130] a sealed text opens only under its secret, and only unchanged", () => {
  const sealed = sealText("my password", "secret", random);
  expect(openText(sealed, "secret")).toBe("my password");
  expect(openText(sealed, "other")).toBeNull();
  expect(openText(`${sealed.slice(0, -2)}AA`, "secret")).toBeNull();
  expect(openText("", "secret")).toBeNull();
  expect(sealed).not.toContain(Buffer.from("my password").toString("base64url").slice(0, 8));
  expect(sealText("my password", "secret", "s".repeat(24))).not.toBe(sealed);
});

/** A mesh with a node, and the credentials that its assignments have. */
function meshOn(runtime: "docker" | "process") {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  const description = { ...machine(node.name, node.address), runtime };
  mesh.send(node.id, { type: "hello", node: description, tasks: [] });
  mesh.registry.takeEffects();
  const sent = () => assigned(mesh.registry.takeEffects(), node.id)?.map(({ registryAuth }) => registryAuth);
  return { mesh, sent };
}

test("[N130] credentials go to a node with Docker until its task has started, and are stored sealed", () => {
  const { mesh, sent } = meshOn("docker");
  mesh.registry.createService({ ...input("web"), registryAuth: "my password" }, "operator");
  expect(sent()).toEqual(["my password"]);
  expect(JSON.stringify(mesh.registry.services())).not.toContain("my password");
  const [task] = mesh.tasks("web");
  if (task) mesh.report(task, { state: "running" });
  mesh.registry.createService(input("other"), "operator");
  expect(sent()?.filter(Boolean)).toEqual([]);
});

test("[N130] a node of processes gets no credentials", () => {
  const { mesh, sent } = meshOn("process");
  mesh.registry.createService({ ...input("web"), registryAuth: "my password" }, "operator");
  expect(sent()).toEqual([undefined]);
});

test("[N130] an update keeps the credentials, a rollback brings back the earlier ones, and new ones replace no task", () => {
  const { mesh, sent } = meshOn("docker");
  const run = { image: "web:2" };
  mesh.registry.createService({ ...input("web"), registryAuth: "first" }, "operator");
  const version = () => mesh.registry.services().find(({ spec }) => spec.name === "web")?.version ?? 0;
  const update = (registryAuth: string | undefined, image: string) => {
    const next = input("web", { run: { ...input("web").spec.run, ...run, image } });
    const withAuth = { ...next, ...(registryAuth !== undefined && { registryAuth }) };
    return mesh.registry.updateService("web", version(), withAuth, "operator");
  };
  sent();
  update(undefined, "web:2");
  expect(new Set(sent())).toEqual(new Set(["first"]));
  update("second", "web:3");
  expect(new Set(sent())).toEqual(new Set(["second"]));
  mesh.registry.updateService("web", version(), "rollback", "operator");
  expect(new Set(sent())).toEqual(new Set(["first"]));
  const before = mesh.tasks("web").length;
  const unchanged = version();
  update("third", "web:2");
  expect([version(), mesh.tasks("web").length]).toEqual([unchanged, before]);
});
