import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("../../support/older-node-program.ts", import.meta.url));

test("[U481] what is added for older releases behaves as in Node itself", () => {
  const [native, added] = JSON.parse(execFileSync(process.execPath, [program], { encoding: "utf8" }));
  expect(native).toMatchObject({ pair: [1024 ** 2, 1024 ** 2], signals: [false, true, "why", "early"] });
  expect(native.upgrades).toEqual([["200"], ["101"]]);
  expect(added).toEqual(native);
});
