import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { waggleVersion } from "../../../src/protocol/engine/version.ts";
import { writeVersion } from "../../../src/protocol/engine/write-info.ts";

test("[A2] the version the mesh states is the package's", () => {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  expect(waggleVersion).toBe(JSON.parse(text).version);
  expect(writeVersion()).toMatchObject({ Version: waggleVersion, ApiVersion: "1.44", MinAPIVersion: "1.24" });
});

test("[A2] what is said of an engine has the types the Docker CLI reads: details are texts, the rest is not", () => {
  const { Components, ...version } = writeVersion();
  expect(Object.values(Components[0]?.Details ?? {}).every((value) => typeof value === "string")).toBe(true);
  expect(version).not.toHaveProperty("Experimental");
});
