import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { waggleVersion } from "../../../src/protocol/engine/version.ts";
import { writeVersion } from "../../../src/protocol/engine/write-info.ts";

test("[A2] the version the mesh states is the package's", () => {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  expect(waggleVersion).toBe(JSON.parse(text).version);
  expect(writeVersion()).toMatchObject({ Version: waggleVersion, ApiVersion: "1.44", MinAPIVersion: "1.24" });
});
