import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { waggleVersion } from "../../../src/protocol/engine/version.ts";
import { writeVersion } from "../../../src/protocol/engine/write-info.ts";

test("[A2] the mesh reports the version of the package", () => {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  expect(waggleVersion).toBe(JSON.parse(text).version);
  expect(writeVersion([])).toMatchObject({
    Version: waggleVersion,
    ApiVersion: "1.51",
    MinAPIVersion: "1.24",
  });
});

test("[A2] the fields of a version have the types that the Docker CLI reads: details are strings, others are not", () => {
  const { Components, ...version } = writeVersion([]);
  expect(Object.values(Components[0]?.Details ?? {}).every((value) => typeof value === "string")).toBe(true);
  expect(version).not.toHaveProperty("Experimental");
});
