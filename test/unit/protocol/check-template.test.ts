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

test("[D161] a limit that is too small is refused with the number as Go prints it", async () => {
  const change = running({}, { Resources: { Limits: { NanoCPUs: 50_000 } } });
  const { status, json } = await new TestControl().ask("POST /services/create", {
    body: spec("my-web", change),
  });
  expect([status, json.message]).toEqual([
    400,
    "rpc error: code = InvalidArgument desc = invalid cpu value 5e-05: Must be at least 0.001",
  ]);
});
