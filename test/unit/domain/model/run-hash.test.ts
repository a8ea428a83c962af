import { expect, test } from "vitest";
import { nextRunHash, runHash } from "../../../../src/domain/model/run-hash.ts";
import { aService, aSpec } from "../../../support/world.ts";

const documentOf = (container: object, template: object = {}) => ({
  Name: "web",
  TaskTemplate: { ContainerSpec: { Image: "web", ...container }, ...template },
});
const hashOf = (container: object, template: object = {}) =>
  runHash(aSpec(), documentOf(container, template));

test("[N100] every part of the template except placement changes the run hash", () => {
  const changed = [
    hashOf({ User: "1000" }),
    hashOf({ Mounts: [{ Type: "volume", Source: "a", Target: "/a" }] }),
    hashOf({ Healthcheck: { Test: ["CMD", "true"] } }),
    hashOf({ Healthcheck: { Test: ["CMD", "true"], Interval: 1e9 } }),
    hashOf({ Labels: { a: "b" } }),
    hashOf({ Init: false }),
    hashOf({ Init: true }),
    hashOf({ Args: [""] }),
    hashOf({}, { Resources: { Limits: { MemoryBytes: 64 << 20 } } }),
    hashOf({}, { Resources: { Reservations: { MemoryBytes: 64 << 20 } } }),
    hashOf({}, { RestartPolicy: { Delay: 0 } }),
    hashOf({}, { LogDriver: { Name: "none" } }),
    hashOf({}, { Networks: [{ Target: "front" }] }),
  ];
  expect(new Set([hashOf({}), ...changed]).size).toBe(changed.length + 1);
});

test("[N100] placement, empty values and the order of keys do not change the run hash", () => {
  const equal = [
    hashOf({}, { Placement: { Constraints: ["node.role==worker"] } }),
    hashOf({}, { ForceUpdate: 0, Runtime: "container" }),
    hashOf({ Env: null, Labels: {}, User: "", Mounts: [], DNSConfig: {} }),
  ];
  expect(new Set([hashOf({}), ...equal]).size).toBe(1);
  expect(hashOf({ User: "a", Dir: "/b" })).toBe(hashOf({ Dir: "/b", User: "a" }));
});

test("[N100] a change that needs no new tasks keeps the hash of an earlier release", () => {
  const document = documentOf({});
  const service = { ...aService(), document, runHash: "computed in another way" };
  const scaled = { ...service.spec, mode: { kind: "replicated", replicas: 9 } } as const;
  expect(nextRunHash(service, scaled, { ...document, Mode: {} })).toBe("computed in another way");
  const limited = documentOf({ User: "1000" });
  expect(nextRunHash(service, scaled, limited)).toBe(runHash(scaled, limited));
});
