// The systemd units of infra/, read by systemd itself.

import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { missingPrograms } from "../support/program.ts";

const infra = fileURLToPath(new URL("../../infra/", import.meta.url));
const units = readdirSync(infra, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".service"),
);
const isMissing = missingPrograms(["systemd-analyze"]).length > 0;
const reason = isMissing ? " (skipped: no systemd-analyze; apt-get install systemd)" : "";

describe.skipIf(isMissing)(`systemd units${reason}`, () => {
  test("[U110] infra/ has a unit for the agent and one for a mesh", () => {
    expect(units.sort()).toEqual(["agent/waggle-agent.service", "self-host/waggle.service"]);
  });

  test.each(units)("[U110] the exposure of %s is below 3.0", (unit) => {
    const report = execFileSync(
      "systemd-analyze",
      ["security", "--offline=true", "--no-pager", infra + unit],
      {
        encoding: "utf8",
      },
    );
    const level = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1]);
    expect(level, report).toBeLessThan(3);
  });

  test.each(units)("[U110] %s has only settings that systemd knows", (unit) => {
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", infra + unit], {
      encoding: "utf8",
    });
    // The programs are not installed where the tests run.
    const complaints = stderr
      .split("\n")
      .filter((line) => line !== "" && !line.includes("is not executable"));
    expect(complaints).toEqual([]);
  });
});
