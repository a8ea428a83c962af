import { describe, expect, test } from "vitest";
import { readServiceSpec } from "../../../src/protocol/engine/read-service.ts";
import { running, spec, TestControl } from "../control/support.ts";

describe("[A402] what dockerd refuses when a service is created is refused in its words", () => {
  const swarmkit = "rpc error: code = InvalidArgument desc = ";
  test.each([
    [
      running({ Mounts: [{ Target: "/a" }, { Target: "/a" }] }),
      `${swarmkit}ContainerSpec: duplicate mount point: /a`,
    ],
    [
      running({ Mounts: [{ Type: "x" }] }),
      'invalid MountType: "x": use bind, volume, tmpfs, npipe, cluster, image',
    ],
    [
      running({ Healthcheck: { Interval: 999_999 } }),
      `${swarmkit}ContainerSpec: Interval in HealthConfig cannot be less than 1ms`,
    ],
    [
      running({ Healthcheck: { Timeout: -1 } }),
      `${swarmkit}ContainerSpec: Timeout in HealthConfig cannot be less than 1ms`,
    ],
    [
      running({ Healthcheck: { Retries: -1 } }),
      `${swarmkit}ContainerSpec: Retries in HealthConfig cannot be negative`,
    ],
    [
      running({}, { Resources: { Limits: { NanoCPUs: 1_000 } } }),
      `${swarmkit}invalid cpu value 0.000001: Must be at least 0.001`,
    ],
    [
      running({}, { Resources: { Limits: { MemoryBytes: 1_000 } } }),
      `${swarmkit}invalid memory value 1000: Must be at least 4MiB`,
    ],
    [running({}, { RestartPolicy: { Delay: -1 } }), `${swarmkit}TaskSpec: restart-delay cannot be negative`],
    [{ UpdateConfig: { Monitor: -1 } }, `${swarmkit}TaskSpec: update-monitor cannot be negative`],
  ])("%j", async (change, message) => {
    const control = new TestControl();
    const { status, json } = await control.ask("POST /services/create", { body: spec("my-web", change) });
    expect([status, json.message]).toEqual([400, message]);
  });

  test("an interval of zero is the image's own", () => {
    const zero = running({ Healthcheck: { Interval: 0, Timeout: 1_000_000 } });
    expect(() => readServiceSpec(spec("my-web", zero))).not.toThrow();
  });
});
