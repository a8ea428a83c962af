import { expect, test } from "vitest";
import { whyNotInApi } from "../../../../src/agent/runtimes/docker/newer-api.ts";

const mount = (options: object) => ({ ContainerSpec: { Mounts: [{ Target: "/data", ...options }] } });

test.each([
  [{ ContainerSpec: { Healthcheck: { StartInterval: 1e9 } } }, "--health-start-interval", "1.43", "1.44"],
  [
    mount({ BindOptions: { CreateMountpoint: true } }),
    "CreateMountpoint of the mount at /data",
    "1.41",
    "1.42",
  ],
  [mount({ BindOptions: { ReadOnlyNonRecursive: true } }), "ReadOnlyNonRecursive", "1.43", "1.44"],
  [mount({ BindOptions: { ReadOnlyForceRecursive: true } }), "ReadOnlyForceRecursive", "1.43", "1.44"],
  [mount({ VolumeOptions: { Subpath: "a" } }), "VolumeOptions.Subpath", "1.44", "1.45"],
  [mount({ TmpfsOptions: { Options: [["exec"]] } }), "TmpfsOptions.Options", "1.45", "1.46"],
  [mount({ Type: "image" }), "Type image", "1.47", "1.48"],
])("[N128] %j is rejected with %j by a daemon of API %s, and not of %s", (template, part, older, newer) => {
  expect(whyNotInApi(template, older)).toContain(part);
  expect(whyNotInApi(template, older)).toContain(`speaks API ${older}`);
  expect(whyNotInApi(template, older)).toContain(`since API ${newer}`);
  expect(whyNotInApi(template, newer)).toBeNull();
});

test("[N128] empty values need no newer daemon", () => {
  const template = {
    ContainerSpec: {
      Healthcheck: { Test: ["CMD", "true"], StartInterval: 0 },
      Mounts: [{ Type: "bind", BindOptions: { CreateMountpoint: false }, TmpfsOptions: { Options: [] } }],
    },
  };
  expect(whyNotInApi(template, "1.41")).toBeNull();
  expect(whyNotInApi({}, "1.41")).toBeNull();
});
